"""POST keys/{name or id}/{operation} with `items`: batches through the data plane."""

import base64
import os
from collections.abc import Iterator
from typing import Any

import pytest

from strongroom.protocol import jws
from strongroom.protocol.instructions import MAX_ITEMS, MAX_PAYLOAD, MAX_SEALED, Item
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support import outside
from tests.support.keys import aes_terms, import_material, p256_pkcs8, p256_terms
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def batch(*payloads: bytes, **more: Any) -> dict[str, Any]:
    return {"items": [{"payload": b64(one)} for one in payloads], **more}


def results(answer: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(one["result"]) for one in answer["results"]]


def codes(answer: dict[str, Any]) -> list[str]:
    """The code of each item's error, or nothing."""
    return [one["error"]["code"] if "error" in one else "" for one in answer["results"]]


@pytest.fixture(scope="module")
def material() -> bytes:
    return p256_pkcs8()


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer, material: bytes) -> str:
    import_material(acme, acme_customer, "batches-token", material, p256_terms())
    return "keys/batches-token"


@pytest.fixture(scope="module")
def signed_key(acme: Organisation, acme_customer: Customer, material: bytes) -> dict[str, Any]:
    return import_material(acme, acme_customer, "batches-signed", material, p256_terms(authorisation="signed"))


@pytest.fixture(scope="module")
def aes(acme: Organisation, acme_customer: Customer) -> tuple[str, bytes]:
    """An AES key's path, and its bytes."""
    secret = os.urandom(32)
    import_material(acme, acme_customer, "batches-aes", secret, aes_terms())
    return "keys/batches-aes", secret


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[OperationRequest]]:
    """What the TEE is asked, as it is asked."""
    from tee.drivers.emulator import Emulator

    requests: list[OperationRequest] = []
    operate = Emulator.operate

    def listen(self: Emulator, request: OperationRequest) -> OperationReply:
        requests.append(request)
        return operate(self, request)

    monkeypatch.setattr(Emulator, "operate", listen)
    return iter([requests])


def test_signatures_come_in_the_order_of_the_items(acme: Organisation, key: str, material: bytes) -> None:
    messages = [os.urandom(n) for n in range(30)]
    answer = acme.as_client().post(f"{key}/sign", json=batch(*messages)).json()
    assert set(answer) == {"results", "key_id", "version", "mechanism"}
    assert (answer["version"], answer["mechanism"]) == (1, "ECDSA-SHA256")
    for message, signature in zip(messages, results(answer), strict=True):
        outside.verify("ECDSA-SHA256", material, signature, message)
    pairs = [
        {"payload": b64(one), "signature": made["result"]}
        for one, made in zip(messages, answer["results"], strict=True)
    ]
    pairs[3]["payload"] = b64(b"another")
    answer = acme.as_client().post(f"{key}/verify", json={"items": pairs}).json()
    assert [one["valid"] for one in answer["results"]] == [n != 3 for n in range(30)]


def test_parameters_are_for_all_items(acme: Organisation, key: str, material: bytes, aes: tuple[str, bytes]) -> None:
    client, (path, secret) = acme.as_client(), aes
    raw = client.post(f"{key}/sign", json=batch(b"a", b"b", parameters={"format": "raw"}, mechanism="ECDSA-SHA512"))
    for message, one in zip((b"a", b"b"), results(raw.json()), strict=True):
        outside.verify("ECDSA-SHA512", material, outside.to_der(one), message)
    body = batch(b"a", b"b", parameters={"aad": b64(b"\xff\xfe")})
    body["items"][1]["aad"] = b64(b"its own")
    sealed = results(client.post(f"{path}/encrypt", json=body).json())
    assert outside.unseal("AES-GCM", secret, sealed[0], b"\xff\xfe") == b"a"
    assert outside.unseal("AES-GCM", secret, sealed[1], b"its own") == b"b"


def test_the_only_item_may_be_a_bad_one(acme: Organisation, key: str) -> None:
    response = acme.as_client().post(f"{key}/sign", json={"items": [{"payload": "**"}]})
    assert response.status_code == 200
    assert codes(response.json()) == ["malformed"]
    response = acme.as_client().post(f"{key}/sign", json=batch(bytes(MAX_SEALED + 1)))
    assert (response.status_code, codes(response.json())) == (200, ["too-large"])


def test_a_signature_that_was_forgotten_is_told_from_one_that_does_not_hold(acme: Organisation, key: str) -> None:
    client, message = acme.as_client(), {"payload": b64(b"m")}
    response = client.post(f"{key}/verify", json=message)
    assert (response.status_code, code_of(response)) == (400, "malformed")
    assert "`parameters.signature`" in response.json()["detail"]
    assert client.post(f"{key}/verify", json=message | {"parameters": {"signature": ""}}).json()["valid"] is False
    answer = client.post(f"{key}/verify", json={"items": [message, message | {"signature": ""}]}).json()
    assert codes(answer) == ["malformed", ""]
    assert "`signature`" in answer["results"][0]["error"]["detail"]
    assert answer["results"][1] == {"valid": False}


