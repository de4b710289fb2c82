"""POST keys/{name}/{operation}?async=1, GET operations/{id}: carried out by a worker, and sealed wherever it rests."""

import base64
from typing import Any

import pytest

from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealed import open_reply
from tests.support import outside
from tests.support.asynchronous import AES, SECRET, b64, finished, submit
from tests.support.hardware import now
from tests.support.keys import aes_terms, import_material, p256_terms
from tests.support.materials import material_of
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall


@pytest.fixture(scope="module")
def signed_key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    terms = aes_terms(authorisation="signed")
    return import_material(acme, acme_customer, "async-signed", material_of(KeyType.AES_256), terms)


@pytest.mark.parametrize("way", ["query", "preference"])
def test_the_caller_gets_the_result_in_clear_by_the_same_token(
    acme: Organisation, async_key: dict[str, Any], way: str
) -> None:
    app = acme.as_client()
    body = {"payload": b64(SECRET), "parameters": {"aad": b64(b"invoice")}}
    if way == "query":
        response = app.post("keys/async-aes/encrypt?async=1", json=body)
    else:
        response = app.post("keys/async-aes/encrypt", json=body, headers={"Prefer": "wait=5, Respond-Async"})
    assert response.json()["status"] == "queued"
    done = finished(app, response)
    assert (done["status"], done["error"]) == ("done", None)
    assert (done["answer"]["key_id"], done["answer"]["version"]) == (async_key["key_id"], 1)
    ciphertext = base64.b64decode(done["answer"]["result"])
    assert outside.unseal("AES-GCM", AES, ciphertext, b"invoice") == SECRET
    opened = finished(app, submit(app, "async-aes/decrypt", payload=b64(ciphertext), parameters=body["parameters"]))
    assert opened["answer"]["result"] == b64(SECRET)


@pytest.mark.parametrize("value", ["async=true", "async=0", "async", "async=1&async=2"])
def test_what_means_to_be_asynchronous_and_is_not_is_refused(acme: Organisation, async_key: object, value: str) -> None:
    response = acme.as_client().post(f"keys/async-aes/encrypt?{value}", json={"payload": b64(b"m")})
    assert (response.status_code, code_of(response)) == (400, "malformed")


def test_the_database_holds_neither_payload_nor_result(acme: Organisation, async_key: object) -> None:
    from portal.jobs.models import Operation

    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))

    def rows() -> bytes:
        row = Operation.objects.using("provider").filter(operation_id=response.json()["id"]).values().get()
        return b"".join(bytes(one) if isinstance(one, memoryview) else str(one).encode() for one in row.values())

    before = rows()
    result = base64.b64decode(finished(app, response)["answer"]["result"])
    after = rows()
    for kept in (before, after):
        for secret in (SECRET, b64(SECRET).encode(), result, b64(result).encode(), acme.client_token.encode()):
            assert secret not in kept
    assert len(before) > len(SECRET)


def test_a_batch_has_each_answer_in_its_place(acme: Organisation, async_key: object) -> None:
    app = acme.as_client()
    items = [{"payload": b64(b"%d" % n)} for n in range(5)]
    done = finished(app, submit(app, "async-aes/encrypt", items=items))
    sealed = [base64.b64decode(one["result"]) for one in done["answer"]["results"]]
    assert [outside.unseal("AES-GCM", AES, one) for one in sealed] == [b"%d" % n for n in range(5)]
    items = [{"payload": b64(sealed[0])}, {"payload": b64(b"x" * 40)}, {"payload": b64(sealed[2])}]
    results = finished(app, submit(app, "async-aes/decrypt", items=items))["answer"]["results"]
    assert [one.get("result") for one in results] == [b64(b"0"), None, b64(b"2")]
    assert results[1]["error"]["code"] == "ciphertext-invalid"


