"""Everything that was said before a key is encrypted, and the one place where it is judged. No network.

A dossier is gathered by `trust` and judged at once; or it is saved, carried to a machine without a network, and judged
there against that machine's own trust anchors.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec
from cryptography import x509

from strongroom.client.evidence import (
    PREFIX,
    SKEW,
    Signed,
    Subject,
    WrappingKey,
    check_attestation,
    check_endorsement,
    check_single_use,
    check_validation,
)
from strongroom.client.in_force import AccessAnswer, check_in_force
from strongroom.client.routes import Route
from strongroom.protocol import jws
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import digest
from strongroom.protocol.envelope import Transport, Validation
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation, KeyStatus, ValidationStatement
from strongroom.protocol.suites import Suite, public_key

MANUFACTURER, PROVIDER = "manufacturer", "provider"
THIRD_PARTY = "validator:"


class EngineKey(msgspec.Struct, frozen=True, kw_only=True):
    """A provider key that the provider's engine keeps, as the portal publishes it: not believed unchecked."""

    key_id: str
    suite: Suite
    public_key: str
    status: KeyStatus
    not_before: int | None = None
    not_after: int | None = None


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was asked of whom, and the signed answer. `who`: `manufacturer`, `provider` or `validator:NAME`."""

    who: str
    subject: Subject
    nonce: str
    statement: str


class Dossier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All answers with the nonces that they must carry. Nothing in it is believed until `judge` has seen it."""

    v: Literal[1] = 1
    saved_at: int
    transport: Transport
    suite: Suite
    partition: str = ""
    import_id: str = ""
    access: AccessAnswer | None = None
    attestation_nonce: str = ""
    attestation: str = ""
    vendor_key: str
    provider_key: str = ""
    engine_key: EngineKey | None = None
    answers: list[Answer]


@dataclass(frozen=True)
class Anchors:
    """What this folder itself trusts, got out of band: against it alone a dossier is judged.

    `required`: who must have vouched, as the policy says. `own`, `kept`: this owner, and the last access list seen.
    """

    roots: list[x509.Certificate]
    provider: str
    provider_validation: PublicCredential
    third_parties: dict[str, PublicCredential]
    required: tuple[str, ...]
    own: PublicCredential | None
    kept: str


@dataclass(frozen=True)
class Evidence:
    """What was validated; `attestation` is absent where no partition was asked about."""

    mode: Mode
    device: str
    vendor_key: WrappingKey
    provider_key: WrappingKey | None
    answers: list[Signed[ValidationStatement]]
    attestation: Signed[Attestation] | None
    dossier: Dossier

    def validations(self) -> list[Validation]:
        """The evidence in the form that the header of an import carries."""
        found = [
            Validation(
                validator=one.says.validator,
                subject=one.says.subject,
                status=one.says.status,
                statement_digest=digest(one.token.encode()),
                issued_at=one.says.issued_at,
            )
            for one in self.answers
        ]
        if self.attestation:
            found.append(
                Validation(
                    validator=self.attestation.says.device,
                    subject="partition",
                    status=self.attestation.says.state,
                    statement_digest=digest(self.attestation.token.encode()),
                    issued_at=self.attestation.says.issued_at,
                )
            )
        return found


def judge(dossier: Dossier, route: Route, anchors: Anchors, now: int) -> Evidence:
    """The evidence, if everyone who must vouch does, of the keys of exactly this route.

    Raises `Refused`: `validation-failed`, `owner-mismatch`, `nonce-mismatch`, `stale`, `certificate-invalid`,
    `signature-invalid`, `hsm-sealed`, and what `check_in_force` does.
    """
    # 1. It is about what was asked for.
    if (dossier.transport, dossier.suite) != (route.transport, route.suite):
        raise Refused("validation-failed", f"this is for transport {dossier.transport} and suite {dossier.suite}")
    # 2. The partition's device attests that the partition is ours, under the access list that its owner signed.
    attestation = _check_partition(dossier, anchors, now) if dossier.partition else None
    # 3. Vendor key and provider key are the device's, or the engine's, and are of the suite.
    vendor = _vendor_key(dossier, route, anchors, now)
    provider = _provider_key(dossier, route, anchors, now)
    _check_device(attestation, vendor, provider)
    # 4. Everyone who must vouch does, of each key that they can know, and says it once.
    if len({(one.who, one.subject) for one in dossier.answers}) != len(dossier.answers):
        raise Refused("validation-failed", "one validator answers twice about the same key")
    answers = [
        _check_answer(dossier, who, key, anchors, now)
        for who in anchors.required
        for key in (vendor, provider)
        if key is not None and knows(who, key.subject)
    ]
    # 5. All agreed.
    if vendor.mode is None:
        raise Refused("validation-failed", "the vendor key's device has no mode")
    return Evidence(vendor.mode, vendor.device, vendor, provider, answers, attestation, dossier)


def knows(who: str, subject: Subject) -> bool:
    """Whether a validator can know of a kind of key: manufacturer and provider know their own, third parties both."""
    return {MANUFACTURER: subject == "vendor-key", PROVIDER: subject == "provider-key"}.get(who, True)


