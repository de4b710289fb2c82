"""The minimum version: on the owner's order, versions below it serve for nothing."""

import os
from collections.abc import Callable

import pytest

from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType
from tests.support.hardware import now
from tests.support.imports import Imported, states_of
from tests.support.key_use import MESSAGE
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice

AES = KeyType.AES_256


@pytest.fixture
def key(alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]) -> Imported:
    """An AES key with three versions."""
    made = import_key(alice, AES)
    for version in (2, 3):
        alice.send(renew(made, version))
    return made


def minimum(customer: Customer, key: Imported, version: int, **changes: object) -> dict[int, str]:
    return customer.order(key.id, version, order="minimum-version", **changes)


def codes(customer: Customer, key: Imported, operation: str = "encrypt") -> list[str]:
    """What each version answers, and the newest without a number, by every worker."""
    lines = [customer.hsm.line("operations") for _ in range(3)]
    found = {
        tuple(line.operate(customer.request(key.id, operation, MESSAGE, version=one)).code for one in (1, 2, 3, 0))
        for line in lines
    }
    assert len(found) == 1
    return list(found.pop())


def test_versions_below_it_refuse_every_operation_and_the_others_go_on(alice: Customer, key: Imported) -> None:
    assert codes(alice, key) == [""] * 4
    assert minimum(alice, key, 3) == {1: "below-minimum", 2: "below-minimum", 3: "active"}
    below = "version-below-minimum"
    for operation in ("encrypt", "decrypt", "hash", "translate", "rewrap", "wrap", "unwrap"):
        assert codes(alice, key, operation)[:2] == [below, below]
    assert codes(alice, key) == [below, below, "", ""]
    assert states_of(alice, key.id) == {1: "below-minimum", 2: "below-minimum", 3: "active"}


def test_a_signed_instruction_for_a_version_below_it_is_refused(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key = import_key(alice, AES, authorisation="signed")
    alice.send(renew(key, 2))
    minimum(alice, key, 2)
    assert alice.operate_signed(key.id, "encrypt", MESSAGE, "AES-GCM", version=1).code == "version-below-minimum"
    assert alice.operate_signed(key.id, "encrypt", MESSAGE, "AES-GCM", version=2).code == ""


def test_a_new_version_keeps_it(alice: Customer, key: Imported, renew: Callable[..., Envelope]) -> None:
    minimum(alice, key, 2)
    alice.send(renew(key, 4, material=os.urandom(32)))
    assert states_of(alice, key.id) == {1: "below-minimum", 2: "active", 3: "active", 4: "active"}
    assert codes(alice, key) == ["version-below-minimum", "", "", ""]


def test_a_later_order_lowers_it_and_an_earlier_one_never_comes_again(alice: Customer, key: Imported) -> None:
    first = alice.signed_order(key.id, 1, order="minimum-version", issued_at=now() - 20)
    alice.give_order(first)
    minimum(alice, key, 3, issued_at=now() - 10)
    with refused("stale"):
        alice.give_order(first)
    with refused("stale"):  # of the same second only a higher one
        minimum(alice, key, 2, issued_at=now() - 10)
    assert codes(alice, key)[:2] == ["version-below-minimum"] * 2
    assert minimum(alice, key, 1, issued_at=now())[1] == "active"
    assert codes(alice, key) == [""] * 4


def test_the_same_order_again_changes_nothing_and_is_answered(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id, 2, order="minimum-version")
    states = alice.give_order(order)
    before = alice.hsm.entries(alice.partition)["admin"]
    assert alice.give_order(order) == states
    assert alice.hsm.entries(alice.partition)["admin"] == before


@pytest.mark.parametrize("version", [0, -1, 4, 2**40])
def test_a_version_that_there_is_not_is_refused(alice: Customer, key: Imported, version: int) -> None:
    with refused("not-found"):
        minimum(alice, key, version)


def test_an_order_from_the_future_or_by_another_is_refused(alice: Customer, charlie: Customer, key: Imported) -> None:
    with refused("stale"):
        minimum(alice, key, 2, issued_at=now() + 4000)
    for signer in (charlie.owner, alice.device_key):
        with refused("not-the-owner"):
            minimum(alice, key, 2, signer=signer)
    assert codes(alice, key) == [""] * 4


def test_destroyed_says_more_than_below_the_minimum(alice: Customer, key: Imported) -> None:
    alice.order(key.id, 1)
    assert minimum(alice, key, 3) == {1: "destroyed", 2: "below-minimum", 3: "active"}


def test_it_is_on_record_with_the_owners_order(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id, 2, order="minimum-version")
    alice.give_order(order)
    entry = alice.hsm.verified_log(alice.partition)["admin"][-1]
    assert (entry.event, entry.key, entry.principal) == ("key:minimum-version", key.id, "owner")
    assert entry.details == {"order": order, "minimum": 2}


def test_it_outlives_a_restart(make_device: Callable[..., SealedDevice], import_key: Callable[..., Imported]) -> None:
    device = make_device()
    device.bring_up()
    bob = device.customer("acme")
    key = import_key(bob, AES)
    bob.send(bob.envelope(os.urandom(32), key.terms.encode(), key.receipt.name, version=2))
    minimum(bob, key, 2)
    device.restart()
    reply = bob.hsm.line("operations").operate(bob.request(key.id, "encrypt", MESSAGE, version=1))
    assert reply.code == "version-below-minimum"


def test_a_refusal_points_to_the_newest_version_that_is_active(alice: Customer, key: Imported) -> None:
    alice.order(key.id, 3)
    for version in (0, 3):
        reply = alice.operate(key.id, "encrypt", MESSAGE, version=version)
        assert (reply.code, reply.detail) == (
            "key-not-active",
            "destroyed; the newest version that is active is 2",
        )
    alice.order(key.id, 0)
    assert alice.operate(key.id, "encrypt", MESSAGE).detail == "destroyed"
