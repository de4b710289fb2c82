"""Telling the manufacturer of the device's vendor keys, so that it and whoever watches it can vouch for them.

The endorsement is the device's own word and the manufacturer checks it: the provider is only the messenger.
"""

import logging
import ssl

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from strongroom.protocol.errors import Refused
from tee.models import PublishedStatus, VendorKey

TIMEOUT = 5.0

logger = logging.getLogger(__name__)


def list_vendor_keys() -> None:
    """List every vendor key in force with the manufacturer. What is listed already stays as it is.

    Nothing is done where `STRONGROOM_MANUFACTURER_URL` is not set. Raises `Refused("unavailable")`.
    """
    if not settings.MANUFACTURER_URL:
        return
    in_force = VendorKey.objects.using("provider").filter(status=PublishedStatus.IN_FORCE)
    with httpx.Client(base_url=settings.MANUFACTURER_URL, verify=_pinned(), timeout=TIMEOUT) as manufacturer:
        for key in in_force:
            try:
                answer = manufacturer.post("/v1/vendor-keys", json={"endorsement": key.endorsement})
            except httpx.RequestError as error:
                raise Refused("unavailable", f"the manufacturer does not answer: {type(error).__name__}") from None
            if not answer.is_success:
                raise Refused("unavailable", f"the manufacturer answers {answer.status_code} for {key.key_id}")
            if answer.status_code == httpx.codes.CREATED:
                logger.info("The manufacturer has listed vendor key %s", key.key_id)


def try_to_list_vendor_keys() -> None:
    """As `list_vendor_keys`, for whoever has other things to do: it is tried again on a schedule."""
    try:
        list_vendor_keys()
    except Refused as refused:
        logger.warning("Vendor keys are not listed: %s", refused.detail)


def _pinned() -> ssl.SSLContext:
    """TLS that trusts the manufacturer's one certificate alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=settings.MANUFACTURER_TLS_FILE)
    except OSError as error:
        raise ImproperlyConfigured(f"STRONGROOM_MANUFACTURER_TLS_FILE: {error.strerror or error}") from None
    return context
