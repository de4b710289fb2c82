"""Revocation terms say what can be followed, and an answer counts only if it is to this question."""

import json
from typing import Any

import msgspec
import pytest

from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.revocation import (
    MAX_BODY,
    MAX_CHECKS,
    Check,
    CheckRequest,
    Revocation,
    answer_key,
    check_address_literal,
    check_answer,
    check_bounds,
    encode_request,
    read_request,
)
from strongroom.protocol.terms import Terms, check_not_looser, check_sealed_at, check_terms, is_watched, read_terms
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.scripted_endpoint import Identity
from tests.vectors.make_revocation import FILE, make

VECTORS = json.loads(FILE.read_text())
REQUEST = read_request(VECTORS["request"].encode())
PIN = Identity().der
SOUND: dict[str, Any] = {"url": "https://alice.example/strongroom", "token": "abc", "certificates": [PIN], "every": 60}


def by_name(one: dict[str, Any]) -> str:
    return one["name"]


def terms(**changes: Any) -> Terms:
    return make_terms(KeyType.AES_256, revocation=Revocation(**(SOUND | changes)))


def key_of(vector: dict[str, Any]) -> Any:
    if not vector["signed"]:
        return None
    return answer_key(Revocation(**(SOUND | {"answer_key": VECTORS["answer_key"]})))


# --- vectors ---


def test_the_script_makes_the_vectors() -> None:
    assert make() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=by_name)
def test_a_sound_answer_says_what_it_says(vector: dict[str, Any]) -> None:
    found = check_answer(vector["body"].encode(), REQUEST, key_of(vector))
    assert [one.status for one in found] == vector["statuses"]


@pytest.mark.parametrize("vector", VECTORS["failures"], ids=by_name)
def test_an_unsound_answer_is_none(vector: dict[str, Any]) -> None:
    with refused(vector["code"]):
        check_answer(vector["body"].encode(), REQUEST, key_of(vector))


def test_an_answer_has_its_size() -> None:
    body = VECTORS["answers"][0]["body"].encode()
    assert check_answer(body + b" " * (MAX_BODY - len(body)), REQUEST, None)
    with refused("too-large"):
        check_answer(body + b" " * (MAX_BODY + 1 - len(body)), REQUEST, None)


# --- requests ---


def test_a_request_is_read_as_it_was_written() -> None:
    assert encode_request(REQUEST).decode() == VECTORS["request"]


@pytest.mark.parametrize("count", [0, MAX_CHECKS + 1])
def test_a_request_has_from_one_to_a_thousand_checks(count: int) -> None:
    checks = [Check(key="key_1", receipt="r")] * count
    with refused("malformed"):
        read_request(encode_request(CheckRequest(nonce=REQUEST.nonce, device="dev_1", checks=checks)))


# --- terms ---


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://alice.example/"},
        {"url": "https://"},
        {"url": "https://user:pass@alice.example/"},
        {"url": "https://alice.example/#there"},
        {"url": "https://alice.example/a b"},
        {"url": "https://alice.example:port/"},
        {"url": "https://alice.example\r\nX: y/"},
        {"url": "https://älice.example/"},
        {"token": ""},
        {"token": "two words"},
        {"token": "line\r\nX: y"},
        {"token": "t" * 1025},
        {"every": 0},
        {"every": -5},
        {"certificates": []},
        {"certificates": ["AAAA"]},
        {"certificates": [PIN] * 9},
        {"public_keys": ["0" * 64]},
        {"certificates": [], "public_keys": ["0" * 63]},
        {"answer_key": "AAAA"},
    ],
)
def test_terms_that_cannot_be_followed_are_refused(changes: dict[str, Any]) -> None:
    with refused("terms-refused"):
        check_terms(terms(**changes))


def test_sound_terms_are_read_as_they_were_written_and_are_watched() -> None:
    written = terms(certificates=[], public_keys=["0" * 64], answer_key=VECTORS["answer_key"])
    assert read_terms(written.encode()) == written
    assert is_watched(written)
    assert not is_watched(make_terms(KeyType.AES_256))


def test_an_unknown_member_is_refused() -> None:
    written = json.loads(terms().encode())
    written["revocation"]["interval"] = 5
    with refused("terms-refused"):
        read_terms(json.dumps(written).encode())


def test_an_interval_longer_than_the_validity_contradicts_it() -> None:
    check_terms(msgspec.structs.replace(terms(), not_before=100, not_after=160))
    with refused("terms-refused"):
        check_terms(msgspec.structs.replace(terms(), not_before=100, not_after=159))


def test_without_a_beginning_the_validity_begins_when_the_key_is_sealed() -> None:
    ends = make_terms(KeyType.AES_256, revocation=Revocation(**SOUND), not_after=1060)
    check_terms(ends)
    check_sealed_at(ends, 1000)
    for later, moment in ((ends, 1001), (msgspec.structs.replace(ends, not_before=1010), 900)):
        with refused("terms-refused"):
            check_sealed_at(later, moment)
    check_sealed_at(terms(), 1000)


@pytest.mark.parametrize(("every", "inside"), [(4, False), (5, True), (600, True), (601, False)])
def test_the_interval_is_within_the_devices_bounds(every: int, inside: bool) -> None:
    revocation = Revocation(**(SOUND | {"every": every}))
    if inside:
        check_bounds(revocation, 5, 600)
    else:
        with refused("terms-refused"):
            check_bounds(revocation, 5, 600)


@pytest.mark.parametrize(
    ("changes", "looser"),
    [
        ({}, False),
        ({"token": "another"}, False),
        ({"every": 59}, False),
        ({"every": 61}, True),
        ({"url": "https://mallory.example/"}, True),
        ({"certificates": [PIN, PIN]}, True),
        ({"answer_key": VECTORS["answer_key"]}, True),
    ],
)
def test_a_new_version_keeps_who_may_revoke(changes: dict[str, Any], looser: bool) -> None:
    if looser:
        with refused("terms-looser"):
            check_not_looser(terms(**changes), terms())
    else:
        check_not_looser(terms(**changes), terms())
    check_not_looser(terms(), make_terms(KeyType.AES_256))
    with refused("terms-looser"):
        check_not_looser(make_terms(KeyType.AES_256), terms())


# --- addresses ---


def test_a_name_is_judged_when_it_is_called() -> None:
    check_address_literal("https://localhost/", "public")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.1.2.3", "[::ffff:10.0.0.1]"])
def test_an_address_in_the_terms_is_judged_at_once(host: str) -> None:
    with refused("terms-refused"):
        check_address_literal(f"https://{host}/", "public")