def _check_partition(dossier: Dossier, anchors: Anchors, now: int) -> Signed[Attestation]:
    if anchors.own is None or dossier.access is None:
        raise Refused("configuration", "the owner's public credential is needed here to know its partition")
    known = check_in_force(dossier.access, partition=dossier.partition, own=anchors.own, kept=anchors.kept)
    return check_attestation(
        dossier.attestation,
        nonce=dossier.attestation_nonce,
        partition=dossier.partition,
        owner=anchors.own.fingerprint,
        known=known,
        roots=anchors.roots,
        now=now,
    )


def _vendor_key(dossier: Dossier, route: Route, anchors: Anchors, now: int) -> WrappingKey:
    if not route.single_use:
        return _of_suite(check_endorsement(dossier.vendor_key, "vendor-key", anchors.roots, now), route)
    key = check_endorsement(dossier.vendor_key, "single-use-vendor-key", anchors.roots, now)
    owner = anchors.own.fingerprint if anchors.own else ""
    check_single_use(key, import_id=dossier.import_id, partition=dossier.partition, owner=owner, now=now)
    return _of_suite(key, route)


def _provider_key(dossier: Dossier, route: Route, anchors: Anchors, now: int) -> WrappingKey | None:
    if route.transport == "channel":
        return None
    if route.transport == "tee":
        return _of_suite(check_endorsement(dossier.provider_key, "provider-key", anchors.roots, now), route)
    says = dossier.engine_key
    if says is None:
        raise Refused("validation-failed", "there is no key of the provider's engine")
    key = WrappingKey(public_key(says.suite, says.public_key), says.key_id, "provider-key")
    if says.key_id != key.key.key_id(PREFIX["provider-key"]):
        raise Refused("validation-failed", "the name of the engine's key does not belong to its bytes")
    if says.status != "in-force" or (says.not_before or now) > now or (says.not_after or now + 1) <= now:
        raise Refused("validation-failed", "the engine's key is not in force")
    return _of_suite(key, route)


def _of_suite(key: WrappingKey, route: Route) -> WrappingKey:
    if key.key.suite != route.suite:
        raise Refused("validation-failed", f"the {key.subject} is of suite {key.key.suite}, not {route.suite}")
    return key


def _check_device(attested: Signed[Attestation] | None, vendor: WrappingKey, provider: WrappingKey | None) -> None:
    """Both keys are of one device, which has those in force that live longer than one import."""
    if provider and provider.device not in ("", vendor.device):
        raise Refused("validation-failed", "vendor key and provider key are of different devices")
    if attested is None:
        return
    says = attested.says
    if vendor.device != says.device:
        raise Refused("validation-failed", "the vendor key is of another device than the partition's")
    if vendor.expires_at is None and vendor.key_id not in says.vendor_keys:
        raise Refused("validation-failed", "the device does not have this vendor key in force")
    if provider and provider.device and provider.key_id not in says.provider_keys:
        raise Refused("validation-failed", "the device does not have this provider key in force")


def _check_answer(
    dossier: Dossier, who: str, key: WrappingKey, anchors: Anchors, now: int
) -> Signed[ValidationStatement]:
    answer = next((one for one in dossier.answers if (one.who, one.subject) == (who, key.subject)), None)
    if answer is None:
        raise Refused("validation-failed", f"{who} must vouch for the {key.subject}, and did not")
    try:
        return _check_statement(answer, who, key, anchors, now)
    except Refused as refusal:
        said = refusal.detail or refusal.problem.sentence
        if refusal.code == "signature-invalid":
            said = "its answer is not signed by the key that is trusted for it here"
        raise Refused(refusal.code, f"{who}: {said}") from None


def _check_statement(
    answer: Answer, who: str, key: WrappingKey, anchors: Anchors, now: int
) -> Signed[ValidationStatement]:
    mode = None
    if who == MANUFACTURER:
        says, certified = verify_statement(answer.statement, ValidationStatement, anchors.roots, "statement", now)
        mode = certified.mode
        if mode != key.mode:
            raise Refused("validation-failed", "the manufacturer answered for another mode than the device's")
    elif who == PROVIDER:
        says = jws.verify(answer.statement, ValidationStatement, anchors.provider_validation.public_key())
    else:
        says = _third_party_says(answer.statement, who.removeprefix(THIRD_PARTY), anchors, now)
    check_validation(says, key, answer.nonce, anchors.provider, now)
    return Signed(says, answer.statement, mode)


def _third_party_says(statement: str, name: str, anchors: Anchors, now: int) -> ValidationStatement:
    if name not in anchors.third_parties:
        raise Refused("configuration", f"no trust anchor for validator {name!r}: strongroom validator add {name} …")
    says = jws.verify(statement, ValidationStatement, anchors.third_parties[name].public_key())
    if says.validator != name:
        raise Refused("validation-failed", f"validator {name!r} answers in the name of {says.validator!r}")
    if says.status == "in-force" and (says.first_seen is None or says.first_seen > now + SKEW):
        raise Refused("validation-failed", f"validator {name!r} does not say since when it knows the key")
    return says
