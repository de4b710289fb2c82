"""A key's own endpoint says whether it may be used: the device asks, and nothing runs on an answer that has run out."""

import time
from collections.abc import Callable

import pytest

from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.revocation import receipt_digest
from tests.support.imports import Imported, keys_of, states_of
from tests.support.refusals import refused
from tests.support.scripted_endpoint import TOKEN, Endpoint, Identity
from tests.support.sealed import Customer, SealedDevice
from tests.support.watching import check_now, entries_of, serves, status, until, used

AES = KeyType.AES_256
Import = Callable[..., Imported]


def test_a_key_serves_while_its_endpoint_says_active(alice: Customer, import_key: Import, endpoint: Endpoint) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms())
    serves(alice, key)
    until(lambda: len(endpoint.requests) >= 4)
    assert used(alice, key) == ""
    found = status(alice, key)
    assert (found.state, found.answer, found.why) == ("good", "active", "")
    assert endpoint.tokens[0] == f"Bearer {TOKEN}"
    assert len({one.nonce for one in endpoint.requests}) == len(endpoint.requests)
    [check] = endpoint.requests[0].checks
    [receipt] = [one for one in keys_of(alice) if alice.receipt(one).key_id == key.id]
    assert (check.key, check.receipt) == (key.id, receipt_digest(receipt))


def test_revoked_is_for_ever(alice: Customer, import_key: Import, endpoint: Endpoint) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms())
    serves(alice, key)
    endpoint.statuses[key.id] = ("revoked", "laptop stolen")
    until(lambda: used(alice, key) != "")
    until(lambda: states_of(alice, key.id) == {1: "revoked"})
    assert used(alice, key) == "key-not-active"
    endpoint.statuses.clear()
    asked = len(endpoint.requests)
    time.sleep(1.2)
    assert len(endpoint.requests) == asked  # nobody is asked about it any more
    assert (used(alice, key), status(alice, key).state) == ("key-not-active", "revoked")
    [entry] = entries_of(alice, key, "key:revoke")
    found = status(alice, key)
    assert (found.revoked_by, found.why, found.revoked_at) == ("endpoint", "laptop stolen", entry.time)
    words = alice.operate(key.id, "hash", b"m").detail
    assert words.startswith("revoked 20")
    assert words.endswith("Z by its endpoint: laptop stolen")
    assert (entry.details["source"], entry.details["reason"]) == ("endpoint", "laptop stolen")


def test_suspended_is_until_it_is_active_again(alice: Customer, import_key: Import, endpoint: Endpoint) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms())
    serves(alice, key)
    endpoint.statuses[key.id] = ("suspended", "audit")
    until(lambda: used(alice, key) == "key-suspended")
    assert (status(alice, key).state, status(alice, key).why) == ("suspended", "suspended: audit")
    endpoint.statuses.clear()
    serves(alice, key)
    found = entries_of(alice, key, "key:suspend", "key:resume")
    assert [(one.event, one.details.get("why")) for one in found] == [
        ("key:suspend", "suspended: audit"),
        ("key:resume", None),
    ]


def test_without_an_answer_it_is_suspended_when_the_interval_has_run_out(
    alice: Customer, import_key: Import, endpoint: Endpoint
) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms(every=2))
    serves(alice, key)
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)
    asked = len(endpoint.requests)
    endpoint.wait_asked(asked + 1)
    assert until(lambda: used(alice, key) == "key-suspended") < 2
    endpoint.behave = endpoint.answer_soundly
    serves(alice, key)


def test_the_last_valid_answer_stands_beside_the_last_call_and_what_went_wrong_with_it(
    alice: Customer, import_key: Import, endpoint: Endpoint
) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms(every=2))
    serves(alice, key)
    found = status(alice, key)
    assert (found.answer, found.failure, found.answered_at) == ("active", "", found.last_check)
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)
    until(lambda: status(alice, key).state == "suspended")
    failed = status(alice, key)
    assert (failed.answer, failed.failure) == ("active", "unavailable: it answers with status 503")
    assert failed.why == "no valid answer: unavailable: it answers with status 503"
    assert (found.answered_at or 0) <= (failed.answered_at or 0) < (failed.last_check or 0)
    endpoint.behave = endpoint.answer_soundly
    until(lambda: status(alice, key).state == "good")
    assert status(alice, key).failure == ""


def test_while_an_endpoint_is_frozen_it_is_said_since_when_it_was_asked(
    alice: Customer, import_key: Import, endpoint: Endpoint
) -> None:
    endpoint.behave = lambda _handler, _request: time.sleep(3)
    key = import_key(alice, AES, revocation=endpoint.terms(every=1))
    endpoint.wait_asked(1)
    assert status(alice, key).why.startswith("no answer yet; asked ")
    endpoint.behave = endpoint.answer_soundly
    serves(alice, key)
    endpoint.behave = lambda _handler, _request: time.sleep(3)
    until(lambda: status(alice, key).why.startswith("its last answer has run out; asked "))
    endpoint.behave = endpoint.answer_soundly
    alice.order(key.id)


def test_check_now_asks_now(alice: Customer, import_key: Import, endpoint: Endpoint) -> None:
    key = import_key(alice, AES, revocation=endpoint.terms(every=600))
    serves(alice, key)
    time.sleep(0.5)  # operations that waited for the first answer may have had it asked for once more
    before = status(alice, key).checks
    time.sleep(0.25)
    assert status(alice, key).checks == before
    endpoint.statuses[key.id] = ("revoked", "drill")
    check_now(alice, key)
    assert until(lambda: used(alice, key) != "") < 1


@pytest.mark.parametrize("pin", ["own", "issuer", "key"])
def test_every_kind_of_pin_serves(alice: Customer, import_key: Import, pin: str) -> None:
    issuer = Identity("issuer", ca=True)
    endpoint = Endpoint(Identity(issuer=issuer))
    terms = {
        "own": endpoint.terms(),
        "issuer": endpoint.terms(certificates=[issuer.der]),
        "key": endpoint.terms(public_keys=[endpoint.pinned_key()]),
    }
    key = import_key(alice, AES, revocation=terms[pin])
    serves(alice, key)
    alice.order(key.id)
    endpoint.close()


def test_a_restart_forgets_every_good_answer(
    make_device: Callable[..., SealedDevice], import_key: Import, endpoint: Endpoint
) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    key = import_key(customer, AES, revocation=endpoint.terms(every=600))
    assert used(customer, key) == ""
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)
    device.restart()
    customer.operations = device.line("operations")
    assert used(customer, key) == "key-suspended"
    endpoint.behave = endpoint.answer_soundly
    serves(customer, key)


def test_terms_that_the_device_would_not_follow_are_refused(
    alice: Customer, import_key: Import, endpoint: Endpoint
) -> None:
    for changes in ({"every": 7 * 24 * 3600 + 1}, {"url": "http://localhost/"}, {"token": "two words"}):
        with refused("terms-refused"):
            import_key(alice, AES, revocation=endpoint.terms(**changes))
