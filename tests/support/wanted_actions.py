"""For every action of the table what an officer asks for, and what a hostile portal would rather have had."""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import action_table as a
from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.statements import Endorsement
from tests.support.hardware import Card
from tests.support.sealed import SealedDevice

RULES = {"domain": 2, "security": 2, "partition": 2}
MINE = Ed25519PrivateKey.generate()
"""The portal's own key."""


def owner() -> PublicCredential:
    return public_credential(Ed25519PrivateKey.generate())


def partition(device: SealedDevice, *, doomed: bool = False) -> str:
    made = decide(device, "partition", a.DefinePartition(tenant="acme", label="main", owner=owner()))
    if doomed:
        decide(device, "partition", a.DestroyPartition(partition=made, reason="unpaid"))
    return made


def provider_key(device: SealedDevice) -> str:
    published = device.line().call(c.PublishKeys(), c.PublishKeysReply).provider_keys
    return jws.read_unverified(published[0], Endorsement).key_id


WANTED: dict[str, Callable[[SealedDevice], tuple[a.Body, a.Body]]] = {
    "partition.define": lambda _: (
        a.DefinePartition(tenant="acme", label="main", owner=owner()),
        a.DefinePartition(tenant="acme", label="main", owner=public_credential(MINE)),
    ),
    "partition.destroy": lambda device: (
        a.DestroyPartition(partition=partition(device), reason="unpaid"),
        a.DestroyPartition(partition=partition(device), reason="unpaid"),
    ),
    "partition.keep": lambda device: (
        a.KeepPartition(partition=partition(device, doomed=True)),
        a.KeepPartition(partition=partition(device, doomed=True)),
    ),
    "officers.change": lambda _: (
        a.ChangeOfficers(thresholds=RULES),
        a.ChangeOfficers(enrol=[Card("portal", "domain").enrolment()], thresholds=RULES),
    ),
    "device.seal": lambda _: (a.SealDevice(), a.RotateVendorKey()),
    "vendor-key.rotate": lambda _: (a.RotateVendorKey(), a.SealDevice()),
    "provider-key.rotate": lambda _: (
        a.RotateProviderKey(suite="HPKE-XWING"),
        a.RotateProviderKey(suite="RSA-AES-KWP"),
    ),
    "provider-key.retire": lambda device: (a.RetireProviderKey(key=provider_key(device)), a.SealDevice()),
    "limits.update": lambda _: (
        a.UpdateLimits(action_hours=100, destruction_hours=100),
        a.UpdateLimits(action_hours=720, destruction_hours=24),
    ),
    "revocation.set-bounds": lambda _: (
        a.SetRevocationBounds(shortest=5, longest=600),
        a.SetRevocationBounds(shortest=600, longest=10**9),
    ),
}


def class_of(body: a.Body) -> str:
    return a.ACTIONS[a.action_name(body)].officer_class


def decide(device: SealedDevice, kind: str, body: a.Body) -> str:
    first, second, third = device.of(kind)[:3]
    action = device.open(first, body)
    return device.execute(action, [second.approve(action), third.approve(action)])


def approved(cards: list[Card], action: bytes) -> list[str]:
    """K distinct officers' approvals."""
    return [cards[1].approve(action), cards[2].approve(action)]
