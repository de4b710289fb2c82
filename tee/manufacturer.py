"""The manufacturer's service as the provider reaches it: over TLS that its one certificate alone proves."""

import ssl

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from strongroom.protocol.errors import CATALOGUE, Refused

TIMEOUT = 5.0


def validate_vendor_key(*, key_id: str, nonce: str, mode: str) -> str:
    """The manufacturer's `ValidationStatement` on a vendor key, passed on as it is: its asker checks it.

    Raises `Refused`: `unavailable`, or the manufacturer's own refusal.
    """
    if not settings.MANUFACTURER_URL:
        raise Refused("unavailable", "this portal is not told where the manufacturer is; ask it with the command")
    question = {"nonce": nonce, "subject": "vendor-key", "key_id": key_id, "mode": mode}
    with connect() as service:
        answer = post(service, "/v1/validation", question)
    try:
        said = answer.json()
        if answer.is_success:
            return str(said["statement"])
        code = said["code"]
    except (ValueError, KeyError, TypeError):
        code = ""
    raise Refused(code if code in CATALOGUE else "unavailable", f"the manufacturer answers {answer.status_code}")


def connect() -> httpx.Client:
    return httpx.Client(base_url=settings.MANUFACTURER_URL, verify=_pinned(), timeout=TIMEOUT)


def post(service: httpx.Client, path: str, body: dict[str, str]) -> httpx.Response:
    """Raises `Refused("unavailable")` where there is no answer."""
    try:
        return service.post(path, json=body)
    except httpx.RequestError as error:
        raise Refused("unavailable", f"the manufacturer does not answer: {type(error).__name__}") from None


def _pinned() -> ssl.SSLContext:
    """TLS that trusts the manufacturer's one certificate alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=settings.MANUFACTURER_TLS_FILE)
    except OSError as error:
        raise ImproperlyConfigured(f"STRONGROOM_MANUFACTURER_TLS_FILE: {error.strerror or error}") from None
    return context
