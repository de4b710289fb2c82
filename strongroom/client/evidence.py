"""What each answer must say before a key is believed: pure checks over signed statements, a nonce and a clock."""

import secrets
from dataclasses import dataclass
from typing import Generic, Literal

from cryptography import x509

from strongroom.client.in_force import InForce
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.jws import S
from strongroom.protocol.statements import Attestation, Endorsement, ValidationStatement
from strongroom.protocol.suites import AnyPublicKey, public_key

FRESH = 300
"""Seconds that an answer may be old."""
SKEW = 60
"""Seconds that an honest clock may be ahead."""

Subject = Literal["vendor-key", "provider-key"]
Purpose = Literal["vendor-key", "provider-key", "single-use-vendor-key"]
_SUBJECT: dict[Purpose, Subject] = {
    "vendor-key": "vendor-key",
    "single-use-vendor-key": "vendor-key",
    "provider-key": "provider-key",
}
PREFIX: dict[Subject, str] = {"vendor-key": "vk_", "provider-key": "pk_"}


@dataclass(frozen=True)
class Signed(Generic[S]):
    """A verified statement with the exact token that carried it, and the mode of its signer's certificate, if any."""

    says: S
    token: str
    mode: Mode | None = None


@dataclass(frozen=True)
class WrappingKey:
    """A public key to seal to, with a name that is bound to its bytes.

    `device` is the certified device that endorsed it, and empty for a key that the provider's engine keeps: of such a
    key only validators can speak. `expires_at`: the end of a single-use key.
    """

    key: AnyPublicKey
    key_id: str
    subject: Subject
    device: str = ""
    mode: Mode | None = None
    endorsement: Endorsement | None = None

    @property
    def expires_at(self) -> int | None:
        return self.endorsement.expires_at if self.endorsement else None


def new_nonce() -> str:
    return secrets.token_urlsafe(32)


def check_fresh(issued_at: int, now: int) -> None:
    """Raise `Refused("stale")` for an answer that is too old, or from a clock that is ahead."""
    if not now - FRESH <= issued_at <= now + SKEW:
        raise Refused("stale", "the answer's time is not now: compare the clocks")


def check_endorsement(token: str, purpose: Purpose, roots: list[x509.Certificate], now: int) -> WrappingKey:
    """The key that a certified device endorses for `purpose`, its name bound to its bytes.

    Raises `Refused`: `validation-failed`, `certificate-invalid`, `signature-invalid`, `statement-malformed`.
    """
    says, certified = verify_statement(token, Endorsement, roots, "device", now)
    subject, key = _SUBJECT[purpose], public_key(says.suite, says.public_key)
    if says.device != certified.device_id or says.purpose != purpose:
        raise Refused("validation-failed", f"an endorsement is for another device, or not of a {purpose}")
    if says.key_id != key.key_id(PREFIX[subject]):
        raise Refused("validation-failed", f"the name of the {purpose} does not belong to its bytes")
    return WrappingKey(key, says.key_id, subject, says.device, certified.mode, says)


def check_single_use(key: WrappingKey, *, import_id: str, partition: str, owner: str, now: int) -> None:
    """Raise `Refused` unless the endorsed key was made just now for exactly this import of this owner."""
    says = key.endorsement
    if says is None or (says.import_id, says.partition, says.owner) != (import_id, partition, owner):
        raise Refused("validation-failed", "the single-use key was made for another import, partition or owner")
    check_fresh(says.issued_at, now)
    if says.expires_at is None or now >= says.expires_at:
        raise Refused("stale", "the single-use key has expired")


def check_attestation(
    token: str, *, nonce: str, partition: str, owner: str, known: InForce, roots: list[x509.Certificate], now: int
) -> Signed[Attestation]:
    """The device's word on a partition, if it is that of `owner` under exactly the access list that is `known`.

    Raises `Refused`: `owner-mismatch`, `nonce-mismatch`, `stale`, `hsm-sealed`, `validation-failed`, and what
    `verify_statement` does.
    """
    says, certified = verify_statement(token, Attestation, roots, "device", now)
    # 1. It is this device's answer to this question.
    if says.nonce != nonce:
        raise Refused("nonce-mismatch", "the attestation answers another question")
    check_fresh(says.issued_at, now)
    if (says.device, says.mode) != (certified.device_id, certified.mode):
        raise Refused("validation-failed", "the attestation names another device or mode than its certificate")
    if says.state != "operational":
        raise Refused("hsm-sealed", f"the device is {says.state}")
    # 2. It speaks of this partition, and the device holds it.
    held = says.partition
    if held is None or held.partition != partition or says.device not in held.devices:
        raise Refused("validation-failed", "the attestation is not about this partition on this device")
    # 3. The owners are those whom the owner knows of, oneself among them.
    if owner not in held.owners or set(held.owners) != known.owner_fingerprints:
        raise Refused("owner-mismatch", f"the device names as owner: {', '.join(held.owners)}")
    # 4. The access list in force is exactly the one that is known.
    if (held.access_list_version, held.access_list_digest) != (known.version, known.digest):
        raise Refused("validation-failed", "the device has another access list in force than the portal says")
    return Signed(says, token, certified.mode)


def check_validation(says: ValidationStatement, key: WrappingKey, nonce: str, provider: str, now: int) -> None:
    """Raise `Refused` unless a validator vouches, now and to us, for exactly this key of this provider's device."""
    # 1. It answers this question, now.
    if says.nonce != nonce:
        raise Refused("nonce-mismatch", f"the answer of {says.validator} is to another question")
    check_fresh(says.issued_at, now)
    if now >= says.expires_at:
        raise Refused("stale", f"the answer of {says.validator} has expired")
    # 2. Key and device are in force.
    if says.status != "in-force" or says.device_status != "in-force":
        what = f"the {says.subject} is {says.status}, its device {says.device_status}"
        raise Refused("validation-failed", f"{says.validator} says: {what}")
    # 3. It speaks of exactly this key, of a device (or, of an engine's key, of no device) of this provider.
    if (says.subject, says.key_id, says.device) != (key.subject, key.key_id, key.device):
        raise Refused("validation-failed", f"{says.validator} speaks of another key or device")
    if says.public_key_digest != digest(key.key.raw):
        raise Refused("validation-failed", f"{says.validator} knows other bytes under this key's name")
    if says.provider != provider:
        raise Refused("validation-failed", f"{says.validator} names provider {says.provider!r}, not {provider!r}")
    if (says.not_before or now) > now or (says.not_after or now + 1) <= now:
        raise Refused("validation-failed", f"{says.validator} says: outside the key's validity")
