"""What officers are told of a device beside its state: what is the matter with it, and where else its keys are."""

from dataclasses import dataclass
from datetime import timedelta

from portal.pages.selectors import published
from strongroom.protocol.commands import StatusReply
from tee.models import Device, ProviderKey, PublishedStatus, VendorKey

LATE = timedelta(minutes=1)
"""The log is copied every second."""


@dataclass(frozen=True)
class DeviceSeen:
    """A registered device with all keys that it has published.

    `running` is what it says of itself now (None: it does not answer, or another device answers in its place),
    `troubles` what somebody should see after, a sentence each, and `beside` the other devices of its world.
    """

    device: Device
    vendor_keys: list[VendorKey]
    provider_keys: list[ProviderKey]
    running: StatusReply | None
    troubles: list[str]
    beside: list[Device]


def devices_seen(status: StatusReply | None, lag: timedelta | None) -> list[DeviceSeen]:
    """`status`: of the device that answers this portal, or None; `lag`: how old the copy of its log may be."""
    rows = published()
    seen = []
    for device, vendor_keys, provider_keys in rows:
        running = status if status and status.device == device.device_id else None
        beside = [one for one, _, _ in rows if one.world == device.world and one != device]
        troubles = _of_device(running, lag) + _of_keys(vendor_keys, provider_keys)
        seen.append(DeviceSeen(device, vendor_keys, provider_keys, running, troubles, beside))
    return seen


def _of_device(running: StatusReply | None, lag: timedelta | None) -> list[str]:
    found = []
    if running is None:
        found.append("It does not answer this portal: no key of it can be used.")
    elif running.state != "operational":
        found.append(f"It is {running.state}: no key of it can be used until it is operational.")
    elif not running.workers:
        found.append("None of its workers runs: no operation is done.")
    if lag is None:
        found.append("No copy of its log has been made yet: see that the workers and beat run.")
    elif lag > LATE:
        found.append("The copy of its log is late: see that the workers and beat run.")
    return found


def _of_keys(vendor_keys: list[VendorKey], provider_keys: list[ProviderKey]) -> list[str]:
    return [
        f"It offers no {kind} that is in force: nobody can import."
        for kind, keys in (("vendor key", vendor_keys), ("provider key", provider_keys))
        if not any(one.status == PublishedStatus.IN_FORCE for one in keys)
    ]
