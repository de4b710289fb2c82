"""Data keys: made and wrapped in the device, and in clear only for those who may unwrap."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported
from tests.support.sealed import Customer, SealedDevice

AES = KeyType.AES_256
Import = Callable[..., Imported]


def make(
    customer: Customer, key: str, length: int = 32, *, payload: bytes = b"", **parameters: bool
) -> tuple[str, bytes]:
    reply = customer.operate(key, "wrap", payload, parameters=Parameters(generate=length, **parameters))
    return reply.code, reply.result


@pytest.mark.parametrize("length", [16, 24, 32, 48, 64])
def test_a_data_key_comes_wrapped_and_each_is_another(alice: Customer, import_key: Import, length: int) -> None:
    key = import_key(alice, AES)
    made = [make(alice, key.id, length)[1] for _ in range(2)]
    opened = [aes_key_unwrap_with_padding(key.material, one) for one in made]
    assert [len(one) for one in opened] == [length] * 2
    assert opened[0] != opened[1]
    assert alice.operate(key.id, "unwrap", made[0]).result == opened[0]


def test_in_clear_it_stands_before_its_wrapping(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, AES)
    code, result = make(alice, key.id, clear=True)
    assert (code, result[:32]) == ("", aes_key_unwrap_with_padding(key.material, result[32:]))


def test_in_clear_only_where_terms_and_list_permit_unwrap_too(hsm: SealedDevice, import_key: Import) -> None:
    bob = hsm.customer("acme")
    one_way, both_ways = import_key(bob, AES, usages=["wrap"], translate_to=[]), import_key(bob, AES)
    assert make(bob, one_way.id, clear=True) == ("usage-not-permitted", b"")
    assert make(bob, one_way.id)[0] == make(bob, both_ways.id, clear=True)[0] == ""
    bob.allow(bob.device_entry(["import"]), bob.client_entry(["wrap"]))
    assert make(bob, both_ways.id, clear=True) == ("access-denied", b"")
    assert make(bob, both_ways.id)[0] == ""


def test_a_batch_makes_as_many_as_it_has_items(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, AES)
    items = [Item(b"")] * 3 + [Item(b"a payload")]
    reply = alice.operate_batch(key.id, "wrap", items, parameters=Parameters(generate=24, clear=True))
    assert [one[:24] == aes_key_unwrap_with_padding(key.material, one[24:]) for one in reply.results[:3]] == [True] * 3
    assert len(set(reply.results[:3])) == 3
    assert reply.errors[3][0] == "payload-invalid"


def test_a_signed_instruction_says_what_is_made(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, AES, authorisation="signed")
    asked = Parameters(generate=32, clear=True)
    reply = alice.operate_signed(key.id, "wrap", b"", "AES-KWP", parameters=asked)
    assert reply.result[:32] == aes_key_unwrap_with_padding(key.material, reply.result[32:])


@pytest.mark.parametrize("length", [-1, 1, 15, 65, 2**31])
def test_other_lengths_are_refused(alice: Customer, import_key: Import, length: int) -> None:
    assert make(alice, import_key(alice, AES).id, length) == ("mechanism-unsupported", b"")


def test_what_does_not_go_together_is_refused(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, AES)
    wrapped = make(alice, key.id)[1]
    assert make(alice, key.id, payload=b"a key of mine")[0] == "payload-invalid"
    for operation, payload, parameters in (
        ("wrap", b"a key of mine", Parameters(clear=True)),
        ("unwrap", wrapped, Parameters(generate=32)),
        ("unwrap", wrapped, Parameters(clear=True)),
        ("encrypt", b"text", Parameters(generate=32)),
    ):
        reply = alice.operate(key.id, operation, payload, parameters=parameters)
        assert (reply.code, reply.result) == ("mechanism-unsupported", b"")
