"""Security keys that an owner lets change who is listed: what they sign, what they reach, and what they do not."""

import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import access, jws
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from tests.support.refusals import refused
from tests.support.security_keys import SoftwareKey

OWNER = Ed25519PrivateKey.generate()
OWNERS = [public_credential(OWNER)]
KEY, OTHER = SoftwareKey("bob"), SoftwareKey("charlie", private=Ed25519PrivateKey.generate())
INVOICES = access.Principal(principal="client:cl_invoices", rights=["sign"])
PAYROLL = access.Principal(principal="client:cl_payroll", rights=["sign", "verify"])


def owners_list(**changes: Any) -> access.AccessList:
    fields: dict[str, Any] = {
        "partition": "pt_1",
        "version": 1,
        "previous": "",
        "owners": OWNERS,
        "principals": [INVOICES],
        "editors": [KEY.editor("Bob's")],
    }
    return access.AccessList(**(fields | changes))


GRANTED = jws.sign(owners_list(), OWNER)


def check(token: str, current: str | None = GRANTED, **changes: Any) -> access.AccessList:
    version = access.read_list(current).version if current else 0
    given: dict[str, Any] = {"partition": "pt_1", "owners": OWNERS, "version": version, "current": current}
    return access.check_update(token, **(given | changes))


def altered(document: str, **changes: Any) -> str:
    """An editor's document with other members: what a portal could make of it."""
    return canonical_json(msgspec.json.decode(document) | changes).decode()


def other_payload(document: str, **changes: Any) -> str:
    edited = access.read_list(document)
    return altered(document, payload=b64u(canonical_json(msgspec.structs.replace(edited, **changes))))


# --- documents as they were before there were editors ---


def test_a_list_without_editors_is_written_as_before() -> None:
    listed = owners_list(editors=msgspec.UNSET)
    assert list(json.loads(canonical_json(listed))) == ["owners", "partition", "previous", "principals", "v", "version"]
    assert access.editors_of(access.read_list(jws.sign(listed, OWNER))) == []


def test_a_key_stands_in_a_list_once_and_not_too_many_do() -> None:
    many = [access.Editor(key=SoftwareKey(str(n)).credential) for n in range(access.MAX_EDITORS + 1)]
    for editors in ([KEY.editor(), KEY.editor("again")], many):
        with refused("malformed"):
            check(jws.sign(owners_list(editors=editors), OWNER), current=None)


# --- what an editor reaches ---


@pytest.mark.parametrize("key", [KEY, OTHER], ids=["P-256", "Ed25519"])
def test_an_editor_lists_and_takes_off(key: SoftwareKey) -> None:
    current = jws.sign(owners_list(editors=[key.editor()]), OWNER)
    update = check(key.edit(current, [PAYROLL]), current)
    assert update.principals == [PAYROLL]
    assert (update.version, update.owners, access.editors_of(update)) == (2, OWNERS, [key.editor()])


def test_one_change_follows_another_and_an_owner_follows_both() -> None:
    second = KEY.edit(GRANTED, [PAYROLL])
    third = KEY.edit(second, [INVOICES, PAYROLL])
    assert check(third, second).version == 3
    assert access.granted_in(third) == GRANTED
    fourth = owners_list(version=4, previous=access.access_list_digest(third), editors=msgspec.UNSET)
    assert check(jws.sign(fourth, OWNER), third).version == 4


def test_whoever_knows_an_owner_checks_an_editors_list_alone() -> None:
    second = KEY.edit(GRANTED, [PAYROLL])
    assert access.check_document(second, OWNERS).principals == [PAYROLL]
    with refused("not-the-owner"):
        access.check_document(second, [public_credential(Ed25519PrivateKey.generate())])


def test_it_puts_nothing_in_the_place_of_the_owners_own_list() -> None:
    same = msgspec.structs.replace(access.read_list(GRANTED), principals=[PAYROLL])
    with refused("access-list-conflict"):
        access.check_document(KEY.sign_list(GRANTED, canonical_json(same)), OWNERS)


@pytest.mark.parametrize(
    "change",
    [
        {"owners": [*OWNERS, public_credential(Ed25519PrivateKey.generate())]},
        {"owners": [public_credential(Ed25519PrivateKey.generate())]},
        {"editors": [KEY.editor("Bob's"), OTHER.editor()]},
        {"editors": [KEY.editor("Alice's")]},
        {"editors": msgspec.UNSET},
    ],
    ids=["another owner", "a stranger as owner", "another key", "another label", "no key"],
)
def test_it_touches_neither_owners_nor_keys(change: dict[str, Any]) -> None:
    following = msgspec.convert(json.loads(access.sequel(GRANTED, [PAYROLL])), access.AccessList)
    payload = canonical_json(msgspec.structs.replace(following, **change))
    with refused("beyond-an-editor"):
        check(KEY.sign_list(GRANTED, payload))


