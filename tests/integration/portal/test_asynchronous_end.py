"""How an asynchronous operation ends: told of, refused, put off, deleted, forgotten."""

import json
from typing import Any

import pytest

from strongroom.protocol.errors import CATALOGUE, Refused
from tests.support.asynchronous import SECRET, b64, finished, make_due, submit
from tests.support.listener import listening
from tests.support.portal import Browser, Organisation, code_of


def test_what_the_device_refuses_has_failed_and_says_why(acme: Organisation, async_key: object) -> None:
    app = acme.as_client()
    done = finished(app, submit(app, "async-aes/decrypt", payload=b64(b"x" * 40)))
    assert done["status"] == "failed"
    assert done["error"] == {"code": "ciphertext-invalid", "detail": CATALOGUE["ciphertext-invalid"].sentence}
    assert "answer" not in done


def test_while_the_device_is_away_it_waits(
    acme: Organisation, async_key: object, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def refuse_to_answer(*_: Any, **__: Any) -> bytes:
    raise Refused("hsm-unreachable")


def test_it_is_taken_while_the_device_is_away(
    acme: Organisation, async_key: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tee import drivers

    app = acme.as_client()
    with monkeypatch.context() as patch:
        patch.setattr(drivers.Emulator, "_exchange", refuse_to_answer)
        response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
        assert response.status_code == 202, response.text
        assert finished(app, response)["error"]["code"] == "hsm-unreachable"
    make_due()
    assert finished(app, response)["status"] == "done"


def test_it_is_carried_out_once_whoever_is_told_to(acme: Organisation, async_key: object) -> None:
    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    first = finished(app, response)
    assert finished(app, response)["answer"] == first["answer"]


def test_a_callback_is_told_and_never_in_clear(acme: Organisation, async_key: object) -> None:
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


def test_whoever_asked_deletes_the_result_at_once(acme: Organisation, globex: Organisation, async_key: object) -> None:
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


def test_after_a_week_it_is_forgotten(acme: Organisation, async_key: object) -> None:
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
