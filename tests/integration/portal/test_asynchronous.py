"""POST keys/{name}/{operation}?async=1, GET operations/{id}: carried out by a worker, and sealed wherever it rests."""

import base64
import json
from typing import Any

import httpx
import pytest

from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealed import open_reply
from tests.support import outside
from tests.support.hardware import now
from tests.support.keys import aes_terms, import_material, p256_terms
from tests.support.listener import listening
from tests.support.materials import material_of
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall

SECRET = b"known plaintext of an asynchronous call"
AES = material_of(KeyType.AES_256)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_material(acme, acme_customer, "async-aes", AES, aes_terms())


@pytest.fixture(scope="module")
def signed_key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    terms = aes_terms(authorisation="signed")
    return import_material(acme, acme_customer, "async-signed", material_of(KeyType.AES_256), terms)


def submit(browser: Browser, path: str, **body: Any) -> httpx.Response:
    return browser.post(f"keys/{path}?async=1", json=body)


def work(operation: dict[str, Any]) -> None:
    """What the worker does."""
    from portal.jobs.models import Operation
    from portal.jobs.operations import run
    from tenants.models import Tenant

    row = Operation.objects.using("provider").get(operation_id=operation["id"])
    run(tenant=Tenant.objects.get(pk=row.tenant_id), operation=row.pk)


