"""Statements that a device, the manufacturer or a validator signs, and that anyone can check offline."""

from typing import ClassVar, Literal

import msgspec

from strongroom.protocol.action_table import SetRevocationBounds, UpdateLimits
from strongroom.protocol.admin_actions import Officer
from strongroom.protocol.certificates import Mode
from strongroom.protocol.envelope import Origin
from strongroom.protocol.jws import Statement
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.suites import Suite

DeviceState = Literal["blank", "manufactured", "sealed", "operational"]
KeyState = Literal[
    "pre-activation", "active", "suspended", "deactivated", "compromised", "below-minimum", "destroyed", "revoked"
]
KeyStatus = Literal["in-force", "retired", "revoked", "unknown"]


class Endorsement(Statement, frozen=True, kw_only=True):
    """The identity key vouches for a public key made in the same device (with `x5c`).

    `purpose` `vendor-key` and `provider-key`: wrapping keys of `suite`, `public_key` is its raw bytes in base64url and
    `key_id` is bound to them. `single-use-vendor-key`: for one import id, partition and owner, until `expires_at`.
    `operations-key`: sealed operations are encrypted to it. `unseal-key`: a fresh key for unseal parts; `nonce` is
    then the officer's.
    """

    TYP: ClassVar[str] = "strongroom.endorsement"

    v: Literal[1] = 1
    device: str
    purpose: Literal["vendor-key", "provider-key", "single-use-vendor-key", "operations-key", "unseal-key"]
    key_id: str
    public_key: str
    suite: Suite = "HPKE-XWING"
    nonce: str = ""
    import_id: str = ""
    partition: str = ""
    owner: str = ""
    expires_at: int | None = None
    issued_at: int


class PartitionEvidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the device says of a partition: who owns it, and which access list is in force (version 0: none yet)."""

    partition: str
    owners: list[str]
    access_list_version: int
    access_list_digest: str
    devices: list[str]
    defined_by: str


class Attestation(Statement, frozen=True, kw_only=True):
    """The device's answer to a fresh nonce (evidence in the sense of RFC 9334), signed by the identity key with `x5c`.

    `measurement` is the digest of the sealed process's software; an emulator computes it itself (README, limits).
    `last_checkpoint` is the digest of the newest checkpoint that the device signed for the partition, or empty.
    """

    TYP: ClassVar[str] = "strongroom.attestation"

    v: Literal[1] = 1
    nonce: str
    device: str
    mode: Mode
    kind: Literal["emulator"] = "emulator"
    state: DeviceState
    world: str
    officer_epoch: int
    measurement: str
    boot_epoch: int
    vendor_keys: list[str]
    provider_keys: list[str]
    partition: PartitionEvidence | None
    last_checkpoint: str
    issued_at: int


class ValidationStatement(Statement, frozen=True, kw_only=True):
    """A validator's answer to a fresh nonce about one key: the manufacturer's (`x5c`), the provider's, a third party's.

    `device` is empty for a provider key that the provider's engine keeps; `first_seen` is what a third party adds.
    """

    TYP: ClassVar[str] = "strongroom.validation"

    v: Literal[1] = 1
    validator: str
    subject: Literal["vendor-key", "provider-key"]
    key_id: str
    public_key_digest: str
    device: str
    device_status: KeyStatus
    provider: str
    status: KeyStatus
    not_before: int | None
    not_after: int | None
    nonce: str
    issued_at: int
    expires_at: int
    first_seen: int | None = None


class Receipt(Statement, frozen=True, kw_only=True):
    """The device's word that a key is in a partition under the customer's own terms (with `x5c`).

    `public_key` is a SubjectPublicKeyInfo in PEM for key pairs, else empty; `check_value` is for symmetric keys the
    first 6 hexadecimal digits of AES-ECB over a zero block, or of an HMAC key's SHA-1 (PKCS#11 `CKA_CHECK_VALUE`), else
    empty. `log_position` is the number of the import's entry on the partition's administrative lane. `origin` is the
    header's: whether the key came in the envelope, was made in the device, or is that of the version before.
    """

    TYP: ClassVar[str] = "strongroom.receipt"

    v: Literal[1] = 1
    import_id: str
    key_id: str
    name: str
    version: int
    origin: Origin = "imported"
    key_type: KeyType
    public_key: str
    check_value: str
    terms_digest: str
    header_digest: str
    tenant: str
    partition: str
    owner: str
    device: str
    log_position: int
    imported_at: int


class LaneHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a lane's chain of a partition is, and its newest head (64 hexadecimal digits)."""

    count: int
    head: str


class Checkpoint(Statement, frozen=True, kw_only=True):
    """Every lane's count and head of one partition's log at one moment, over the asker's nonce (with `x5c`)."""

    TYP: ClassVar[str] = "strongroom.checkpoint"

    v: Literal[1] = 1
    device: str
    world: str
    partition: str
    boot_epoch: int
    lanes: dict[str, LaneHead]
    nonce: str
    issued_at: int


class CeremonyTranscript(Statement, frozen=True, kw_only=True):
    """What an initialisation made: signed by the identity key with `x5c`. `officers` maps a card to its class."""

    TYP: ClassVar[str] = "strongroom.ceremony"

    v: Literal[1] = 1
    device: str
    mode: Mode
    world: str
    officers: dict[str, str]
    thresholds: dict[str, int]
    measurement: str
    issued_at: int


class Roster(Statement, frozen=True, kw_only=True):
    """The officers enrolled in a world at an officer epoch, how many of each class must approve, and what else officers
    have in force (with `x5c`).
    """

    TYP: ClassVar[str] = "strongroom.roster"

    v: Literal[1] = 1
    device: str
    world: str
    epoch: int
    officers: list[Officer]
    thresholds: dict[str, int]
    limits: UpdateLimits
    revocation_bounds: SetRevocationBounds
    issued_at: int
