"""POST keys/{name or id}/{operation}: the data plane."""

import base64
import os
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.protocol import jws
from strongroom.protocol.instructions import MAX_PAYLOAD
from tests.support.keys import aes_terms, import_material, import_p256
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice

MESSAGE = b"a contract"


def payload(data: bytes = MESSAGE, **more: Any) -> dict[str, Any]:
    return {"payload": base64.b64encode(data).decode(), **more}


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    """A P-256 key of acme's in `token` mode."""
    return import_p256(acme, acme_customer, "operations-token")


@pytest.fixture(scope="module")
def signed_key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    """One in `signed` mode."""
    return import_p256(acme, acme_customer, "operations-signed", authorisation="signed")


def test_a_signature_verifies_outside_and_inside(acme: Organisation, key: dict[str, Any]) -> None:
    client = acme.as_client()
    answer = client.post(f"keys/{key['name']}/sign", json=payload()).json()
    assert {name: answer[name] for name in ("key_id", "version", "mechanism")} == {
        "key_id": key["key_id"],
        "version": 1,
        "mechanism": "ECDSA-SHA256",
    }
    public = load_pem_public_key(client.get(f"keys/{key['name']}").json()["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(answer["result"]), MESSAGE, ec.ECDSA(SHA256()))
    # Standard base64 with its own alphabet and padding is what the device's own signature comes back in.
    parameters = {"signature": answer["result"]}
    check = client.post(f"keys/{key['key_id']}/verify", json=payload(parameters=parameters)).json()
    assert (check["valid"], "result" in check) == (True, False)
    check = client.post(f"keys/{key['key_id']}/verify", json=payload(b"another", parameters=parameters)).json()
    assert check["valid"] is False


def test_parameters_pass_in_standard_base64_and_a_target_by_its_name(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    for name in (f"{fresh_name}-from", f"{fresh_name}-to"):
        import_material(acme, acme_customer, name, os.urandom(32), aes_terms())
    client = acme.as_client()
    # Bytes of which base64url looks otherwise.
    aad, other = (base64.b64encode(one * 5).decode() for one in (b"\xfb\xff", b"\xff\xfe"))
    sealed = client.post(f"keys/{fresh_name}-from/encrypt", json=payload(parameters={"aad": aad})).json()["result"]
    parameters = {"aad": aad, "target": f"{fresh_name}-to", "target_aad": other}
    body = {"payload": sealed, "parameters": parameters}
    answer = client.post(f"keys/{fresh_name}-from/translate", json=body).json()
    assert (answer["target_version"], answer["target_mechanism"]) == (1, "AES-GCM")
    moved = answer["result"]
    body = {"payload": moved, "parameters": {"aad": other}}
    assert base64.b64decode(client.post(f"keys/{fresh_name}-to/decrypt", json=body).json()["result"]) == MESSAGE
    body = {"payload": moved, "parameters": {"aad": aad}}
    assert code_of(client.post(f"keys/{fresh_name}-to/decrypt", json=body)) == "ciphertext-invalid"


def test_what_is_not_there_or_too_large_is_named(acme: Organisation, key: dict[str, Any]) -> None:
    client = acme.as_client()
    large = base64.b64encode(bytes(MAX_PAYLOAD + 1)).decode()
    for path, body, code, says in (
        ("keys/nothing-of-this-name/sign", payload(), "not-found", "you have no key of that name or id"),
        (f"keys/{key['key_id']}/sign", payload(version=9), "not-found", "no version 9: its newest is 1"),
        (f"keys/{key['key_id']}/translate", payload(parameters={"target": "none"}), "not-found", "no `target` key"),
        (
            f"keys/{key['key_id']}/sign",
            payload(parameters={"aad": large}),
            "too-large",
            "`aad` has at most 1048576 bytes",
        ),
    ):
        response = client.post(path, json=body)
        assert (code_of(response), says in response.json()["detail"]) == (code, True), response.text
    response = client.post(f"keys/{key['key_id']}/sign?async=1", json=payload(bytes(2 * MAX_PAYLOAD)))
    assert (code_of(response), "at most 2097152 bytes" in response.json()["detail"]) == ("too-large", True)


def test_a_target_in_another_partition_or_tenant_is_no_target(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer, fresh_name: str
) -> None:
    import_material(acme, acme_customer, f"{fresh_name}-from", os.urandom(32), aes_terms())
    theirs = import_material(globex, globex_customer, f"{fresh_name}-theirs", os.urandom(32), aes_terms())
    for target in (theirs["key_id"], theirs["name"], "unknown"):
        body = payload(parameters={"target": target})
        assert code_of(acme.as_client().post(f"keys/{fresh_name}-from/translate", json=body)) == "not-found"


def test_only_an_api_clients_token_operates(acme: Organisation, key: dict[str, Any], stranger: Browser) -> None:
    for browser in (acme.as_owner(), acme.as_operator(), acme.as_auditor()):
        assert code_of(browser.post(f"keys/{key['name']}/sign", json=payload())) == "forbidden"
    for browser in (stranger, Browser("nonsense")):
        response = browser.post(f"keys/{key['name']}/sign", json=payload())
        assert code_of(response) == "unauthenticated"
        assert response.headers["www-authenticate"] == "Bearer"


def test_another_tenants_key_is_no_key(acme: Organisation, globex: Organisation, key: dict[str, Any]) -> None:
    charlie = globex.as_client()
    answers = [charlie.post(f"keys/{one}/sign", json=payload()) for one in (key["key_id"], key["name"], "unknown")]
    assert {code_of(answer) for answer in answers} == {"not-found"}
    assert len({answer.content for answer in answers}) == 1


def test_a_client_off_the_access_list_is_refused(acme: Organisation, key: dict[str, Any], fresh_name: str) -> None:
    alice = acme.as_owner()
    client = alice.post("clients", json={"name": fresh_name}).json()
    browser = Browser(alice.post(f"clients/{client['id']}/tokens", json={}).json()["token"])
    assert code_of(browser.post(f"keys/{key['name']}/sign", json=payload())) == "access-denied"


def test_a_signed_key_needs_a_signed_instruction(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any]
) -> None:
    client, path = acme.as_client(), f"keys/{signed_key['name']}/sign"
    assert code_of(client.post(path, json=payload())) == "signed-instruction-required"
    instruction = acme_customer.instruction(signed_key["key_id"], "sign", MESSAGE, "ECDSA-SHA256")
    body = payload(instruction=jws.sign(instruction, acme_customer.device_key))
    assert client.post(path, json=body).status_code == 200
    assert code_of(client.post(path, json=body)) == "instruction-replayed"
    altered = {**body, **payload(b"another contract")}
    assert code_of(client.post(path, json=altered)) == "instruction-mismatch"


def test_a_stale_session_is_answered_with_the_one_in_force(
    acme: Organisation, acme_customer: Customer, signed_key: dict[str, Any]
) -> None:
    client = acme.as_client()
    instruction = acme_customer.instruction(signed_key["key_id"], "sign", MESSAGE, "ECDSA-SHA256", session="old")
    body = payload(instruction=jws.sign(instruction, acme_customer.device_key))
    response = client.post(f"keys/{signed_key['name']}/sign", json=body)
    assert code_of(response) == "session-stale"
    in_force = client.get("session", params={"partition": acme_customer.partition}).json()["session"]
    assert response.json()["session"] == in_force


def test_use_outside_the_terms_is_refused(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_p256(acme, acme_customer, fresh_name, usages=["verify"])
    assert code_of(acme.as_client().post(f"keys/{fresh_name}/sign", json=payload())) == "usage-not-permitted"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed"),
        (b"not json", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"payload": "!!"}', "malformed"),
        (b'{"payload": "YQ==", "extra": 1}', "malformed"),
        (b'{"payload": "YQ==", "version": -1}', "malformed"),
        (b'{"payload": "YQ==", "parameters": {"unknown": 1}}', "malformed"),
        (b'{"payload": "YQ==", "mechanism": "ROT13"}', "mechanism-unsupported"),
        (b'{"payload": "YQ==", "version": 9}', "not-found"),
        (b"\xff\xfe", "malformed"),
    ],
)
def test_a_bad_body_is_refused(acme: Organisation, key: dict[str, Any], body: bytes, code: str) -> None:
    assert code_of(acme.as_client().post(f"keys/{key['name']}/sign", content=body)) == code


def test_a_payload_has_a_largest_size(acme: Organisation, key: dict[str, Any]) -> None:
    client = acme.as_client()
    assert client.post(f"keys/{key['name']}/hash", json=payload(bytes(MAX_PAYLOAD))).status_code == 200
    for size in (MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD):
        assert code_of(client.post(f"keys/{key['name']}/hash", json=payload(bytes(size)))) == "too-large"


def test_what_is_no_operation_is_not_found(acme: Organisation, key: dict[str, Any]) -> None:
    client = acme.as_client()
    assert code_of(client.post(f"keys/{key['name']}/destroy", json=payload())) == "not-found"
    assert code_of(client.post(f"keys/{key['name']}/sign/now", json=payload())) == "not-found"
    assert code_of(client.get(f"keys/{key['name']}/sign")) == "method-not-allowed"


def refused_within(seconds: float, browser: Browser, path: str) -> str:
    """The code of the first refusal; fails if operations are still answered after `seconds`."""
    deadline = time.monotonic() + seconds
    while (response := browser.post(path, json=payload())).status_code == 200:
        assert time.monotonic() < deadline, "still served"
        time.sleep(0.05)
    return code_of(response)


def test_a_revoked_token_is_refused_within_a_second(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any], fresh_name: str
) -> None:
    from knox.models import AuthToken

    from tenants.models import User

    path, user = f"keys/{key['name']}/sign", User.objects.get(username=acme.client_id)
    row, token = AuthToken.objects.create(user=user)
    browser = Browser(token)
    for _ in range(3):
        assert browser.post(path, json=payload()).status_code == 200
    alice = acme.as_owner()
    assert alice.delete(f"clients/{acme.client_id}/tokens/{row.token_key}").status_code == 204
    assert refused_within(1.0, browser, path) == "unauthenticated"
    assert acme.as_client().post(path, json=payload()).status_code == 200


