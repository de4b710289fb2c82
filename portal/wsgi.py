"""The WSGI application that granian serves: `granian --interface wsgi portal.wsgi:application`.

Operations on keys go to the data plane, everything else to Django.
"""

import io
import os
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

django = get_wsgi_application()

from portal.counts import counts  # noqa: E402
from portal.dataplane import asynchronous, operations  # noqa: E402 - needs Django's settings and applications
from portal.dataplane.bodies import MAX_BODY  # noqa: E402
from strongroom.protocol.errors import Refused  # noqa: E402

_KEYS = "/api/v1/keys/"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Operations to the data plane; what came in clear where it must not, to Django, which says so."""
    if environ["REQUEST_METHOD"] == "POST":
        path: str = environ["PATH_INFO"]
        is_operation = path.startswith(_KEYS) and path.count("/") == 5
        if is_operation and path.rpartition("/")[2] in operations.OPERATIONS and _is_now(environ) and _is_safe(environ):
            _measure(environ, MAX_BODY)
            return operations.application(environ, start_response)
    _measure(environ, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)

    def counted(status: str, *more: Any) -> Any:
        counts().request(int(status[:3]))
        return start_response(status, *more)

    return django(environ, counted)


def _is_now(environ: WSGIEnvironment) -> bool:
    """An operation that may wait is Django's, and so is the refusal of one that says so in other words."""
    if not (environ["QUERY_STRING"] or "HTTP_PREFER" in environ):
        return True
    try:
        return not asynchronous.is_wanted(environ)
    except Refused:
        return False


def _measure(environ: WSGIEnvironment, most: int) -> None:
    """Give a body that came in pieces its length, so that it passes through the same limit as any other."""
    if not environ.get("CONTENT_LENGTH") and environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read(most + 1)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def _is_safe(environ: WSGIEnvironment) -> bool:
    if not settings.SECURE_SSL_REDIRECT or environ["wsgi.url_scheme"] == "https":
        return True
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return False
    header, value = settings.SECURE_PROXY_SSL_HEADER
    return environ.get(header) == value
