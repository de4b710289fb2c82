"""Callbacks: registered by Alice, signed as Standard Webhooks, repeated until they arrive or are given up."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.support.listener import Listener, Message, listening
from tests.support.portal import Organisation, code_of


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as one:
        yield one


@pytest.fixture
def callback(acme: Organisation, listener: Listener) -> Iterator[dict[str, Any]]:
    response = acme.as_owner().post("callbacks", json={"url": listener.url})
    assert response.status_code == 201, response.text
    yield response.json()
    acme.as_owner().delete(f"callbacks/{response.json()['id']}")


def run_due() -> None:
    """What worker and beat do together."""
    from portal.callbacks.models import Delivery
    from portal.callbacks.services import deliver
    from tenants.models import Tenant

    for tenant, one in set(Delivery.objects.using("provider").order_by().values_list("tenant", "callback")):
        deliver(tenant=Tenant.objects.get(pk=tenant), callback=one)


def later(organisation: Organisation) -> None:
    """The time of every next attempt has come."""
    from django.utils import timezone

    from portal.callbacks.models import Delivery
    from tenants.scoping import tenant_scope

    with tenant_scope(organisation.tenant):
        Delivery.objects.filter(status="pending").update(next_try=timezone.now())


def signatures(message: Message, secret: str) -> str:
    """What the specification says the signature is, computed from what arrived."""
    content = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.".encode() + message.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def deliveries(organisation: Organisation, callback: dict[str, Any]) -> list[dict[str, Any]]:
    return organisation.as_auditor().get(f"callbacks/{callback['id']}/deliveries").json()


def test_a_signature_is_as_the_specification_has_it() -> None:
    """The example of the Standard Webhooks specification."""
    from portal.callbacks.signing import signed_headers

    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_ping_arrives_signed(acme: Organisation, listener: Listener, callback: dict[str, Any]) -> None:
    delivery = acme.as_owner().post(f"callbacks/{callback['id']}/ping")
    assert (delivery.status_code, delivery.json()["status"]) == (202, "pending")
    run_due()
    (message,) = listener.wait(1)
    assert message.path == "/hook?of=mine"
    assert message.headers["webhook-id"] == delivery.json()["id"]
    assert abs(int(message.headers["webhook-timestamp"]) - time.time()) < 30
    assert message.headers["webhook-signature"] == signatures(message, callback["secret"])
    assert json.loads(message.body)["type"] == "ping"
    (shown,) = deliveries(acme, callback)
    assert (shown["status"], shown["attempts"], shown["status_code"], shown["next_try"]) == ("delivered", 1, 204, None)


def test_what_fails_is_repeated_with_growing_pauses_and_the_same_bytes(
    acme: Organisation, listener: Listener, callback: dict[str, Any]
) -> None:
    listener.answers = [500, 302]
    acme.as_owner().post(f"callbacks/{callback['id']}/ping")
    run_due()
    run_due()
    assert len(listener.wait(1)) == 1  # not before its time
    (shown,) = deliveries(acme, callback)
    assert (shown["status"], shown["status_code"]) == ("pending", 500)
    for _ in range(2):
        later(acme)
        run_due()
    messages = listener.wait(3)
    assert len({(one.headers["webhook-id"], one.body) for one in messages}) == 1
    # A redirect is no success, and is not followed.
    assert {one.path for one in messages} == {"/hook?of=mine"}
    (shown,) = deliveries(acme, callback)
    assert (shown["status"], shown["attempts"]) == ("delivered", 3)


def test_what_never_arrives_is_given_up_visibly_and_can_be_sent_anew(
    acme: Organisation, listener: Listener, callback: dict[str, Any]
) -> None:
    from django.conf import settings

    most = len(settings.CALLBACK_RETRY_SECONDS) + 1
    listener.answers = [503] * most
    acme.as_owner().post(f"callbacks/{callback['id']}/ping")
    for _ in range(most + 1):
        later(acme)
        run_due()
    (shown,) = deliveries(acme, callback)
    assert (shown["status"], shown["attempts"], shown["next_try"]) == ("given-up", most, None)
    assert shown["finished"]
    again = acme.as_owner().post(f"callbacks/{callback['id']}/deliveries/{shown['id']}/redeliver")
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    run_due()
    assert listener.wait(most + 1)[-1].headers["webhook-id"] == shown["id"]
    assert deliveries(acme, callback)[0]["status"] == "delivered"


def test_the_secret_before_signs_too_until_its_time_is_over(
    acme: Organisation, listener: Listener, callback: dict[str, Any]
) -> None:
    from portal.callbacks.models import Callback
    from tenants.scoping import tenant_scope

    alice = acme.as_owner()
    rotated = alice.post(f"callbacks/{callback['id']}/secret").json()
    assert rotated["secret"] != callback["secret"]
    alice.post(f"callbacks/{callback['id']}/ping")
    run_due()
    (first,) = listener.wait(1)
    both = f"{signatures(first, rotated['secret'])} {signatures(first, callback['secret'])}"
    assert first.headers["webhook-signature"] == both
    with tenant_scope(acme.tenant):
        row = Callback.objects.get(callback_id=callback["id"])
        Callback.objects.filter(pk=row.pk).update(previous_until=row.previous_until - timedelta(hours=25))
    alice.post(f"callbacks/{callback['id']}/ping")
    run_due()
    second = listener.wait(2)[1]
    assert second.headers["webhook-signature"] == signatures(second, rotated["secret"])


def test_the_secret_is_shown_once_and_rests_encrypted(acme: Organisation, callback: dict[str, Any]) -> None:
    from portal.callbacks.models import Callback

    alice = acme.as_owner()
    assert callback["secret"] not in alice.get("callbacks").text + alice.get(f"callbacks/{callback['id']}").text
    row = Callback.objects.using("provider").get(callback_id=callback["id"])
    raw = base64.b64decode(callback["secret"].removeprefix("whsec_"))
    assert callback["secret"].encode() not in bytes(row.secret)
    assert raw not in bytes(row.secret)


def test_nobody_listens_and_the_record_says_so(acme: Organisation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    callback = acme.as_owner().post("callbacks", json={"url": url}).json()
    acme.as_owner().post(f"callbacks/{callback['id']}/ping")
    run_due()
    (shown,) = deliveries(acme, callback)
    assert (shown["status"], shown["status_code"]) == ("pending", None)
    assert "ConnectionRefusedError" in shown["error"]


def test_whoever_answers_drop_by_drop_is_hung_up_on(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's own timeout begins anew with every byte."""
    import threading

    from portal.callbacks import sending

    monkeypatch.setattr(sending, "DEADLINE_SECONDS", 0.5)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.1):
                    try:
                        connection.send(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(sending.Undeliverable):
            sending.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, reach="loopback")
        assert time.monotonic() - begun < 5
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:99999/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://example.com/ a",
    ],
)
def test_an_address_that_may_not_be_called_is_refused(
    acme: Organisation, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "CALLBACK_REACH", "public")
    response = acme.as_owner().post("callbacks", json={"url": url})
    assert (response.status_code, code_of(response)) == (400, "callback-refused")