def test_an_item_that_cannot_be_read_fails_no_other(acme: Organisation, async_key: object) -> None:
    from portal.jobs.models import Operation

    app = acme.as_client()
    items: list[Any] = [{"payload": b64(b"0")}, {"payload": "**"}, {}, {"payload": b64(b"3")}, {"known plaintext": 1}]
    response = submit(app, "async-aes/encrypt", items=items)
    done = finished(app, response)
    results = done["answer"]["results"]
    assert [one.get("error", {}).get("code") for one in results] == [None, "malformed", "malformed", None, "malformed"]
    assert all(one["error"]["detail"] for one in results if "error" in one)
    for place in (0, 3):
        assert outside.unseal("AES-GCM", AES, base64.b64decode(results[place]["result"])) == b"%d" % place
    # What is said of an item may quote it, and is at rest as the result is.
    row = Operation.objects.using("provider").filter(operation_id=response.json()["id"]).values().get()
    assert b"known plaintext" not in b"".join(bytes(one) for one in row.values() if isinstance(one, memoryview))
    assert "known plaintext" not in str(row)
    # None of them.
    done = finished(app, submit(app, "async-aes/encrypt", items=[{"payload": "**"}]))
    assert (done["status"], [one["error"]["code"] for one in done["answer"]["results"]]) == ("done", ["malformed"])


def test_what_the_client_seals_the_client_opens(
    acme: Organisation, acme_customer: Customer, async_key: dict[str, Any]
) -> None:
    app = acme.as_client()
    call = SealedCall(acme_customer, async_key["key_id"], "encrypt", "AES-GCM", SECRET, Parameters())
    done = finished(
        app,
        submit(
            app, "async-aes/encrypt", sealed=b64(call.sealed), operations_key=call.binding.operations_key, version=1,
            mechanism="AES-GCM",
        ),
    )  # fmt: skip
    assert "answer" not in done
    reply = open_reply(call.reply_key, digest(call.sealed), base64.b64decode(done["sealed"]))
    assert outside.unseal("AES-GCM", AES, reply.result) == SECRET


def test_a_key_in_signed_mode_takes_a_deferred_instruction_over_what_is_sealed(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any]
) -> None:
    app = acme.as_client()
    stated = {"session": "", "expires_at": now() + 3600}
    call = SealedCall(acme_customer, signed_key["key_id"], "encrypt", "AES-GCM", SECRET, signed=True, stated=stated)
    sealed = {"sealed": b64(call.sealed), "operations_key": call.binding.operations_key, "version": 1,
              "mechanism": "AES-GCM"}  # fmt: skip
    done = finished(app, submit(app, "async-signed/encrypt", **sealed, instruction=call.request.instruction))
    assert done["status"] == "done", done
    # Without it, and in clear, the key refuses.
    failed = finished(app, submit(app, "async-signed/encrypt", **sealed))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "signed-instruction-required")
    clear = submit(app, "async-signed/encrypt", payload=b64(SECRET), instruction=call.request.instruction)
    assert code_of(clear) == "instruction-mismatch"


def test_the_same_request_under_one_key_is_one_operation(acme: Organisation, async_key: object) -> None:
    app = acme.as_client()
    body, headers = {"payload": b64(SECRET)}, {"Idempotency-Key": digest(SECRET)}
    first = app.post("keys/async-aes/encrypt?async=1", json=body, headers=headers)
    again = app.post("keys/async-aes/encrypt?async=1", json=body, headers=headers)
    assert again.json() == first.json()
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "body",
    [
        {"payload": "!"}, {}, {"payload": "YQ==", "callback": 1}, {"payload": "YQ==", "more": 1},
        {"sealed": "YQ=="}, {"sealed": "YQ==", "operations_key": "ok_a", "payload": "YQ=="},
        {"items": []}, [],
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_malformed_at_once(acme: Organisation, async_key: object, body: Any) -> None:
    assert code_of(acme.as_client().post("keys/async-aes/encrypt?async=1", json=body)) == "malformed"


def test_verify_says_whether_it_holds(acme: Organisation, acme_customer: Customer) -> None:
    material = material_of(KeyType.EC_P256)
    import_material(acme, acme_customer, "async-p256", material, p256_terms())
    app = acme.as_client()
    signature = finished(app, submit(app, "async-p256/sign", payload=b64(SECRET)))["answer"]["result"]
    for payload, holds in ((SECRET, True), (SECRET + b"!", False)):
        body = {"payload": b64(payload), "parameters": {"signature": signature}}
        answer = finished(app, submit(app, "async-p256/verify", **body))["answer"]
        assert (answer["valid"], "result" in answer) == (holds, False)
