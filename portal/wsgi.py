"""The WSGI application that granian serves: `granian --interface wsgi portal.wsgi:application`.

Operations on keys go to the data plane, everything else to Django.
"""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

django = get_wsgi_application()

from portal.dataplane import operations  # noqa: E402 - needs Django's settings and applications

_KEYS = "/api/v1/keys/"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["REQUEST_METHOD"] == "POST":
        path: str = environ["PATH_INFO"]
        if path.startswith(_KEYS) and path.count("/") == 5 and path.rpartition("/")[2] in operations.OPERATIONS:
            return operations.application(environ, start_response)
    return django(environ, start_response)