def test_in_development_this_machine_is_called_and_no_network_beside_it(acme: Organisation) -> None:
    for host in ("169.254.169.254", "[fe80::1]", "10.1.2.3", "0.0.0.0"):  # noqa: S104
        response = acme.as_owner().post("callbacks", json={"url": f"http://{host}/"})
        assert (response.status_code, code_of(response)) == (400, "callback-refused")


def test_a_name_that_leads_to_a_private_address_is_not_called(listener: Listener) -> None:
    """Whatever it meant when it was registered: it is looked at when it is called."""
    from portal.callbacks import sending

    port = listener.server.server_address[1]
    with pytest.raises(sending.Undeliverable, match="not called"):
        sending.post(f"https://localhost:{port}/", b"{}", {}, reach="public")
    assert listener.messages == []


def test_only_admins_register_and_everyone_of_the_tenant_reads(
    acme: Organisation, globex: Organisation, callback: dict[str, Any]
) -> None:
    path = f"callbacks/{callback['id']}"
    for browser in (acme.as_operator(), acme.as_auditor(), acme.as_client()):
        assert code_of(browser.post("callbacks", json={"url": "https://example.com/"})) == "forbidden"
        assert code_of(browser.delete(path)) == "forbidden"
        assert browser.get(path).status_code == 200
    charlie = globex.as_owner()
    assert callback["id"] not in charlie.get("callbacks").text
    for method, rest in (
        ("GET", ""), ("DELETE", ""), ("POST", "/secret"), ("POST", "/ping"), ("GET", "/deliveries"),
        ("POST", "/deliveries/msg_a/redeliver"),
    ):  # fmt: skip
        assert code_of(charlie.request(method, path + rest)) == "not-found"


def test_a_removed_callback_is_told_nothing_more(
    acme: Organisation, listener: Listener, callback: dict[str, Any]
) -> None:
    alice = acme.as_owner()
    alice.post(f"callbacks/{callback['id']}/ping")
    assert alice.delete(f"callbacks/{callback['id']}").status_code == 204
    run_due()
    assert listener.messages == []
    assert code_of(alice.post(f"callbacks/{callback['id']}/ping")) == "not-found"
