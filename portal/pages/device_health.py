"""What officers are told of a device beside its state: what is the matter with it, and where else its keys are."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from portal.pages.selectors import published
from portal.quorum.selectors import ALIAS
from strongroom.protocol import jws
from strongroom.protocol.commands import Attest, AttestReply, StatusReply
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation
from tee.drivers import secure_module
from tee.models import Device, ProviderKey, PublishedStatus, VendorKey
from tenants.models import Partition

LATE = timedelta(minutes=1)
"""The log is copied every second."""


@dataclass(frozen=True)
class DeviceSeen:
    """A registered device with all keys that it has published.

    `running` is what it says of itself now (None: it does not answer, or another device answers in its place),
    `troubles` what somebody should see after, a sentence each, `beside` the other devices of its world, and `holders`
    the devices that it names as those which have a partition (none where there is no partition, or no answer).
    """

    device: Device
    vendor_keys: list[VendorKey]
    provider_keys: list[ProviderKey]
    running: StatusReply | None
    troubles: list[str]
    beside: list[Device]
    holders: list[str]

    @property
    def alone(self) -> bool:
        """Whether the device says itself that nobody else has what it has."""
        return self.holders == [self.device.device_id]


@dataclass(frozen=True)
class Health:
    """A registered device, what is the matter with it (`troubles`), and whether its keys can be used (`serves`)."""

    device: Device
    troubles: list[str]
    serves: bool


def health(status: StatusReply | None, lag: timedelta | None) -> list[Health]:
    """As `devices_seen`, without asking the device for anything."""
    found = []
    for device, vendor_keys, provider_keys in published():
        running = status if status and status.device == device.device_id else None
        troubles = _of_device(running, lag) + _of_keys(vendor_keys, provider_keys)
        found.append(Health(device, troubles, running is not None and running.state == "operational"))
    return found


def devices_seen(status: StatusReply | None, lag: timedelta | None) -> list[DeviceSeen]:
    """`status`: of the device that answers this portal, or None; `lag`: how old the copy of its log may be."""
    rows = published()
    seen = []
    for device, vendor_keys, provider_keys in rows:
        running = status if status and status.device == device.device_id else None
        beside = [one for one, _, _ in rows if one.world == device.world and one != device]
        troubles = _of_device(running, lag) + _of_keys(vendor_keys, provider_keys)
        holders = _holders() if running and running.state == "operational" else []
        seen.append(DeviceSeen(device, vendor_keys, provider_keys, running, troubles, beside, holders))
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


def _holders() -> list[str]:
    """Of one partition, as the device attests it now: it holds all partitions alike."""
    partition = Partition.objects.using(ALIAS).filter(status=Partition.Status.DEFINED).first()
    if partition is None:
        return []
    command = Attest(nonce=secrets.token_urlsafe(24), partition=partition.partition_id or "")
    try:
        said = secure_module().call(command, AttestReply).attestation
    except Refused:
        return []
    found = jws.read_unverified(said, Attestation).partition
    return found.devices if found else []


def _of_keys(vendor_keys: list[VendorKey], provider_keys: list[ProviderKey]) -> list[str]:
    return [
        f"It offers no {kind} that is in force: nobody can import."
        for kind, keys in (("vendor key", vendor_keys), ("provider key", provider_keys))
        if not any(one.status == PublishedStatus.IN_FORCE for one in keys)
    ]