def test_one_bad_item_never_fails_the_others(acme: Organisation, aes: tuple[str, bytes]) -> None:
    path, secret = aes
    good = b64(outside.seal("AES-GCM", secret, b"m"))
    items: list[Any] = [
        {"payload": good},
        {"payload": b64(b"no ciphertext")},
        {"payload": "not base64!"},
        {},
        {"payload": good, "extra": 1},
        {"payload": good},
        7,
        {"payload": None},
        {"payload": b64(bytes(MAX_SEALED + 1))},
        {"payload": good, "aad": b64(b"other")},
        {"payload": good},
    ]
    answer = acme.as_client().post(f"{path}/decrypt", json={"items": items}).json()
    assert codes(answer) == [
        "", "ciphertext-invalid", "malformed", "malformed", "malformed", "", "malformed", "malformed", "too-large",
        "ciphertext-invalid", "",
    ]  # fmt: skip
    assert [answer["results"][n] for n in (0, 5, 10)] == [{"result": b64(b"m")}] * 3
    assert all(
        set(one["error"]) == {"code", "detail"} and one["error"]["detail"]
        for one in answer["results"]
        if "error" in one
    )


def test_ten_thousand_items_go_in_chunks_and_one_more_is_too_many(
    acme: Organisation, key: str, asked: Iterator[list[OperationRequest]]
) -> None:
    requests, client = next(asked), acme.as_client()
    answer = client.post(f"{key}/hash", json=batch(*(b"%d" % n for n in range(MAX_ITEMS)))).json()
    assert results(answer) == [outside.hash_by("SHA-256", b"", b"%d" % n) for n in range(MAX_ITEMS)]
    assert sum(len(one.items or []) for one in requests) == MAX_ITEMS
    assert len(requests) == 50
    # The version that was current for the first chunk is asked for in all that follow.
    assert [one.version for one in requests] == [0] + [1] * 49
    response = client.post(f"{key}/hash", json=batch(*[b""] * (MAX_ITEMS + 1)))
    assert (response.status_code, code_of(response)) == (413, "batch-too-large")
    assert len(requests) == 50


def test_chunks_fit_into_frames(
    acme: Organisation, aes: tuple[str, bytes], asked: Iterator[list[OperationRequest]]
) -> None:
    requests, (path, secret) = next(asked), aes
    payload = os.urandom(MAX_PAYLOAD)
    answer = acme.as_client().post(f"{path}/encrypt", json=batch(*[payload] * 13)).json()
    assert [len(one.items or []) for one in requests] == [6, 6, 1]
    assert {outside.unseal("AES-GCM", secret, one) for one in results(answer)} == {payload}


def test_long_derived_keys_go_in_chunks_whose_answers_fit(acme: Organisation, acme_customer: Customer) -> None:
    from tests.support.materials import material_of, spki

    own, peer = material_of(KeyType.X25519), b64(spki(material_of(KeyType.X25519)))
    terms = p256_terms(key_type=KeyType.X25519, usages=[Usage.DERIVE])
    import_material(acme, acme_customer, "batches-derive", own, terms)
    body = {"items": [{"payload": peer, "aad": b64(b"%d" % n)} for n in range(900)], "parameters": {"length": 8160}}
    answer = acme.as_client().post("keys/batches-derive/derive", json=body).json()
    assert len(set(results(answer))) == 900
    assert {len(one) for one in results(answer)} == {8160}
    for length in (-1, 2**62):
        response = acme.as_client().post("keys/batches-derive/derive", json=body | {"parameters": {"length": length}})
        assert code_of(response) == "malformed"


def test_a_body_has_a_largest_size(acme: Organisation, aes: tuple[str, bytes]) -> None:
    from portal.dataplane.bodies import MAX_BODY

    body = b'{"items": [{"payload": "' + b"A" * MAX_BODY + b'"}]}'
    response = acme.as_client().post(f"{aes[0]}/encrypt", content=body)
    assert (response.status_code, code_of(response)) == (413, "too-large")


