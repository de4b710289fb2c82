"""POST keys/{name}/{operation} with `sealed`: passed on as it is, answered sealed, with the device's statement."""

import base64
from typing import Any

import msgspec
import pytest

from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply
from tests.support import outside
from tests.support.keys import aes_terms, import_material
from tests.support.materials import material_of
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall

SECRET = b"known plaintext of a sealed call"
AES = material_of(KeyType.AES_256)


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_material(acme, acme_customer, "sealed-aes", AES, aes_terms())


def body_of(call: SealedCall) -> dict[str, Any]:
    return {
        "sealed": base64.b64encode(call.sealed).decode(),
        "operations_key": call.binding.operations_key,
        "version": call.binding.version,
        "mechanism": call.mechanism,
        "instruction": call.request.instruction,
        "count": len(call.items or []),
    }


def reply_of(answer: dict[str, Any]) -> OperationReply:
    return OperationReply(sealed=base64.b64decode(answer["sealed"]), statement=answer["statement"])


@pytest.mark.parametrize("signed", [False, True])
def test_one_payload(acme: Organisation, acme_customer: Customer, key: dict[str, Any], signed: bool) -> None:
    call = SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET, signed=signed)
    answer = acme.as_client().post("keys/sealed-aes/encrypt", json=body_of(call)).json()
    assert set(answer) == {"sealed", "statement", "key_id", "version", "mechanism"}
    assert (answer["key_id"], answer["version"], answer["mechanism"]) == (key["key_id"], 1, "AES-GCM")
    assert outside.unseal("AES-GCM", AES, call.open(reply_of(answer)).result, b"") == SECRET


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_device_insists_on_how_many_items_are_said_to_be_inside(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any], count: int
) -> None:
    items = [Item(SECRET), Item(b"")]
    call = SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", items=items)
    answer = acme.as_client().post("keys/sealed-aes/encrypt", json=body_of(call) | {"count": count})
    assert (answer.status_code, code_of(answer)) == (400, "malformed")
    assert answer.json()["detail"] == f"`count` is {count}, and 2 items are sealed inside"


def test_a_batch(acme: Organisation, acme_customer: Customer, key: dict[str, Any]) -> None:
    items = [Item(SECRET), Item(b""), Item(SECRET, aad=b"x")]
    call = SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", items=items)
    answer = acme.as_client().post("keys/sealed-aes/encrypt", json=body_of(call)).json()
    results = call.open(reply_of(answer)).results
    assert [outside.unseal("AES-GCM", AES, one, item.aad) for one, item in zip(results, items, strict=True)] == [
        SECRET, b"", SECRET,
    ]  # fmt: skip


@pytest.mark.parametrize("beside", [{"payload": ""}, {"items": []}, {"parameters": {"aad": "eA=="}}])
def test_nothing_in_clear_goes_beside_it(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any], beside: dict[str, Any]
) -> None:
    body = body_of(SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET))
    assert code_of(acme.as_client().post("keys/sealed-aes/encrypt", json=body | beside)) == "malformed"


def test_what_the_device_refuses_is_told_in_clear(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any]
) -> None:
    app = acme.as_client()
    body = body_of(SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET))
    assert code_of(app.post("keys/sealed-aes/decrypt", json=body)) == "sealed-unopenable"
    assert code_of(app.post("keys/sealed-aes/encrypt", json=body | {"operations_key": "ok_x"})) == (
        "operations-key-unknown"
    )


def test_charlie_reaches_no_key_of_acmes_by_it(
    acme_customer: Customer, globex: Organisation, key: dict[str, Any]
) -> None:
    body = body_of(SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET))
    assert code_of(globex.as_client().post(f"keys/{key['key_id']}/encrypt", json=body)) == "not-found"


def test_the_operations_key_is_published(acme: Organisation, acme_customer: Customer) -> None:
    [device] = acme.as_client().get("trust").json()["devices"]
    assert device["operations_keys"] == acme_customer.published.operations_keys


def test_request_and_answer_hold_nothing_readable(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any]
) -> None:
    call = SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET)
    answer = acme.as_client().post("keys/sealed-aes/encrypt", json=body_of(call)).json()
    assert SECRET not in call.sealed
    assert call.reply_key not in call.sealed
    assert call.open(reply_of(answer)).result not in msgspec.msgpack.encode(reply_of(answer))
