"""Whether this process lives, and whether what it needs does."""

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from strongroom.protocol.errors import Refused
from tee import selectors


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 if database and device are ready for operations, else 503; either way with the state of each."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = "ok"
    except Error:
        database = "unavailable"
    try:
        device = selectors.device_state()
    except Refused as error:
        device = error.code
    ready = database == "ok" and device == "operational"
    return JsonResponse({"database": database, "device": device}, status=200 if ready else 503)