def test_a_device_that_goes_away_in_the_middle_leaves_what_was_done(
    acme: Organisation, key: str, material: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.dataplane.batches import CHUNK_ITEMS
    from strongroom.protocol.errors import Refused
    from tee.drivers.emulator import Emulator

    operate, calls = Emulator.operate, []

    def cut(self: Emulator, request: OperationRequest) -> OperationReply:
        calls.append(request)
        if len(calls) == 2:
            raise Refused("hsm-unreachable", "the device's socket does not answer")
        return operate(self, request)

    monkeypatch.setattr(Emulator, "operate", cut)
    answer = acme.as_client().post(f"{key}/sign", json=batch(*[b"m"] * 1200)).json()
    assert codes(answer) == [""] * CHUNK_ITEMS + ["hsm-unreachable"] * (1200 - CHUNK_ITEMS)
    outside.verify("ECDSA-SHA256", material, base64.b64decode(answer["results"][CHUNK_ITEMS - 1]["result"]), b"m")
    assert len(calls) == 2


# --- one signature over a batch ---


def signed(customer: Customer, key_id: str, *payloads: bytes, **changes: Any) -> dict[str, Any]:
    items = [Item(one) for one in payloads]
    instruction = customer.batch_instruction(key_id, "sign", items, "ECDSA-SHA256", **changes)
    return batch(*payloads, instruction=jws.sign(instruction, customer.device_key))


def test_a_signed_batch_is_carried_out_once_in_one_round_trip(
    acme: Organisation,
    acme_customer: Customer,
    signed_key: dict[str, Any],
    material: bytes,
    asked: Iterator[list[OperationRequest]],
) -> None:
    requests, client, path = next(asked), acme.as_client(), f"keys/{signed_key['name']}/sign"
    assert code_of(client.post(path, json=batch(b"a"))) == "signed-instruction-required"
    messages = [b"%d" % n for n in range(1100)]
    body = signed(acme_customer, signed_key["key_id"], *messages)
    answer = client.post(path, json=body).json()
    for message, signature in list(zip(messages, results(answer), strict=True))[::100]:
        outside.verify("ECDSA-SHA256", material, signature, message)
    assert len(requests) == 2
    assert code_of(client.post(path, json=body)) == "instruction-replayed"


@pytest.mark.parametrize("how", ["order", "left out", "added", "altered", "single"])
def test_a_signed_batch_that_was_altered_is_refused(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any], how: str
) -> None:
    body = signed(acme_customer, signed_key["key_id"], b"a", b"b")
    items = body.pop("items")
    altered = {
        "order": {"items": items[::-1]},
        "left out": {"items": items[:1]},
        "added": {"items": [*items, items[0]]},
        "altered": {"items": [items[0], {"payload": b64(b"c")}]},
        "single": items[0],
    }[how]
    response = acme.as_client().post(f"keys/{signed_key['name']}/sign", json=body | altered)
    assert code_of(response) == "instruction-mismatch"


def test_a_signed_batch_is_answered_whole_or_not_at_all(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any]
) -> None:
    path = f"keys/{signed_key['name']}/sign"
    body = signed(acme_customer, signed_key["key_id"], b"a", b"b")
    body["items"][1]["payload"] = "!"
    response = acme.as_client().post(path, json=body)
    assert (code_of(response), "item 1" in response.json()["detail"]) == ("malformed", True)
    body = signed(acme_customer, signed_key["key_id"], *[bytes(MAX_PAYLOAD)] * 6, b"x")
    response = acme.as_client().post(path, json=body)
    assert (response.status_code, code_of(response)) == (413, "batch-too-large")


def test_a_stale_session_is_answered_with_the_one_in_force(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any]
) -> None:
    body = signed(acme_customer, signed_key["key_id"], b"a", session="old")
    response = acme.as_client().post(f"keys/{signed_key['name']}/sign", json=body)
    assert (code_of(response), bool(response.json()["session"])) == ("session-stale", True)


# --- the whole ---


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "malformed"),
        ({"items": []}, "malformed"),
        ({"items": {}}, "malformed"),
        ({"items": None}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "payload": "YQ=="}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "unknown": 1}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "version": -1}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "parameters": {"signature": "YQ=="}}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "parameters": {"format": "der"}}, "malformed"),
        ({"items": [{"payload": "YQ=="}], "parameters": {"salt": "YQ=="}}, "mechanism-unsupported"),
        ({"items": [{"payload": "YQ=="}], "mechanism": "ROT13"}, "mechanism-unsupported"),
        ({"items": [{"payload": "YQ=="}], "version": 9}, "not-found"),
    ],
)
def test_what_is_wrong_with_the_whole_is_a_problem(acme: Organisation, key: str, body: Any, code: str) -> None:
    assert code_of(acme.as_client().post(f"{key}/sign", json=body)) == code


def test_only_who_may_sign_may_sign_in_a_batch(acme: Organisation, globex: Organisation, key: str) -> None:
    assert code_of(globex.as_client().post(f"{key}/sign", json=batch(b"m"))) == "not-found"
    assert code_of(acme.as_operator().post(f"{key}/sign", json=batch(b"m"))) == "forbidden"
    assert code_of(acme.as_client().post(f"{key}/encrypt", json=batch(b"m"))) == "mechanism-unsupported"
