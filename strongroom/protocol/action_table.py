"""What officers can do: the bodies of administrative actions, and the one table of them.

The dispatcher in the TEE, the portal's forms, the officers' command, the documents and the tests all read `ACTIONS`. No
action changes a partition's access list or exports a key.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.security_keys import SecurityKey
from strongroom.protocol.suites import Suite

OfficerClass = Literal["domain", "security", "partition"]
OFFICER_CLASSES: tuple[OfficerClass, ...] = ("domain", "security", "partition")
Words = list[tuple[str, Any]]
Credential = PublicCredential | SecurityKey
"""A card's: it signs statements, or is a FIDO2 security key, which does nothing but approve partition actions."""


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A body's tag is its action's name."""


class OfficerEnrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A card as it comes to be enrolled: `sealing_key` is the card's recipient public key, for its unseal part.

    A security key has none.
    """

    name: str
    officer_class: OfficerClass
    credential: Credential
    sealing_key: str


class DefinePartition(_Body, frozen=True, kw_only=True, tag="partition.define"):
    """The owner's public key is the customer's; the TEE makes the partition's id of it."""

    tenant: str
    label: str
    owner: PublicCredential


class DestroyPartition(_Body, frozen=True, kw_only=True, tag="partition.destroy"):
    """Erase every key of a partition: at once with the owner's signed `consent`, else after the waiting time."""

    partition: str
    reason: str
    consent: str = ""


class KeepPartition(_Body, frozen=True, kw_only=True, tag="partition.keep"):
    """Cancel a destruction that is waiting. The owner can, too, without any officer."""

    partition: str


class ChangeOfficers(_Body, frozen=True, kw_only=True, tag="officers.change"):
    """Enrol cards, retire cards (by fingerprint), and say what K of each class is from then on.

    Whoever loses a card is enrolled with a new one and the old one is retired, in one action. Where security officers
    or their K change, the unseal secret is made anew and shared among them; older parts open nothing any more.
    """

    enrol: list[OfficerEnrolment] = []
    retire: list[str] = []
    thresholds: dict[str, int]


class SealDevice(_Body, frozen=True, kw_only=True, tag="device.seal"):
    """The device forgets the world key until K security officers unseal it again."""


class RotateVendorKey(_Body, frozen=True, kw_only=True, tag="vendor-key.rotate"):
    """A new vendor key comes into force, the one before is retired."""


class RotateProviderKey(_Body, frozen=True, kw_only=True, tag="provider-key.rotate"):
    """As above, for the provider key of `suite` that the TEE keeps; where none is in force, one is made."""

    suite: Suite


class RetireProviderKey(_Body, frozen=True, kw_only=True, tag="provider-key.retire"):
    """Retire a provider key of the TEE's without a successor."""

    key: str


class UpdateLimits(_Body, frozen=True, kw_only=True, tag="limits.update"):
    """How long an action can be approved, and how long a partition's destruction without its owner waits."""

    action_hours: int
    destruction_hours: int


class SetRevocationBounds(_Body, frozen=True, kw_only=True, tag="revocation.set-bounds"):
    """The intervals, in seconds, that revocation terms of keys to come may have."""

    shortest: int
    longest: int


Body = (
    DefinePartition
    | DestroyPartition
    | KeepPartition
    | ChangeOfficers
    | SealDevice
    | RotateVendorKey
    | RotateProviderKey
    | RetireProviderKey
    | UpdateLimits
    | SetRevocationBounds
)


class ActionKind(NamedTuple):
    """One row: the class whose officers approve, the body, and what an action of it does, in words."""

    officer_class: OfficerClass
    body: type[_Body]
    words: Callable[[Any], Words]


def _define(body: DefinePartition) -> Words:
    return [
        ("What", f"define a partition for tenant {body.tenant!r}, labelled {body.label!r}"),
        ("Owner fingerprint", body.owner.fingerprint),
    ]


def _destroy(body: DestroyPartition) -> Words:
    when = "at once, as its owner signed" if body.consent else "after the waiting time, unless it is cancelled"
    return [("What", f"destroy partition {body.partition} with every key in it, {when}"), ("Reason", body.reason)]


def _change_officers(body: ChangeOfficers) -> Words:
    enrolled = [
        ("Enrol", f"{one.name} as {one.officer_class} officer, {_kind(one.credential)} {one.credential.fingerprint}")
        for one in body.enrol
    ]
    rules = ", ".join(f"{name} {body.thresholds[name]}" for name in sorted(body.thresholds))
    return [
        ("What", "change the officers of the world"),
        *enrolled,
        *[("Retire card", card) for card in body.retire],
        ("Approvals needed from then on", rules),
    ]


def _kind(credential: Credential) -> str:
    return f"security key at {credential.origin}," if isinstance(credential, SecurityKey) else "card"


def _one(text: str) -> Callable[[Any], Words]:
    return lambda body: [("What", text.format(body=body))]


ACTIONS: dict[str, ActionKind] = {
    "partition.define": ActionKind("partition", DefinePartition, _define),
    "partition.destroy": ActionKind("partition", DestroyPartition, _destroy),
    "partition.keep": ActionKind(
        "partition", KeepPartition, _one("cancel the waiting destruction of partition {body.partition}")
    ),
    "officers.change": ActionKind("domain", ChangeOfficers, _change_officers),
    "device.seal": ActionKind(
        "security", SealDevice, _one("seal the device: nothing works until security officers unseal it")
    ),
    "vendor-key.rotate": ActionKind(
        "security", RotateVendorKey, _one("make a new vendor key and retire the one in force")
    ),
    "provider-key.rotate": ActionKind(
        "security",
        RotateProviderKey,
        _one("make a new provider key of suite {body.suite} in the device and retire the one in force"),
    ),
    "provider-key.retire": ActionKind(
        "security", RetireProviderKey, _one("retire the device's provider key {body.key} without a successor")
    ),
    "limits.update": ActionKind(
        "security",
        UpdateLimits,
        _one(
            "let actions be approved for {body.action_hours} hours, "
            "and destructions without the owner wait for {body.destruction_hours} hours"
        ),
    ),
    "revocation.set-bounds": ActionKind(
        "security",
        SetRevocationBounds,
        _one("let keys to come have revocation intervals of {body.shortest} to {body.longest} seconds"),
    ),
}


def action_name(body: Body) -> str:
    """The action that a body belongs to: its tag."""
    return str(body.__struct_config__.tag)


def words(body: Body) -> Words:
    """What an action of this body does, in words."""
    return ACTIONS[action_name(body)].words(body)