def finished(browser: Browser, response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    work(response.json())
    return browser.get(response.headers["location"].removeprefix("/api/v1/")).json()


@pytest.mark.parametrize("way", ["query", "preference"])
def test_the_caller_gets_the_result_in_clear_by_the_same_token(
    acme: Organisation, key: dict[str, Any], way: str
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
    assert (done["answer"]["key_id"], done["answer"]["version"]) == (key["key_id"], 1)
    ciphertext = base64.b64decode(done["answer"]["result"])
    assert outside.unseal("AES-GCM", AES, ciphertext, b"invoice") == SECRET
    opened = finished(app, submit(app, "async-aes/decrypt", payload=b64(ciphertext), parameters=body["parameters"]))
    assert opened["answer"]["result"] == b64(SECRET)


@pytest.mark.parametrize("value", ["async=true", "async=0", "async", "async=1&async=2"])
def test_what_means_to_be_asynchronous_and_is_not_is_refused(acme: Organisation, key: object, value: str) -> None:
    response = acme.as_client().post(f"keys/async-aes/encrypt?{value}", json={"payload": b64(b"m")})
    assert (response.status_code, code_of(response)) == (400, "malformed")


def test_another_token_of_the_same_tenant_gets_it_sealed_and_is_told_why(acme: Organisation, key: object) -> None:
    from tenants import services

    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    where = response.headers["location"].removeprefix("/api/v1/")
    finished(app, response)
    _, other = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    for browser in (Browser(other), acme.as_auditor()):
        seen = browser.get(where).json()
        assert (seen["status"], "answer" in seen) == ("done", False)
        assert "only that token" in seen["note"]
        assert seen["sealed"]


def test_the_database_holds_neither_payload_nor_result(acme: Organisation, key: object) -> None:
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


def test_a_batch_has_each_answer_in_its_place(acme: Organisation, key: object) -> None:
    app = acme.as_client()
    items = [{"payload": b64(b"%d" % n)} for n in range(5)]
    done = finished(app, submit(app, "async-aes/encrypt", items=items))
    sealed = [base64.b64decode(one["result"]) for one in done["answer"]["results"]]
    assert [outside.unseal("AES-GCM", AES, one) for one in sealed] == [b"%d" % n for n in range(5)]
    items = [{"payload": b64(sealed[0])}, {"payload": b64(b"x" * 40)}, {"payload": b64(sealed[2])}]
    results = finished(app, submit(app, "async-aes/decrypt", items=items))["answer"]["results"]
    assert [one.get("result") for one in results] == [b64(b"0"), None, b64(b"2")]
    assert results[1]["error"]["code"] == "ciphertext-invalid"


def test_an_item_that_cannot_be_read_fails_no_other(acme: Organisation, key: object) -> None:
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
    acme: Organisation, acme_customer: Customer, key: dict[str, Any]
) -> None:
    app = acme.as_client()
    call = SealedCall(acme_customer, key["key_id"], "encrypt", "AES-GCM", SECRET, Parameters())
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


def test_what_the_device_refuses_has_failed_and_says_why(acme: Organisation, key: object) -> None:
    app = acme.as_client()
    done = finished(app, submit(app, "async-aes/decrypt", payload=b64(b"x" * 40)))
    assert done["status"] == "failed"
    assert done["error"] == {"code": "ciphertext-invalid", "detail": CATALOGUE["ciphertext-invalid"].sentence}
    assert "answer" not in done


def test_while_the_device_is_away_it_waits(acme: Organisation, key: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.jobs import asking
    from tee.drivers import Emulator

    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    away = Emulator("/nowhere/hsm.sock")
    with monkeypatch.context() as patch:
        patch.setattr(asking, "secure_module", lambda: away)
        waiting = finished(app, response)
    assert (waiting["status"], waiting["error"]["code"]) == ("queued", "hsm-unreachable")
    make_due()
    assert finished(app, response)["status"] == "done"


def make_due() -> None:
    """The time of every next attempt has come."""
    from django.utils import timezone

    from portal.jobs.models import Operation
    from tenants.models import Tenant
    from tenants.scoping import tenant_scope

    for tenant in Tenant.objects.all():
        with tenant_scope(tenant):
            Operation.objects.exclude(next_try=None).update(next_try=timezone.now())


def test_a_client_that_was_removed_meanwhile_gets_nothing_done(acme: Organisation, key: object) -> None:
    from tenants import services

    client = services.create_client(tenant=acme.tenant, name="async-gone", actor="test")
    _, token = services.create_token(tenant=acme.tenant, client_id=client.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    services.revoke_client(tenant=acme.tenant, client_id=client.client_id, actor="test")
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")


def test_what_a_revoked_token_asked_for_is_not_done(acme: Organisation, key: object) -> None:
    from tenants import services

    row, token = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    services.revoke_token(tenant=acme.tenant, client_id=acme.client_id, token_key=row.token_key, actor="test")
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "token that asked for it was revoked" in done["error"]["detail"]


def test_what_an_expired_token_asked_for_is_not_done(acme: Organisation, key: object) -> None:
    from datetime import timedelta

    from django.utils import timezone
    from knox.models import AuthToken

    from tenants import services

    row, token = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    AuthToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "has expired" in done["error"]["detail"]


def test_what_a_suspended_tenant_asked_for_is_not_done(acme: Organisation, key: object) -> None:
    from tenants.models import Tenant

    response = submit(acme.as_client(), "async-aes/encrypt", payload=b64(SECRET))
    Tenant.objects.filter(pk=acme.tenant.pk).update(status=Tenant.Status.SUSPENDED)
    try:
        work(response.json())
    finally:
        Tenant.objects.filter(pk=acme.tenant.pk).update(status=Tenant.Status.ACTIVE)
    done = acme.as_client().get(response.headers["location"].removeprefix("/api/v1/")).json()
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "suspended" in done["error"]["detail"]


def test_it_is_taken_while_the_device_is_away(acme: Organisation, key: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from tee import drivers

    app = acme.as_client()
    with monkeypatch.context() as patch:
        patch.setattr(drivers.Emulator, "_exchange", refuse_to_answer)
        response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
        assert response.status_code == 202, response.text
        assert finished(app, response)["error"]["code"] == "hsm-unreachable"
    make_due()
    assert finished(app, response)["status"] == "done"


def refuse_to_answer(*_: Any, **__: Any) -> bytes:
    raise Refused("hsm-unreachable")


def test_it_is_carried_out_once_whoever_is_told_to(acme: Organisation, key: object) -> None:
    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    first = finished(app, response)
    assert finished(app, response)["answer"] == first["answer"]


def test_a_callback_is_told_and_never_in_clear(acme: Organisation, key: object) -> None:
    from portal.callbacks.models import Callback
    from portal.callbacks.services import deliver

    app, alice = acme.as_client(), acme.as_owner()
    with listening() as named, listening() as every, listening() as other:
        ids = [
            alice.post("callbacks", json={"url": one.url, "every": one is every}).json()["id"]
            for one in (named, every, other)
        ]
        response = submit(app, "async-aes/encrypt", payload=b64(SECRET), callback=ids[0])
        result = finished(app, response)["answer"]["result"]
        for one in Callback.objects.using("provider").filter(callback_id__in=ids):
            deliver(tenant=acme.tenant, callback=one.pk)
        for listener in (named, every):
            (message,) = listener.wait(1)
            told = json.loads(message.body)
            assert told["type"] == "operation.completed"
            assert (told["data"]["id"], told["data"]["status"]) == (response.json()["id"], "done")
            assert told["data"]["url"] == response.headers["location"]
            assert result not in message.body.decode()
            assert told["data"]["sealed"]
        assert other.messages == []
        for one in ids:
            alice.delete(f"callbacks/{one}")


def test_charlie_sees_nothing_of_it(acme: Organisation, globex: Organisation, key: object) -> None:
    response = submit(acme.as_client(), "async-aes/encrypt", payload=b64(SECRET))
    where = response.headers["location"].removeprefix("/api/v1/")
    assert code_of(globex.as_client().get(where)) == "not-found"
    assert response.json()["id"] not in globex.as_owner().get("operations").text
    assert response.json()["id"] in acme.as_owner().get("operations").text
    # Nor can Charlie's callback be told of it, or his token use the key.
    callback = globex.as_owner().post("callbacks", json={"url": "http://127.0.0.1:1/"}).json()["id"]
    assert code_of(submit(acme.as_client(), "async-aes/encrypt", payload="YQ==", callback=callback)) == "not-found"
    assert code_of(submit(globex.as_client(), "async-aes/encrypt", payload="YQ==")) == "not-found"


def test_only_api_clients_ask(acme: Organisation, key: object) -> None:
    assert code_of(submit(acme.as_owner(), "async-aes/encrypt", payload="YQ==")) == "forbidden"
    assert code_of(submit(Browser(), "async-aes/encrypt", payload="YQ==")) == "unauthenticated"


def test_the_same_request_under_one_key_is_one_operation(acme: Organisation, key: object) -> None:
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
def test_what_cannot_be_read_is_malformed_at_once(acme: Organisation, key: object, body: Any) -> None:
    assert code_of(acme.as_client().post("keys/async-aes/encrypt?async=1", json=body)) == "malformed"


def test_whoever_asked_deletes_the_result_at_once(acme: Organisation, globex: Organisation, key: object) -> None:
    from tenants import services

    app = acme.as_client()
    done, waiting = (submit(app, "async-aes/encrypt", payload=b64(SECRET)) for _ in range(2))
    assert finished(app, done)["status"] == "done"
    client = services.create_client(tenant=acme.tenant, name="async-other", actor="test")
    _, token = services.create_token(tenant=acme.tenant, client_id=client.client_id, days=1, actor="test")
    for response, deleter in ((done, app), (waiting, acme.as_owner())):
        where = f"operations/{response.json()['id']}"
        assert code_of(globex.as_owner().delete(where)) == "not-found"
        assert code_of(Browser(token).delete(where)) == "not-found"
        assert code_of(acme.as_operator().delete(where)) == "forbidden"
        assert deleter.delete(where).status_code == 204
        assert code_of(app.get(where)) == "not-found"
        assert code_of(deleter.delete(where)) == "not-found"


def test_after_a_week_it_is_forgotten(acme: Organisation, key: object) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from portal.jobs import retention
    from portal.jobs.models import Operation
    from tenants.scoping import tenant_scope

    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    finished(app, response)
    with tenant_scope(acme.tenant):
        Operation.objects.filter(operation_id=response.json()["id"]).update(
            finished=timezone.now() - timedelta(days=7, seconds=1)
        )
    retention.forget_old()
    assert code_of(app.get(f"operations/{response.json()['id']}")) == "not-found"


def test_verify_says_whether_it_holds(acme: Organisation, acme_customer: Customer) -> None:
    material = material_of(KeyType.EC_P256)
    import_material(acme, acme_customer, "async-p256", material, p256_terms())
    app = acme.as_client()
    signature = finished(app, submit(app, "async-p256/sign", payload=b64(SECRET)))["answer"]["result"]
    for payload, holds in ((SECRET, True), (SECRET + b"!", False)):
        body = {"payload": b64(payload), "parameters": {"signature": signature}}
        answer = finished(app, submit(app, "async-p256/verify", **body))["answer"]
        assert (answer["valid"], "result" in answer) == (holds, False)