def test_an_expired_token_is_refused_though_it_is_remembered(acme: Organisation, key: dict[str, Any]) -> None:
    from datetime import timedelta

    from knox.models import AuthToken

    from tenants.models import User

    user = User.objects.get(username=acme.client_id)
    _, token = AuthToken.objects.create(user=user, expiry=timedelta(seconds=1.5))
    browser, path = Browser(token), f"keys/{key['name']}/sign"
    assert browser.post(path, json=payload()).status_code == 200
    assert refused_within(3.0, browser, path) == "token-expired"


def test_a_suspended_tenant_is_refused_within_a_second(acme: Organisation, key: dict[str, Any]) -> None:
    from tenants.models import Tenant

    client, path = acme.as_client(), f"keys/{key['name']}/sign"
    assert client.post(path, json=payload()).status_code == 200
    Tenant.objects.filter(pk=acme.tenant.pk).update(status="suspended")
    try:
        assert refused_within(1.0, client, path) == "unauthenticated"
        # Its people do not look for what is wrong with the token.
        assert "organisation is suspended" in client.post(path, json=payload()).json()["detail"]
    finally:
        Tenant.objects.filter(pk=acme.tenant.pk).update(status="active")
    deadline = time.monotonic() + 2
    while client.post(path, json=payload()).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_change_channel_every_request_asks_the_database(
    acme: Organisation, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that hears nothing for a second trusts nothing that it remembers."""
    from knox.models import AuthToken

    from portal.dataplane.changes import Changes
    from tenants.models import User

    user = User.objects.get(username=acme.client_id)
    row, token = AuthToken.objects.create(user=user)
    browser, path = Browser(token), f"keys/{key['name']}/sign"
    assert browser.post(path, json=payload()).status_code == 200
    # The channel is deaf: no notice arrives and no heartbeat counts.
    monkeypatch.setattr(Changes, "_over", lambda self: None)
    monkeypatch.setattr(Changes, "heard", lambda self: False)
    row.delete()
    assert code_of(browser.post(path, json=payload())) == "unauthenticated"


def test_the_channel_comes_back_when_its_connection_is_cut(acme: Organisation, key: dict[str, Any]) -> None:
    from django.db import connections

    from portal.dataplane.operations import directory

    client, path = acme.as_client(), f"keys/{key['name']}/sign"
    assert client.post(path, json=payload()).status_code == 200
    changes = directory()._changes
    generation = changes.generation
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query = 'SELECT 1' AND usename = 'strongroom_app' AND pid <> pg_backend_pid()"
        )
    deadline = time.monotonic() + 5
    while not (changes.generation > generation and changes.heard()):
        assert client.post(path, json=payload()).status_code == 200
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_tokens_are_hashed_as_knox_does(acme: Organisation) -> None:
    import hashlib

    from knox.crypto import hash_token

    assert hash_token(acme.client_token) == hashlib.sha512(acme.client_token.encode()).hexdigest()


def test_with_the_database_away_answers_are_503(acme: Organisation, key: dict[str, Any]) -> None:
    from portal.dataplane import operations
    from portal.dataplane.directory import Directory

    away = Directory("postgresql://strongroom_app@/strongroom?host=/nowhere&connect_timeout=1")
    before = operations.directory
    operations.directory = lambda: away  # type: ignore[assignment]
    try:
        response = acme.as_client().post(f"keys/{key['name']}/sign", json=payload())
    finally:
        operations.directory = before
    assert code_of(response) == "unavailable"
    assert int(response.headers["retry-after"]) > 0


def test_a_stopped_device_is_503_and_serves_again_after_its_unsealing(
    acme: Organisation, acme_customer: Customer, device: SealedDevice, key: dict[str, Any]
) -> None:
    client, path = acme.as_client(), f"keys/{key['name']}/sign"
    assert client.post(path, json=payload()).status_code == 200
    device.kill()
    response = client.post(path, json=payload())
    assert code_of(response) == "hsm-unreachable"
    assert int(response.headers["retry-after"]) > 0
    device.start()
    response = client.post(path, json=payload())
    assert code_of(response) == "hsm-sealed"
    assert int(response.headers["retry-after"]) > 0
    device.unseal()
    assert client.post(path, json=payload()).status_code == 200
    assert client.get("session", params={"partition": acme_customer.partition}).status_code == 200
