"""Telling the manufacturer of the device's vendor keys, so that it and whoever watches it can vouch for them.

The endorsement is the device's own word and the manufacturer checks it: the provider is only the messenger.
"""

import logging

import httpx
from django.conf import settings

from strongroom.protocol.errors import Refused
from tee import manufacturer
from tee.models import PublishedStatus, VendorKey

logger = logging.getLogger(__name__)


def list_vendor_keys() -> None:
    """List every vendor key in force with the manufacturer. What is listed already stays as it is.

    Nothing is done where `STRONGROOM_MANUFACTURER_URL` is not set. Raises `Refused("unavailable")`.
    """
    if not settings.MANUFACTURER_URL:
        return
    in_force = VendorKey.objects.using("provider").filter(status=PublishedStatus.IN_FORCE)
    with manufacturer.connect() as service:
        for key in in_force:
            answer = manufacturer.post(service, "/v1/vendor-keys", {"endorsement": key.endorsement})
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
