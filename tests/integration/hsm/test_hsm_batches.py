"""A batch: each item answered in its place, no item harmed by another, one entry in the log, and bounds on its size."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import MAX_BATCH, MAX_ITEMS, MAX_PAYLOAD, Item, Parameters
from strongroom.protocol.log import Entry
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply
from tests.support import outside
from tests.support.imports import Imported
from tests.support.materials import material_of, spki
from tests.support.sealed import Customer

Import = Callable[..., Imported]


def worked(reply: OperationReply) -> list[bytes]:
    assert (reply.code, reply.detail, reply.errors) == ("", "", {})
    return reply.results


def newest_entry(customer: Customer, before: dict[str, list[Entry]]) -> Entry:
    after = customer.hsm.verified_log(customer.partition)
    [entry] = [one for lane, entries in after.items() for one in entries[len(before.get(lane, [])) :]]
    return entry


def test_results_are_in_the_order_of_the_items(alice: Customer, ec_key: Imported) -> None:
    messages = [os.urandom(n) for n in range(50)]
    reply = alice.operate_batch(ec_key.id, "sign", [Item(one) for one in messages])
    assert (reply.key, reply.version, reply.mechanism, reply.result) == (ec_key.id, 1, "ECDSA-SHA256", b"")
    for message, signature in zip(messages, worked(reply), strict=True):
        outside.verify("ECDSA-SHA256", ec_key.material, signature, message)


def test_verify_answers_each_item_by_its_own_signature(alice: Customer, ec_key: Imported) -> None:
    signature = outside.sign("ECDSA-SHA256", ec_key.material, b"m")
    items = [
        Item(b"m", signature),
        Item(b"other", signature),
        Item(b"m", signature[:-1]),
        Item(b"m"),
        Item(b"m", signature),
    ]
    assert worked(alice.operate_batch(ec_key.id, "verify", items)) == [b"\x01", b"\x00", b"\x00", b"\x00", b"\x01"]


def test_a_bad_item_has_its_error_in_its_place_and_harms_no_other(alice: Customer, aes_key: Imported) -> None:
    good = [outside.seal("AES-GCM", aes_key.material, b"m%d" % n) for n in range(4)]
    items = [Item(one) for one in (good[0], good[1][:-1], good[2], b"", os.urandom(60), good[3])]
    reply = alice.operate_batch(aes_key.id, "decrypt", items)
    assert reply.code == ""
    assert reply.results == [b"m0", b"", b"m2", b"", b"", b"m3"]
    assert reply.errors == dict.fromkeys((1, 3, 4), ("ciphertext-invalid", ""))


def test_a_batch_in_which_every_item_is_bad_is_answered_too(alice: Customer, aes_key: Imported) -> None:
    reply = alice.operate_batch(aes_key.id, "decrypt", [Item(b"")] * 3)
    assert (reply.code, reply.results, sorted(reply.errors)) == ("", [b""] * 3, [0, 1, 2])


def test_additional_data_are_the_items_own_or_the_batchs(alice: Customer, aes_key: Imported) -> None:
    items = [Item(b"a"), Item(b"b", aad=b"its own")]
    sealed = worked(alice.operate_batch(aes_key.id, "encrypt", items, parameters=Parameters(aad=b64u(b"all"))))
    assert outside.unseal("AES-GCM", aes_key.material, sealed[0], b"all") == b"a"
    assert outside.unseal("AES-GCM", aes_key.material, sealed[1], b"its own") == b"b"
    reply = alice.operate_batch(aes_key.id, "hash", [Item(b"a"), Item(b"b", aad=b"x")])
    assert reply.errors == {1: ("mechanism-unsupported", "HMAC-SHA256 takes no `aad`")}


def test_prehashed_items_have_each_the_digests_length(alice: Customer, ec_key: Imported) -> None:
    items = [Item(bytes(32)), Item(bytes(31)), Item(bytes(32))]
    reply = alice.operate_batch(ec_key.id, "sign", items, parameters=Parameters(prehashed=True))
    assert [bool(one) for one in reply.results] == [True, False, True]
    assert {index: code for index, (code, _) in reply.errors.items()} == {1: "payload-invalid"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"operation": "encrypt"}, "mechanism-unsupported"),
        ({"operation": "hash"}, "usage-not-permitted"),
        ({"mechanism": "AES-GCM"}, "mechanism-unsupported"),
        ({"version": 9}, "not-found"),
        ({"principal": "client:cl_mallory"}, "access-denied"),
        ({"parameters": Parameters(salt="AAAA")}, "mechanism-unsupported"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_once(
    alice: Customer, ec_key: Imported, changes: dict[str, Any], code: str
) -> None:
    request = {"operation": "sign"} | changes
    reply = alice.operate_batch(ec_key.id, request.pop("operation"), [Item(b"m")] * 3, **request)
    assert (reply.code, reply.results, reply.errors) == (code, [], {})


# --- the log ---


def test_a_batch_is_one_entry_that_says_how_many_and_how_many_failed(alice: Customer, aes_key: Imported) -> None:
    good = Item(outside.seal("AES-GCM", aes_key.material, b"m"))
    before = alice.hsm.verified_log(alice.partition)
    alice.operate_batch(aes_key.id, "decrypt", [good, Item(b""), good, Item(b"")])
    entry = newest_entry(alice, before)
    assert (entry.event, entry.result, entry.key, entry.mechanism) == ("key:decrypt", "ok", aes_key.id, "AES-GCM")
    assert entry.details == {"items": 4, "failed": 2}
    before = alice.hsm.verified_log(alice.partition)
    alice.operate_batch(aes_key.id, "sign", [good] * 7)
    entry = newest_entry(alice, before)
    assert (entry.result, entry.details) == ("mechanism-unsupported", {"items": 7, "failed": 0})


# --- sizes ---


def test_a_batch_has_one_to_ten_thousand_items(alice: Customer, aes_key: Imported) -> None:
    assert MAX_ITEMS == 10_000
    results = worked(alice.operate_batch(aes_key.id, "hash", [Item(b"%d" % n) for n in range(MAX_ITEMS)]))
    assert results[-1] == outside.hash_by("HMAC-SHA256", aes_key.material, b"9999")
    assert len(set(results)) == MAX_ITEMS
    assert alice.operate_batch(aes_key.id, "hash", [Item(b"")] * (MAX_ITEMS + 1)).code == "batch-too-large"
    assert alice.operate_batch(aes_key.id, "hash", []).code == "malformed"


def test_a_batch_and_a_payload_are_not_sent_together(alice: Customer, aes_key: Imported) -> None:
    assert alice.operate(aes_key.id, "hash", b"m", items=[Item(b"m")]).code == "malformed"


def test_a_batch_has_at_most_six_megabytes_of_all_its_parts(alice: Customer, aes_key: Imported) -> None:
    items = [Item(bytes(MAX_PAYLOAD))] * 6
    assert MAX_BATCH == 6 * MAX_PAYLOAD
    for one in worked(alice.operate_batch(aes_key.id, "encrypt", items)):
        assert len(one) == MAX_PAYLOAD + 28
    for more in (Item(b"x"), Item(b"", b"x"), Item(b"", b"", b"x")):
        assert alice.operate_batch(aes_key.id, "encrypt", [*items, more]).code == "batch-too-large"


def test_an_item_that_is_too_large_alone_fails_alone(alice: Customer, aes_key: Imported) -> None:
    reply = alice.operate_batch(aes_key.id, "hash", [Item(b"a"), Item(bytes(MAX_PAYLOAD + 1)), Item(b"b")])
    assert {index: code for index, (code, _) in reply.errors.items()} == {1: "too-large"}


def test_results_that_would_not_fit_an_answer_are_refused_before_anything_is_done(
    alice: Customer, import_key: Import
) -> None:
    key = import_key(alice, KeyType.ML_DSA_65)
    most = MAX_BATCH // 3309
    before = alice.hsm.verified_log(alice.partition)
    assert alice.operate_batch(key.id, "sign", [Item(b"m")] * (most + 1)).code == "batch-too-large"
    assert newest_entry(alice, before).result == "batch-too-large"
    assert len(worked(alice.operate_batch(key.id, "sign", [Item(b"m")] * most))) == most
    key, peer = import_key(alice, KeyType.X25519), Item(spki(material_of(KeyType.X25519)))
    longest = Parameters(length=255 * 32)
    most = MAX_BATCH // longest.length
    assert alice.operate_batch(key.id, "derive", [peer] * (most + 1), parameters=longest).code == "batch-too-large"
    assert len(worked(alice.operate_batch(key.id, "derive", [peer] * most, parameters=longest))) == most