# --- who is none ---


def test_a_key_that_the_list_does_not_name_is_none() -> None:
    with refused("not-an-editor"):
        check(OTHER.edit(GRANTED, [PAYROLL]))


def test_before_the_first_list_there_is_none() -> None:
    with refused("not-an-editor"):
        check(KEY.edit(GRANTED, [PAYROLL]), current=None)


def test_a_key_that_was_taken_off_cannot_go_by_the_list_that_named_it() -> None:
    second = jws.sign(owners_list(version=2, previous=access.access_list_digest(GRANTED), editors=msgspec.UNSET), OWNER)
    late = msgspec.structs.replace(owners_list(), version=3, previous=access.access_list_digest(second))
    with refused("access-list-conflict"):
        check(KEY.sign_list(GRANTED, canonical_json(late)), second)


def test_a_list_that_goes_by_a_portals_own_is_none() -> None:
    mallory = Ed25519PrivateKey.generate()
    made_up = jws.sign(owners_list(editors=[OTHER.editor()]), mallory)
    payload = access.sequel(GRANTED, [PAYROLL])
    with refused("access-list-conflict"):
        check(OTHER.sign_list(made_up, payload))
    with refused("not-the-owner"):
        access.check_document(OTHER.sign_list(made_up, payload), OWNERS)


# --- what was signed ---


def test_nothing_in_it_can_be_altered() -> None:
    signed = KEY.edit(GRANTED, [PAYROLL])
    for spoilt in (
        other_payload(signed, principals=[INVOICES, PAYROLL]),
        other_payload(signed, principals=[msgspec.structs.replace(PAYROLL, rights=["sign", "decrypt"])]),
        altered(signed, signature=msgspec.json.decode(KEY.edit(GRANTED, []))["signature"]),
    ):
        with refused("signature-invalid"):
            check(spoilt)


def test_it_has_one_spelling() -> None:
    signed = KEY.edit(GRANTED, [PAYROLL])
    loose = json.dumps(json.loads(from_b64u(json.loads(signed)["payload"]))).encode()
    spoilt = [signed + " ", signed.replace(",", ", ", 1), altered(signed, extra=1), KEY.sign_list(GRANTED, loose), "{}"]
    for document in spoilt:
        with refused("statement-malformed"):
            check(document)


def test_an_approval_of_an_action_is_no_change_of_a_list_whatever_its_bytes() -> None:
    payload = access.sequel(GRANTED, [PAYROLL])
    approval = json.loads(KEY.approve(payload))
    assertion = {name: approval[name] for name in ("authenticator_data", "client_data", "signature")}
    with refused("signature-invalid"):
        check(access.edited_document(GRANTED, payload, key=KEY.credential.fingerprint, **assertion))


@pytest.mark.parametrize(
    "spoiled",
    [
        {"said": {"origin": "https://elsewhere.example"}},
        {"said": {"crossOrigin": True}},
        {"said": {"type": "webauthn.create"}},
        {"rp_id": "elsewhere.example"},
        {"flags": 0x01},
        {"flags": 0x0D},
        {"more": b"\x00"},
    ],
    ids=["another origin", "a frame", "a registration", "another site", "no user", "a passkey", "an extension"],
)
def test_a_key_counts_only_as_it_was_enrolled(spoiled: dict[str, Any]) -> None:
    with refused("security-key-refused"):
        check(KEY.edit(GRANTED, [PAYROLL], **spoiled))


@pytest.mark.parametrize(("change", "code"), [({"partition": "pt_2"}, "wrong-partition"), ({}, "access-list-conflict")])
def test_it_is_for_one_partition_and_one_place_in_its_history(change: dict[str, Any], code: str) -> None:
    second = KEY.edit(GRANTED, [PAYROLL])
    with refused(code):
        check(KEY.edit(GRANTED, []), GRANTED if change else second, **change)


def test_who_signed_a_list_and_how_often_its_key_was_used_can_be_read_from_it() -> None:
    signed = KEY.edit(GRANTED, [PAYROLL])
    assert access.signer_of(GRANTED) == OWNERS[0].fingerprint
    assert access.signer_of(signed) == KEY.credential.fingerprint
    assert access.editor_counters(GRANTED) == {}
    assert access.editor_counters(signed) == {KEY.credential.fingerprint: KEY.counter}
