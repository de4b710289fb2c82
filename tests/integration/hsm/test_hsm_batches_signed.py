"""A signed batch is carried out once, exactly with the items and in the order that the device signed."""

from collections.abc import Callable

import msgspec
import pytest

from strongroom.protocol import jws
from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import Item, Parameters, batch_digest
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply
from tests.support import outside
from tests.support.imports import Imported
from tests.support.sealed import Customer

ITEMS = [Item(b"one"), Item(b"two", b"signature"), Item(b"three", b"", b"aad")]
ECDSA = "ECDSA-SHA256"


@pytest.fixture
def token(alice: Customer, signed_key: Imported) -> str:
    """An instruction to verify `ITEMS`, not yet used."""
    return jws.sign(alice.batch_instruction(signed_key.id, "verify", ITEMS, ECDSA), alice.device_key)


def give(customer: Customer, key: Imported, token: str, items: list[Item], operation: str = "verify") -> OperationReply:
    return customer.operate_batch(key.id, operation, items, instruction=token)


def test_it_is_carried_out_once(alice: Customer, signed_key: Imported, token: str) -> None:
    reply = give(alice, signed_key, token, ITEMS)
    assert (reply.code, len(reply.results)) == ("", 3)
    assert give(alice, signed_key, token, ITEMS).code == "instruction-replayed"
    log = alice.hsm.verified_log(alice.partition)
    first, second = [one for entries in log.values() for one in entries if one.digest == digest(token.encode())]
    assert sorted([first.result, second.result]) == ["instruction-replayed", "ok"]
    assert first.principal == alice.device_entry([]).principal
    assert first.details == {"items": 3, "failed": 0 if first.result == "instruction-replayed" else len(reply.errors)}


def test_a_key_in_signed_mode_takes_no_batch_on_the_portals_word(alice: Customer, signed_key: Imported) -> None:
    assert alice.operate_batch(signed_key.id, "sign", ITEMS).code == "signed-instruction-required"


def test_every_part_of_every_item_and_their_order_are_signed(alice: Customer, signed_key: Imported, token: str) -> None:
    altered = [
        [ITEMS[1], ITEMS[0], ITEMS[2]],
        ITEMS[:2],
        [*ITEMS, Item(b"four")],
        [*ITEMS, Item(b"")],
        [Item(b"One"), *ITEMS[1:]],
        [ITEMS[0], Item(b"two", b"Signature"), ITEMS[2]],
        [ITEMS[0], ITEMS[1], Item(b"three", b"", b"Aad")],
        [ITEMS[0], ITEMS[1], Item(b"three", b"aad", b"")],
        [ITEMS[0], Item(b"twosignature"), ITEMS[2]],
        [Item(b"onetwo", b"signature"), Item(b""), ITEMS[2]],
    ]
    for items in altered:
        assert give(alice, signed_key, token, items).code == "instruction-mismatch"
    assert give(alice, signed_key, token, ITEMS, "sign").code == "instruction-mismatch"
    # None of them used the instruction up.
    assert give(alice, signed_key, token, ITEMS).code == ""


def test_a_batch_of_one_is_no_single_and_a_single_no_batch_of_one(alice: Customer, signed_key: Imported) -> None:
    items = [Item(b"m")]
    batch = alice.batch_instruction(signed_key.id, "sign", items, ECDSA)
    single = alice.instruction(signed_key.id, "sign", b"m", ECDSA)
    assert alice.operate(signed_key.id, "sign", b"m", instruction=jws.sign(batch, alice.device_key)).code == (
        "instruction-mismatch"
    )
    assert give(alice, signed_key, jws.sign(single, alice.device_key), items, "sign").code == "instruction-mismatch"
    # Nor where one claims to be the other by half.
    for wrong in (
        msgspec.structs.replace(single, items=1),
        msgspec.structs.replace(batch, items=0),
        msgspec.structs.replace(batch, items=2),
    ):
        assert give(alice, signed_key, jws.sign(wrong, alice.device_key), items, "sign").code == "instruction-mismatch"
    pre_image = msgspec.structs.replace(single, payload_digest=batch_digest(items))
    token = jws.sign(pre_image, alice.device_key)
    assert alice.operate(signed_key.id, "sign", b"m", instruction=token).code == "instruction-mismatch"


def test_what_the_instruction_says_counts_for_all_items(alice: Customer, import_key: Callable[..., Imported]) -> None:
    key = import_key(alice, KeyType.EC_P256, authorisation="signed")
    items = [Item(b"a"), Item(b"b")]
    instruction = alice.batch_instruction(key.id, "sign", items, "ECDSA-SHA384", parameters=Parameters(format="raw"))
    token = jws.sign(instruction, alice.device_key)
    reply = alice.operate_batch(key.id, "sign", items, instruction=token, mechanism="ignored", version=9)
    assert (reply.code, reply.mechanism) == ("", "ECDSA-SHA384")
    for item, raw in zip(items, reply.results, strict=True):
        outside.verify("ECDSA-SHA384", key.material, outside.to_der(raw), item.payload)
