"""The life of the device: identity, ceremony, unsealing, and what it says of itself."""

from typing import Literal

import msgspec

from strongroom.protocol.action_table import OfficerEnrolment
from strongroom.protocol.commands.calling import Command


class Status(Command, frozen=True, kw_only=True):
    NAME = "status"


class StatusReply(msgspec.Struct, frozen=True, kw_only=True):
    """`unseal_cards`: security cards and whose they are; `unseal_given`: officers whose parts the device has.

    `unseal_wait`: seconds until it takes a part again.
    """

    state: Literal["blank", "manufactured", "sealed", "operational"]
    mode: str
    device: str
    world: str
    boot_epoch: int
    unseal_progress: int
    unseal_threshold: int
    unseal_cards: dict[str, str] = {}
    unseal_given: list[str] = []
    unseal_wait: int = 0
    workers: list[int]
    version: str


class MakeIdentity(Command, frozen=True, kw_only=True):
    """Make device secret and identity key. The mode is what the certificate will say; asked again, the same CSR."""

    NAME = "device.make-identity"


class MakeIdentityReply(msgspec.Struct, frozen=True):
    csr: str


class InstallCertificate(Command, frozen=True, kw_only=True):
    """PEM of the device certificate and of the root that issued it."""

    NAME = "device.install-certificate"
    certificate: str
    root: str


class Initialise(Command, frozen=True, kw_only=True):
    """The ceremony: enrol officers, make world key, vendor key and provider key, split the unseal secret."""

    NAME = "ceremony.initialise"
    officers: list[OfficerEnrolment]
    thresholds: dict[str, int]


class InitialiseReply(msgspec.Struct, frozen=True):
    """`parts`: for each security card (by fingerprint) its unseal part, sealed to the card's key
    with `unseal_part_info(world, fingerprint)`; `transcript` is a signed `CeremonyTranscript`."""

    world: str
    parts: dict[str, bytes]
    transcript: str


class BeginUnseal(Command, frozen=True, kw_only=True):
    """Ask for a fresh unseal key, endorsed over the officer's nonce."""

    NAME = "unseal.begin"
    nonce: str


class BeginUnsealReply(msgspec.Struct, frozen=True):
    endorsement: str


class GiveUnsealPart(Command, frozen=True, kw_only=True):
    """One officer's part, sealed to the fresh key `key_id` with `unseal_part_info(world, card, key_id)`."""

    NAME = "unseal.give-part"
    key_id: str
    card: str
    part: bytes


class GiveUnsealPartReply(msgspec.Struct, frozen=True):
    progress: int
    threshold: int
    state: str


def unseal_part_info(world: str, card: str, key_id: str = "") -> bytes:
    """HPKE `info` for an unseal part: on its way to a card (no `key_id`), or to the device."""
    return b"\x00".join([b"strongroom-unseal-part-1", world.encode(), card.encode(), key_id.encode()])


class PublishKeys(Command, frozen=True, kw_only=True):
    NAME = "keys.publish"


class PublishKeysReply(msgspec.Struct, frozen=True):
    """Signed `Endorsement`s of the wrapping keys and operations keys in force, with the device certificate in PEM."""

    device: str
    certificate: str
    vendor_keys: list[str]
    provider_keys: list[str]
    operations_keys: list[str] = []


class Attest(Command, frozen=True, kw_only=True):
    NAME = "attest"
    nonce: str
    partition: str = ""


class AttestReply(msgspec.Struct, frozen=True):
    attestation: str


class SessionRequest(Command, frozen=True, kw_only=True):
    """Admin lane: the session in which `signed` instructions are accepted now."""

    NAME = "session"


class SessionReply(msgspec.Struct, frozen=True):
    session: str
    device: str
