"""Administrative actions and the quorum that carries them: pure checks that the TEE makes and anyone can repeat.

The path: a requester's card signs an `ActionRequest` → the TEE opens it as an `AdminAction`, whose exact bytes are what
is approved → officers' cards sign an `Approval` of its digest, or security keys do → `count_approvals`
says whether K have.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec

from strongroom.protocol import jws
from strongroom.protocol import security_keys as fido
from strongroom.protocol.action_table import (
    ACTIONS,
    OFFICER_CLASSES,
    Body,
    Credential,
    OfficerClass,
    action_name,
    words,
)
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import digest, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import SecurityKey


class ActionRequest(jws.Statement, frozen=True, kw_only=True):
    """What the requester's card signs to have an action opened."""

    TYP: ClassVar[str] = "strongroom.action-request"

    v: Literal[1] = 1
    action: str
    body: Body
    world: str
    nonce: str
    created_at: int


class AdminAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The byte string that officers approve, made by the TEE as canonical JSON. `requester` is a card's fingerprint."""

    v: Literal[1] = 1
    officer_class: OfficerClass
    action: str
    body: Body
    world: str
    device: str
    nonce: str
    officer_epoch: int
    requester: str
    opened_at: int
    expires_at: int


class Withdrawal(jws.Statement, frozen=True, kw_only=True):
    """What the requester's card signs to take an action back: from then on no approvals carry it out."""

    TYP: ClassVar[str] = "strongroom.withdrawal"

    v: Literal[1] = 1
    action_digest: str
    withdrawn_at: int


class Approval(jws.Statement, frozen=True, kw_only=True):
    """What an approver's card signs: the digest of the action's bytes. To decline, with a `reason`, never counts."""

    TYP: ClassVar[str] = "strongroom.approval"

    v: Literal[1] = 1
    action_digest: str
    decision: Literal["approve", "decline"] = "approve"
    reason: str = ""
    approved_at: int


class Officer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An enrolled card: its class, the officer epoch in which it was enrolled, and the key that parts are sealed to."""

    name: str
    officer_class: OfficerClass
    credential: Credential
    enrolled_epoch: int
    sealing_key: str = ""


def action_digest(action: bytes) -> str:
    """SHA-256 of the action's exact bytes."""
    return digest(action)


def read_action(action: bytes) -> AdminAction:
    return read_json(action, AdminAction, "action-altered")


def check_request(token: str, officers: list[Officer], world: str) -> tuple[ActionRequest, Officer]:
    """The request and who made it, if an enrolled officer's card signed it for this world.

    Raises `Refused`: `officer-unknown`, `signature-invalid`, `malformed`.
    """
    officer = _officer(jws.signer(token), officers)
    request = jws.verify(token, ActionRequest, _card(officer).public_key())
    if request.world != world or request.action not in ACTIONS or request.action != action_name(request.body):
        raise Refused("malformed", "another world, or no such action")
    return request, officer


def count_approvals(
    action: bytes,
    approvals: list[str],
    officers: list[Officer],
    thresholds: dict[str, int],
    now: int,
    *,
    counters: Mapping[str, int] = {},
) -> list[Officer]:
    """The K or more distinct officers who approved exactly these bytes; raises `Refused` unless they suffice.

    Invalid approvals are refused, not skipped: a quorum is never met over something that does not fit. `counters` are
    those of security keys, by fingerprint, when the action is carried out (`security_key_counters`).
    Raises: `action-expired`, `action-altered`, `officer-unknown`, `requester-cannot-approve`, `signature-invalid`,
    `security-key-refused`, `security-key-counter`, `quorum-not-met`.
    """
    opened = read_action(action)
    # 1. In time.
    if now >= opened.expires_at:
        raise Refused("action-expired")
    wanted = action_digest(action)
    approvers: dict[str, Officer] = {}
    for token in approvals:
        # 2. By an enrolled card of the right class, not the requester's, over exactly these bytes.
        officer, approval = _answer(token, opened, wanted, officers)
        # 3. It approves, and a security key has not been used for something else since.
        if approval.decision != "approve":
            raise Refused("quorum-not-met", "an officer's refusal was sent as an approval")
        for key, counter in security_key_counters([token]).items():
            fido.check_counter(counter, counters.get(key, 0), user=officer.name)
        approvers[officer.name] = officer
    # 4. By K distinct officers.
    if len(approvers) < thresholds[opened.officer_class]:
        raise Refused("quorum-not-met", f"{len(approvers)} of {thresholds[opened.officer_class]}")
    return list(approvers.values())


def security_key_counters(approvals: list[str]) -> dict[str, int]:
    """What the counters of the security keys among these approvals have come to, by the keys' fingerprints."""
    counters: dict[str, int] = {}
    for read in [fido.read_approval(one) for one in approvals if fido.is_by_security_key(one)]:
        counters[read.key] = max(fido.counter_of(read), counters.get(read.key, 0))
    return counters


