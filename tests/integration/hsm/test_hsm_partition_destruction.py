"""A partition is destroyed by officers at once on its owner's word, else after a time to cancel it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.action_table import DestroyPartition, KeepPartition
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.owner_orders import PartitionOrder
from tests.support.customer import Customer
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, now

WEEK = 7 * 24 * 3600


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


@pytest.fixture
def alice(device: SealedDevice) -> Customer:
    return device.customer()


def order(alice: Customer, what: str, partition: str = "", **changes: int) -> str:
    made = PartitionOrder(
        order=what,  # type: ignore[arg-type]
        partition=partition or alice.partition,
        issued_at=changes.get("issued_at", now()),
    )
    return jws.sign(made, alice.owner)


def decide(device: SealedDevice, body: DestroyPartition | KeepPartition) -> str:
    first, second, third = device.of("partition")
    action = device.open(first, body)
    return device.execute(action, [second.approve(action), third.approve(action)])


def a_key(alice: Customer) -> str:
    return alice.import_key(os.urandom(32), make_terms(KeyType.HMAC), "k").key_id


def state(device: SealedDevice, alice: Customer) -> str:
    return device.line().call(c.ShowPartition(partition=alice.partition), c.ShowPartitionReply).state


def test_with_the_owners_word_every_key_is_gone_at_once(device: SealedDevice, alice: Customer) -> None:
    key = a_key(alice)
    assert alice.operate(key, "hash", b"m").code == ""
    material = device.stored()[f"partitions/{alice.partition}/keys/{key}/1"]
    body = DestroyPartition(partition=alice.partition, reason="contract ended", consent=order(alice, "destroy"))
    assert decide(device, body) == "destroyed"
    assert alice.operate(key, "hash", b"m").code == "partition-destroyed"
    assert state(device, alice) == "destroyed"
    assert device.files_with(material) == []
    # The log stays, and tells it.
    assert "action:execute" in [entry.event for entry in device.verified_log(alice.partition)["admin"]]


def test_without_the_owner_it_waits_and_the_owner_cancels_it(device: SealedDevice, alice: Customer) -> None:
    key = a_key(alice)
    assert decide(device, DestroyPartition(partition=alice.partition, reason="unpaid")).startswith("waits until")
    assert (state(device, alice), alice.operate(key, "hash", b"m").code) == ("to-be-destroyed", "")
    keep = c.KeepPartitionOrder(partition=alice.partition, order=order(alice, "keep"))
    device.line().call(keep, c.Done)
    assert state(device, alice) == "in-use"


def test_officers_cancel_it_too(device: SealedDevice, alice: Customer) -> None:
    with refused("conflict"):
        device.open(device.of("partition")[0], KeepPartition(partition=alice.partition))
    decide(device, DestroyPartition(partition=alice.partition, reason="unpaid"))
    assert decide(device, KeepPartition(partition=alice.partition)) == "kept"
    assert state(device, alice) == "in-use"


def test_after_the_waiting_time_the_device_destroys_it(device: SealedDevice, alice: Customer, tmp_path: Path) -> None:
    key = a_key(alice)
    decide(device, DestroyPartition(partition=alice.partition, reason="unpaid"))
    device.stop()
    device.turn_clock(WEEK + 60, tmp_path)
    device.start()
    device.unseal()
    assert state(device, alice) == "destroyed"
    assert device.line("operations").operate(alice.request(key, "hash", b"m")).code == "partition-destroyed"
    assert device.verified_log(alice.partition)["admin"][-1].event == "partition:destroy"


@pytest.mark.parametrize("wrong", ["keep", "another partition", "a stranger", "an old order to keep"])
def test_only_the_owners_own_word_to_this_serves(device: SealedDevice, alice: Customer, wrong: str) -> None:
    charlie = device.customer("globex")
    if wrong == "an old order to keep":
        old = order(alice, "keep", issued_at=now() - 60)
        decide(device, DestroyPartition(partition=alice.partition, reason="unpaid"))
        with refused("conflict"):
            device.line().call(c.KeepPartitionOrder(partition=alice.partition, order=old), c.Done)
        return
    consent = {
        "keep": order(alice, "keep"),
        "another partition": order(alice, "destroy", charlie.partition),
        "a stranger": order(charlie, "destroy", alice.partition),
    }[wrong]
    with refused("not-the-owner"):
        body = DestroyPartition(partition=alice.partition, reason="x", consent=consent)
        device.open(device.of("partition")[0], body)
