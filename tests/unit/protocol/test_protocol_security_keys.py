"""Approvals by FIDO2 security keys: which assertions count, and every way in which one does not."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from strongroom.protocol import action_table
from strongroom.protocol import admin_actions as aa
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from strongroom.protocol.security_keys import SecurityKey, registered
from tests.support.hardware import Card
from tests.support.refusals import refused
from tests.support.security_keys import ORIGIN, SoftwareKey

NOW = 1_000_000
THRESHOLDS = {"domain": 1, "security": 1, "partition": 2}
ALICE, BOB = Card("alice", "partition"), Card("bob", "partition")
CAROL = SoftwareKey("carol")
ES256 = ec.SECP256R1()


def officer(name: str, credential: action_table.Credential) -> aa.Officer:
    return aa.Officer(name=name, officer_class="partition", credential=credential, enrolled_epoch=1)


OFFICERS = [
    officer("alice", public_credential(ALICE.signing)),
    officer("bob", public_credential(BOB.signing)),
    officer("carol", CAROL.credential),
]


def action(label: str = "main") -> bytes:
    owner = public_credential(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    opened = aa.AdminAction(
        officer_class="partition",
        action="partition.define",
        body=action_table.DefinePartition(tenant="acme", label=label, owner=owner),
        world="wd_1",
        device="dev_1",
        nonce="n" * 32,
        officer_epoch=1,
        requester=ALICE.fingerprint,
        opened_at=NOW,
        expires_at=NOW + 1,
    )
    return canonical_json(opened)


def count(approval: str, counter: int = 0, officers: list[aa.Officer] = OFFICERS) -> list[str]:
    """Bob's card approves as well."""
    given = action()
    kept = {CAROL.credential.fingerprint: counter}
    counted = aa.count_approvals(given, [BOB.approve(given), approval], officers, THRESHOLDS, NOW, counters=kept)
    return sorted(one.name for one in counted)


def changed(approval: str, **members: str) -> str:
    return json.dumps(json.loads(approval) | members)


def test_a_card_and_a_security_key_are_a_quorum() -> None:
    assert count(CAROL.approve(action())) == ["bob", "carol"]


def test_an_ed25519_security_key_counts_too() -> None:
    key = SoftwareKey("carol", private=Ed25519PrivateKey.generate())
    assert count(key.approve(action()), officers=[*OFFICERS[:2], officer("carol", key.credential)]) == ["bob", "carol"]


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        (lambda: CAROL.approve(action("other")), "action-altered"),
        (lambda: CAROL.approve(action(), said={"challenge": b64u(bytes(32))}), "action-altered"),
        (lambda: CAROL.approve(action(), said={"type": "webauthn.create"}), "security-key-refused"),
        (lambda: CAROL.approve(action(), said={"type": "payment.get"}), "security-key-refused"),
        (lambda: CAROL.approve(action(), said={"origin": "http://localhost:8001"}), "security-key-refused"),
        (lambda: CAROL.approve(action(), said={"origin": ORIGIN + "/"}), "security-key-refused"),
        (lambda: CAROL.approve(action(), said={"crossOrigin": True}), "security-key-refused"),
        (lambda: CAROL.approve(action(), said={"topOrigin": "https://evil.test"}), "security-key-refused"),
        (lambda: CAROL.approve(action(), rp_id="evil.test"), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x01), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x04), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x0D), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x1D), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x45), "security-key-refused"),
        (lambda: CAROL.approve(action(), flags=0x85, more=b"\xa0"), "security-key-refused"),
        (lambda: CAROL.approve(action(), more=b"\xa0"), "security-key-refused"),
        (lambda: changed(CAROL.approve(action()), authenticator_data=b64u(bytes(36))), "malformed"),
        (lambda: changed(CAROL.approve(action()), client_data=b64u(b"{}")), "malformed"),
        (lambda: changed(CAROL.approve(action()), key="../" + "x" * 40), "statement-malformed"),
        (lambda: changed(CAROL.approve(action()), key="x" * 43), "officer-unknown"),
        (lambda: changed(CAROL.approve(action()), key=BOB.fingerprint), "statement-malformed"),
        (lambda: changed(BOB.approve(action()) and CAROL.approve(action()), more="x"), "statement-malformed"),
        (
            lambda: changed(SoftwareKey("carol").approve(action()), key=CAROL.credential.fingerprint),
            "signature-invalid",
        ),
    ],
)
def test_what_is_not_an_approval_of_this_action_by_this_key_is_refused(spoiled: Callable[[], str], code: str) -> None:
    with refused(code):
        count(spoiled())


@pytest.mark.parametrize("member", ["authenticator_data", "client_data", "signature"])
def test_no_altered_byte_is_accepted(member: str) -> None:
    approval = CAROL.approve(action())
    raw = from_b64u(json.loads(approval)[member])
    for place in range(len(raw)):
        altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with refused("signature-invalid", "security-key-refused", "action-altered", "malformed"):
            count(changed(approval, **{member: b64u(altered)}))


@pytest.mark.parametrize(
    ("counter", "kept", "served"),
    [(6, 5, True), (5, 5, False), (4, 5, False), (0, 5, False), (0, 0, True), (1, 0, True)],
)
def test_the_counter_must_grow_but_for_keys_without_one(counter: int, kept: int, served: bool) -> None:
    approval = CAROL.approve(action(), counter=counter)
    if served:
        assert count(approval, kept)
        assert aa.security_key_counters([approval, "a.b.c"]) == {CAROL.credential.fingerprint: counter}
    else:
        with refused("security-key-counter"):
            count(approval, kept)


