"""Where somebody goes back to from an address that only forms are sent to."""

from django.http import Http404
from django.urls import resolve

from portal.pages.roles import PAGES


def page_above(path: str) -> str:
    """`path` where it is that of a page to open, else the nearest one above it that is; at last the overview.

    Of the portal's own addresses alone: nothing that a browser says of where it comes from is believed.
    """
    while path != "/":
        if _opens(path):
            return path
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def _opens(path: str) -> bool:
    try:
        name = resolve(path).url_name
    except Http404:
        return False
    rule = PAGES.get(name or "")
    return rule is not None and bool(rule.read) and not rule.download