def signer(answer: str) -> str:
    """The fingerprint of the card or security key that an answer claims to be by, not verified."""
    return fido.read_approval(answer).key if fido.is_by_security_key(answer) else jws.signer(answer)


class Answer(NamedTuple):
    """An officer's answer, by a card or a security key, that was verified."""

    decision: Literal["approve", "decline"]
    reason: str = ""


def check_answer(action: bytes, token: str, officers: list[Officer], now: int) -> Answer:
    """One officer's answer, approval or not, if it would count. Raises as `count_approvals`."""
    opened = read_action(action)
    if now >= opened.expires_at:
        raise Refused("action-expired")
    return _answer(token, opened, action_digest(action), officers)[1]


def _answer(token: str, opened: AdminAction, wanted: str, officers: list[Officer]) -> tuple[Officer, Answer]:
    # 1. By an enrolled card of the right class that was enrolled before the action was opened.
    officer = _officer(signer(token), officers)
    if officer.officer_class != opened.officer_class or officer.enrolled_epoch > opened.officer_epoch:
        raise Refused("officer-unknown", f"not a {opened.officer_class} officer when the action was opened")
    # 2. Not by whoever asked for it: neither with this card nor with another of the same officer.
    requester = next((one for one in officers if one.credential.fingerprint == opened.requester), None)
    if requester is None or officer.name == requester.name:
        raise Refused("requester-cannot-approve")
    # 3. Over exactly these bytes.
    if isinstance(officer.credential, SecurityKey):
        said = fido.read_approval(token)
        fido.check_assertion(said, officer.credential, fido.challenge_of(said, bytes.fromhex(wanted)))
        return officer, Answer(said.decision, said.reason)
    approval = jws.verify(token, Approval, officer.credential.public_key())
    if approval.action_digest != wanted:
        raise Refused("action-altered", "an approval is for another action")
    return officer, Answer(approval.decision, approval.reason)


def check_withdrawal(token: str, officers: list[Officer], requester: str, wanted: str) -> None:
    """Raise `Refused` unless the requester's card signed to take exactly this action back."""
    if jws.signer(token) != requester:
        raise Refused("officer-unknown", "only whoever requested an action takes it back")
    withdrawal = jws.verify(token, Withdrawal, _card(_officer(requester, officers)).public_key())
    if withdrawal.action_digest != wanted:
        raise Refused("action-altered", "the withdrawal is for another action")


def check_thresholds(officers: list[Officer], thresholds: dict[str, int], *, development: bool) -> None:
    """Raise `Refused("quorum-rule-refused")` unless 2 ≤ K ≤ N holds for each class (1 ≤ K on a development device)."""
    if set(thresholds) != set(OFFICER_CLASSES):
        raise Refused("quorum-rule-refused", "each class needs a threshold")
    for officer_class in OFFICER_CLASSES:
        names = {one.name for one in officers if one.officer_class == officer_class}
        if not (1 if development else 2) <= thresholds[officer_class] <= len(names):
            raise Refused("quorum-rule-refused", f"{officer_class}: {thresholds[officer_class]} of {len(names)}")
    if len({one.credential.fingerprint for one in officers}) != len(officers):
        raise Refused("quorum-rule-refused", "a card is enrolled twice")
    if any(isinstance(one.credential, SecurityKey) and one.officer_class != "partition" for one in officers):
        raise Refused("quorum-rule-refused", "security keys are for partition officers only")


def check_approvable(
    requester: Officer, officer_class: OfficerClass, officers: list[Officer], thresholds: dict[str, int]
) -> None:
    """Raise `Refused("requester-cannot-approve")` where too few officers of the class are left beside the requester."""
    others = {one.name for one in officers if one.officer_class == officer_class} - {requester.name}
    if len(others) < thresholds[officer_class]:
        raise Refused(
            "requester-cannot-approve",
            f"{thresholds[officer_class]} {officer_class} officers must approve, and {len(others)} are left: "
            "let an officer of another class ask",
        )


def describe(action: AdminAction) -> list[tuple[str, Any]]:
    """The action in words, from its signed bytes: what an approver must be shown before signing."""
    return [
        *words(action.body),
        ("Class", action.officer_class),
        ("World", action.world),
        ("Device", action.device),
        ("Requested by card", action.requester),
        ("Opened", action.opened_at),
        ("Expires", action.expires_at),
    ]


def _card(officer: Officer) -> PublicCredential:
    if isinstance(officer.credential, SecurityKey):
        raise Refused("officer-unknown", "a security key only approves: this needs a card")
    return officer.credential


def _officer(fingerprint: str, officers: list[Officer]) -> Officer:
    for officer in officers:
        if officer.credential.fingerprint == fingerprint:
            return officer
    raise Refused("officer-unknown")