def test_a_security_key_neither_requests_nor_counts_beside_its_officers_card() -> None:
    spare = SoftwareKey("bob")
    officers = [*OFFICERS, officer("bob", spare.credential)]
    with refused("quorum-not-met"):
        count(spare.approve(action()), officers=officers)
    own = SoftwareKey("alice")
    with refused("requester-cannot-approve"):
        count(own.approve(action()), officers=[*OFFICERS, officer("alice", own.credential)])


@pytest.mark.parametrize("officer_class", ["domain", "security"])
def test_domain_and_security_officers_have_no_security_keys(officer_class: Any) -> None:
    officers = [
        aa.Officer(
            name="d", officer_class=kind, credential=public_credential(Card("d", kind).signing), enrolled_epoch=1
        )
        for kind in ("domain", "security")
    ]
    aa.check_thresholds([*OFFICERS, *officers], THRESHOLDS, development=True)
    key = aa.Officer(name="e", officer_class=officer_class, credential=CAROL.credential, enrolled_epoch=1)
    with refused("quorum-rule-refused"):
        aa.check_thresholds([*OFFICERS[:2], *officers, key], THRESHOLDS, development=True)


def compressed(key: SoftwareKey) -> str:
    """The same public key with its point in the other encoding, which would give the key a second fingerprint."""
    header = "3039301306072a8648ce3d020106082a8648ce3d030107032200"
    point = load_der_public_key(key.public).public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return b64u(bytes.fromhex(header) + point)


def spki(key: Any) -> str:
    return b64u(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "AAAA"},
        {"id": b64u(bytes(1024))},
        {"public_key": ""},
        {"public_key": b64u(CAROL.public + b"\0")},
        {"public_key": compressed(CAROL)},
        {"public_key": spki(ec.generate_private_key(ec.SECP384R1()))},
        {"public_key": spki(rsa.generate_private_key(65537, 2048))},
        {"rp_id": ""},
        {"rp_id": "ocalhost"},
        {"rp_id": "evil.test"},
        {"origin": "http://portal.example", "rp_id": "portal.example"},
        {"origin": "https://portal.example/", "rp_id": "portal.example"},
        {"origin": "https://portal.example@evil.test", "rp_id": "evil.test"},
        {"origin": "https://portal.example:x", "rp_id": "portal.example"},
        {"kty": "OKP"},
    ],
)
def test_only_sound_security_keys_can_be_enrolled(changes: dict[str, str]) -> None:
    members = msgspec.to_builtins(CAROL.credential)
    assert msgspec.convert(members, action_table.Credential) == CAROL.credential
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(members | changes, action_table.Credential)


def test_it_may_be_used_below_its_relying_party() -> None:
    for origin in ("https://portal.example", "https://officers.portal.example:8443"):
        members = msgspec.to_builtins(CAROL.credential) | {"origin": origin, "rp_id": "portal.example"}
        assert msgspec.convert(members, SecurityKey).origin == origin


def attested(key: SoftwareKey, **data: Any) -> bytes:
    identifier = len(key.identifier).to_bytes(2) + key.identifier
    return key.authenticator_data(**({"flags": 0x45} | data)) + bytes(16) + identifier + b"\xa5"


def register(authenticator_data: bytes, origin: str = ORIGIN, type_: str = "webauthn.create") -> SecurityKey:
    return registered(
        credential_id=b64u(CAROL.identifier),
        public_key=b64u(CAROL.public),
        authenticator_data=b64u(authenticator_data),
        client_data=b64u(CAROL.client_data(type_, hashlib.sha256(b"any").digest())),
        origin=origin,
    )


def test_a_registration_gives_the_key_that_is_enrolled() -> None:
    assert register(attested(CAROL)) == CAROL.credential


def test_a_registration_that_could_not_approve_later_is_refused() -> None:
    for data in ({"flags": 0x41}, {"flags": 0x44}, {"flags": 0x4D}, {"rp_id": "evil.test"}):
        with refused("security-key-refused"):
            register(attested(CAROL, **data))
    for raw in (
        attested(SoftwareKey("other")),
        attested(CAROL, flags=0x05),
        CAROL.authenticator_data(flags=0x05),
        bytes(10),
    ):
        with refused("malformed", "security-key-refused"):
            register(raw)
    with refused("security-key-refused"):
        register(attested(CAROL), type_="webauthn.get")
    with refused("security-key-refused"):
        register(attested(CAROL), origin="https://portal.example")


def test_a_refusal_is_the_keys_own_for_this_action_and_reason_and_never_counts() -> None:
    given, no = action(), CAROL.decline(action(), "who asked?")
    assert aa.check_answer(given, no, OFFICERS, NOW) == ("decline", "who asked?")
    with refused("quorum-not-met"):
        aa.count_approvals(given, [no, BOB.approve(given)], OFFICERS, THRESHOLDS, NOW)
    with refused("action-altered"):
        aa.check_answer(action("another"), no, OFFICERS, NOW)


@pytest.mark.parametrize("change", [{"reason": "I asked"}, {"decision": "approve", "reason": ""}])
def test_a_refusal_is_made_no_approval_and_given_no_other_reason(change: dict[str, str]) -> None:
    no = json.loads(CAROL.decline(action(), "who asked?"))
    with refused("action-altered"):
        aa.check_answer(action(), json.dumps(no | change), OFFICERS, NOW)


def test_an_approval_is_made_no_refusal_and_given_no_reason() -> None:
    yes = json.loads(CAROL.approve(action()))
    with refused("statement-malformed"):
        aa.check_answer(action(), json.dumps(yes | {"reason": "gladly"}), OFFICERS, NOW)
    with refused("action-altered"):
        aa.check_answer(action(), json.dumps(yes | {"decision": "decline", "reason": ""}), OFFICERS, NOW)
