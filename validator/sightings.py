"""What a source shows of one key, and whether to believe it: pure checks over signed statements and a clock.

A source is believed about a key only where the key's id is bound to its bytes, a certified device endorses it (or, for
a provider key, the provider's engine keeps it), and the source's signed word says the same. What is not believed is
still compared with what was seen before.
"""

from typing import Literal

import msgspec
from cryptography import x509

from strongroom.protocol import jws, suites
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement, KeyStatus, ValidationStatement

Subject = Literal["vendor-key", "provider-key"]
_PREFIX = {"vendor-key": "vk_", "provider-key": "pk_"}
_LAST_MOMENT = 2**40


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One key as a source shows it. `device` or `provider` is empty where the source does not say.

    `doubt` says why it is not believed; it is empty where it is.
    """

    subject: Subject
    key_id: str
    public_key_digest: str
    device: str = ""
    provider: str = ""
    single_use: bool = False
    status: KeyStatus = "unknown"
    device_status: KeyStatus = "unknown"
    not_before: int | None = None
    not_after: int | None = None
    doubt: str = ""


class EngineKey(msgspec.Struct, frozen=True, kw_only=True):
    """A provider key that the provider's engine keeps, as GET trust shows it; no device endorses it."""

    key_id: str
    suite: str
    public_key: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is published, with the hierarchy of the device that endorses it; an engine's key has neither."""

    sighting: Sighting
    mode: Mode | None = None


def endorsed(token: str, subject: Subject, roots: list[x509.Certificate], now: int) -> Claim:
    """The key of an endorsement, doubted unless a certified device vouches for it and its id is that of its bytes.

    Raises `Refused` where it cannot even be read.
    """
    says = jws.read_unverified(token, Endorsement)
    sighting = Sighting(
        subject=subject,
        key_id=says.key_id,
        public_key_digest=digest(from_b64u(says.public_key)),
        device=says.device,
        single_use=says.purpose == "single-use-vendor-key",
        not_after=says.expires_at,
    )
    try:
        _, certified = verify_statement(token, Endorsement, roots, "device", now)
        if says.device != certified.device_id:
            raise Refused("signature-invalid", "the endorsement names another device than its signer")
        if says.purpose.removeprefix("single-use-") != subject:
            raise Refused("statement-malformed", f"not an endorsement of a {subject}")
        _check_id(says.key_id, subject, says.suite, says.public_key)
    except Refused as refused:
        return Claim(sighting=doubted(sighting, str(refused)))
    return Claim(sighting=sighting, mode=certified.mode)


def kept_by_engine(key: EngineKey) -> Claim:
    """An engine's key, doubted unless its id is that of its bytes. Raises `Refused` where it cannot be read."""
    sighting = Sighting(subject="provider-key", key_id=key.key_id, public_key_digest=digest(from_b64u(key.public_key)))
    try:
        _check_id(key.key_id, "provider-key", key.suite, key.public_key)
    except Refused as refused:
        return Claim(sighting=doubted(sighting, str(refused)))
    return Claim(sighting=sighting)


def confirmed(claim: Claim, says: ValidationStatement) -> list[Sighting]:
    """The claim with what its source signed of it. Where the two contradict each other, both, and both are doubted."""
    shown = claim.sighting
    stated = Sighting(
        subject=says.subject,
        key_id=says.key_id,
        public_key_digest=says.public_key_digest,
        device=says.device,
        provider=says.provider,
        single_use=shown.single_use,
        status=says.status,
        device_status=says.device_status,
        not_before=says.not_before,
        not_after=says.not_after,
    )
    if "unknown" in (says.status, says.device_status):
        return [doubted(shown, "published, and unknown to its own source")]
    if not all(0 <= moment <= _LAST_MOMENT for moment in (says.not_before or 0, says.not_after or 0)):
        return [doubted(shown, "its validity is of no time")]
    if (shown.public_key_digest, shown.device) != (stated.public_key_digest, stated.device):
        doubt = "what is published and what is signed are different"
        return [doubted(one, doubt) for one in (shown, stated)]
    return [stated]


def doubted(sighting: Sighting, why: str) -> Sighting:
    return msgspec.structs.replace(sighting, doubt=why)


def _check_id(key_id: str, subject: Subject, suite: str, public_key: str) -> None:
    if suites.public_key(suite, public_key).key_id(_PREFIX[subject]) != key_id:
        raise Refused("malformed", "the key id does not belong to the key")
