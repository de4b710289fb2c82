"""Random bytes: for API clients on the partition's access list, and on record."""

import pytest

from strongroom.protocol import commands as c
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice


def ask(customer: Customer, length: int, **changes: str) -> bytes:
    fields = {"partition": customer.partition, "principal": customer.client} | changes
    return customer.hsm.line().call(c.MakeRandom(**fields, length=length), c.MakeRandomReply).random


@pytest.mark.parametrize("length", [1, 32, 65_536])
def test_as_many_bytes_come_as_were_asked_for(alice: Customer, length: int) -> None:
    found = [ask(alice, length) for _ in range(2)]
    assert [len(one) for one in found] == [length] * 2
    assert length < 16 or found[0] != found[1]


@pytest.mark.parametrize("length", [0, -1, 65_537, 2**40])
def test_other_lengths_are_refused(alice: Customer, length: int) -> None:
    with refused("malformed"):
        ask(alice, length)


def test_it_is_on_record_without_the_bytes(alice: Customer) -> None:
    found = ask(alice, 32)
    entry = alice.hsm.verified_log(alice.partition)["admin"][-1]
    assert (entry.event, entry.principal, entry.details) == ("random:make", alice.client, {"bytes": 32})
    assert found.hex() not in str(entry)


def test_only_for_api_clients_on_the_list(hsm: SealedDevice, alice: Customer, charlie: Customer) -> None:
    bob = hsm.customer("acme")
    device = bob.device_entry(["import"]).principal
    for principal in (charlie.client, device, "client:cl_none", ""):
        with refused("access-denied"):
            ask(bob, 32, principal=principal)
    with refused("access-denied"):
        ask(alice, 32, partition=charlie.partition)
    bob.allow(bob.device_entry(["import"]), bob.client_entry([]))
    with refused("access-denied"):
        ask(bob, 32)
    bob.allow(bob.device_entry(["import"]), bob.client_entry(["verify"]))
    assert len(ask(bob, 32)) == 32
