"""A portal that alters a batch or its answers: what the device's signature and the client's own checks catch."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from strongroom.client.batches import in_batches
from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import MAX_BATCH, MAX_ITEMS, Instruction, Item, batch_digest
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support import outside
from tests.support.client import Client
from tests.support.hostile import HostilePortal
from tests.support.materials import material_of
from tests.support.refusals import refused

ITEMS = [Item(b"pay %d to Bob" % n) for n in range(5)]
Body = dict[str, Any]


@pytest.mark.parametrize("token_mode", [False, True])
@pytest.mark.parametrize(
    "key_type", [KeyType.EC_P256, KeyType.EC_SECP256K1, KeyType.RSA, KeyType.ED25519, KeyType.ML_DSA_65]
)
def test_a_batch_is_signed_and_verified(alice: Client, key_type: KeyType, token_mode: bool) -> None:
    alice.import_key("payments", key_type, authorisation="token" if token_mode else "signed")
    outcome = alice.operate_batch(Usage.SIGN, "payments", ITEMS, token_mode=token_mode)
    signed = [Item(one.payload, made.result or b"") for one, made in zip(ITEMS, outcome.results, strict=True)]
    signed.append(Item(b"pay 9 to Mallory", signed[0].signature))
    outcome = alice.operate_batch(Usage.VERIFY, "payments", signed, token_mode=token_mode)
    assert [one.valid for one in outcome.results] == [True] * 5 + [False]


def test_raw_signatures_are_checked_as_such(alice: Client, portal: HostilePortal) -> None:
    material = material_of(KeyType.EC_P384)
    alice.import_key("payments", KeyType.EC_P384, material=material)
    raw = alice.operate(Usage.SIGN, "payments", b"m", format="raw").result
    outside.verify("ECDSA-SHA384", material, outside.to_der(raw), b"m")
    results = alice.operate_batch(Usage.SIGN, "payments", ITEMS, format="raw").results
    for item, one in zip(ITEMS, results, strict=True):
        outside.verify("ECDSA-SHA384", material, outside.to_der(one.result or b""), item.payload)
    assert alice.operate(Usage.VERIFY, "payments", b"m", format="raw", signature=b64u(raw)).valid is True
    portal.alters("operation", lambda answer: answer | {"result": outside.to_der(raw)})
    with refused("signature-invalid"):
        alice.operate(Usage.SIGN, "payments", b"m", format="raw")


def test_ciphers_hashes_and_codes_go_in_batches(alice: Client) -> None:
    for name, key_type in (("a", KeyType.AES_256), ("b", KeyType.CHACHA20)):
        alice.import_key(name, key_type)
    alice.import_key("mac", KeyType.HMAC)
    sealed = alice.operate_batch(Usage.ENCRYPT, "a", [Item(one.payload, aad=b"x") for one in ITEMS]).results
    moved = alice.operate_batch(
        Usage.TRANSLATE, "a", [Item(one.result or b"", aad=b"x") for one in sealed] + [Item(b"broken")], target="b"
    ).results
    assert [one.error.code if one.error else "" for one in moved] == [""] * 5 + ["ciphertext-invalid"]
    opened = alice.operate_batch(Usage.DECRYPT, "b", [Item(one.result or b"") for one in moved[:5]]).results
    assert [one.result for one in opened] == [one.payload for one in ITEMS]
    codes = alice.operate_batch(Usage.HASH, "mac", ITEMS).results
    checked = [Item(one.payload, code.result or b"") for one, code in zip(ITEMS, codes, strict=True)]
    assert [one.valid for one in alice.operate_batch(Usage.VERIFY, "mac", [*checked, Item(b"m")]).results] == [
        True
    ] * 5 + [False]


def test_one_signature_binds_all_items(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    alice.operate_batch(Usage.SIGN, "payments", ITEMS)
    [body] = portal.seen("operation")
    instruction = jws.read_unverified(body["instruction"], Instruction)
    assert (instruction.items, instruction.payload_digest) == (5, batch_digest(ITEMS))
    assert set(body) == {"items", "instruction", "key", "operation"}


@pytest.mark.parametrize(
    "change",
    [
        lambda items: items[::-1],
        lambda items: items[1:],
        lambda items: [*items, items[0]],
        lambda items: [{"payload": base64.b64encode(b"pay 9 to Mallory").decode()}, *items[1:]],
    ],
    ids=["order", "left out", "added", "altered"],
)
def test_a_portal_cannot_alter_what_was_signed(
    alice: Client, portal: HostilePortal, change: Callable[[list[Body]], list[Body]]
) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    portal.does["operation"] = lambda body: portal.honest("operation", body | {"items": change(body["items"])})
    with refused("instruction-mismatch"):
        alice.operate_batch(Usage.SIGN, "payments", ITEMS)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda results: results[::-1], "signature-invalid"),
        (lambda results: [results[0]] * 5, "signature-invalid"),
        (lambda results: results[1:], "internal"),
        (lambda results: [*results, results[0]], "internal"),
        (lambda results: [{}, *results[1:]], "internal"),
        (lambda results: [{"valid": True}, *results[1:]], "internal"),
        (lambda results: [*results[:4], {"result": b""}], "signature-invalid"),
    ],
    ids=["order", "repeated", "too few", "too many", "empty", "another answer", "no signature"],
)
def test_answers_that_are_not_to_the_items_are_refused(
    alice: Client, portal: HostilePortal, lie: Callable[[list[Body]], list[Body]], code: str
) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    portal.alters("operation", lambda answer: answer | {"results": lie(answer["results"])})
    with refused(code):
        alice.operate_batch(Usage.SIGN, "payments", ITEMS)


def test_whether_signatures_hold_is_not_the_portals_to_say(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments", KeyType.EC_P256)
    portal.alters("operation", lambda answer: answer | {"results": [{"valid": True}] * 5})
    with refused("signature-invalid"):
        alice.operate_batch(Usage.VERIFY, "payments", ITEMS)


def test_an_answer_for_another_key_is_refused(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments", KeyType.AES_256)
    for lie in ({"key_id": "key_other"}, {"version": 2}, {"mechanism": "AES-GCM-SIV"}):
        portal.alters("operation", lambda answer, lie=lie: answer | lie)
        with refused("internal"):
            alice.operate_batch(Usage.ENCRYPT, "payments", ITEMS)


def test_what_is_too_much_for_a_batch_never_leaves_and_is_split(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments", KeyType.AES_256)
    portal.requests.clear()
    for items in ([Item(b"")] * (MAX_ITEMS + 1), [Item(bytes(MAX_BATCH)), Item(b"x")]):
        with refused("batch-too-large"):
            alice.operate_batch(Usage.HASH, "payments", items)
    with refused("malformed"):
        alice.operate_batch(Usage.HASH, "payments", [])
    assert not portal.requests


def test_longer_lists_are_split_so_that_requests_and_answers_fit() -> None:
    def sizes(items: list[Item], operation: Usage, mechanism: str, length: int = 0) -> list[int]:
        return [len(one) for one in in_batches(items, operation, mechanism, length)]

    assert sizes([Item(b"")] * 20_001, Usage.HASH, Mechanism.SHA_256) == [10_000, 10_000, 1]
    assert sizes([Item(bytes(1024 * 1024))] * 13, Usage.ENCRYPT, Mechanism.AES_GCM) == [6, 6, 1]
    assert sizes([Item(b"")] * 2000, Usage.SIGN, Mechanism.ML_DSA_65) == [1901, 99]
    assert sizes([Item(b"")] * 800, Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256, 8160) == [771, 29]
    assert sizes([], Usage.HASH, Mechanism.SHA_256) == []
