"""How a page comes together: its template, the navigation of its reader, and what went wrong instead of it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from portal.pages.places import page_above
from portal.pages.readers import Reader
from portal.pages.roles import changes_of, may, reads_of
from portal.quorum.selectors import awaiting
from strongroom.protocol.errors import Refused

CUSTOMER = [
    ("Overview", "overview"),
    ("Keys", "keys"),
    ("Partitions", "partitions"),
    ("API clients", "clients"),
    ("Devices", "devices"),
    ("Members", "members"),
    ("Jobs", "jobs"),
    ("Callbacks", "callbacks"),
    ("Log", "log"),
    ("Usage", "usage"),
]
OFFICER = [
    ("Overview", "officer-overview"),
    ("Tenants", "officer-tenants"),
    ("Devices and keys", "officer-devices"),
    ("Officers", "officer-officers"),
    ("Your cards", "officer-security-keys"),
    ("Requests", "officer-requests"),
    ("Actions", "officer-actions"),
    ("Queues", "officer-work"),
    ("Log", "officer-log"),
]
SENTENCES = {
    "not-found": "There is no such thing here, or it is not yours. Look for it in the lists above.",
    "method-not-allowed": "Nothing was done: this address is not a page to open, or takes no form.",
    "malformed": "Nothing was done: what was sent cannot be read. Load the page that has the form again.",
}
"""What a page says where the catalogue speaks to programs, of /api/schema/."""


def page(request: HttpRequest, template: str, *, reader: Reader, status: int = 200, **context: Any) -> HttpResponse:
    """`templates/pages/TEMPLATE` with the reader's navigation.

    `reads` are the names of pages that the reader may open, `changes` of those that take a form of the reader's.
    """
    context |= {
        "navigation": _navigation(request, reader),
        "place": reader.tenant.name if reader.tenant else f"{reader.role} officer" if reader.officer else reader.role,
        "reads": reads_of(reader.role),
        "changes": changes_of(reader.role),
    }
    return render(request, f"pages/{template}", context, status=status)


def problem(request: HttpRequest, error: Refused, *, reader: Reader) -> HttpResponse:
    """A refusal as a page, with the catalogue's own status, and its sentence but for `SENTENCES`."""
    sentence = SENTENCES.get(error.code, error.problem.sentence)
    back = page_above(request.path)
    context = {"error": error, "sentence": sentence, "back": back if back not in ("/", request.path) else ""}
    return page(request, "problem.html", reader=reader, status=error.problem.status, **context)


def before(request: HttpRequest) -> int | None:
    """Where a page of the log begins, as the link to older entries says."""
    text = request.GET.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _navigation(request: HttpRequest, reader: Reader) -> list[dict[str, Any]]:
    here = request.path
    entries = []
    badges = {"officer-actions": awaiting(reader.officer).count()} if reader.officer else {}
    for label, name in OFFICER if reader.is_of_provider else CUSTOMER:
        if not may(reader.role, name):
            continue
        url = reverse(f"pages:{name}")
        overview = name.endswith("overview")
        current = here == url or (not overview and here.startswith(url))
        entries.append({"label": label, "url": url, "current": current, "badge": badges.get(name, 0)})
    return entries
