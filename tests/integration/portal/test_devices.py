"""Client devices: GET, POST devices; DELETE devices/{fingerprint}."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.credentials import public_credential
from tests.support.portal import Organisation, code_of


def new_device(name: str) -> dict[str, Any]:
    credential = msgspec.to_builtins(public_credential(Ed25519PrivateKey.generate()))
    return {"name": name, "credential": credential}


def test_alice_enrols_a_device_and_is_told_the_next_step(acme: Organisation, fresh_name: str) -> None:
    body = new_device(fresh_name)
    response = acme.as_owner().post("devices", json=body)
    assert response.status_code == 201
    device = response.json()
    assert device["principal"] == f"device:{device['fingerprint']}"
    assert "strongroom access" in device["next_step"]
    listed = [one for one in acme.as_client().get("devices").json() if one["name"] == fresh_name]
    assert [one["credential"] for one in listed] == [body["credential"]]


def test_a_name_and_a_credential_are_enrolled_once(acme: Organisation, fresh_name: str) -> None:
    alice, body = acme.as_owner(), new_device(fresh_name)
    fingerprint = alice.post("devices", json=body).json()["fingerprint"]
    assert code_of(alice.post("devices", json=new_device(fresh_name))) == "conflict"
    assert code_of(alice.post("devices", json={**body, "name": "another"})) == "conflict"
    assert alice.delete(f"devices/{fingerprint}").status_code == 204
    assert code_of(alice.delete(f"devices/{fingerprint}")) == "not-found"
    assert alice.post("devices", json=body).status_code == 201


def test_charlie_can_neither_see_nor_remove_acmes_device(
    acme: Organisation, globex: Organisation, fresh_name: str
) -> None:
    fingerprint = acme.as_owner().post("devices", json=new_device(fresh_name)).json()["fingerprint"]
    assert fingerprint not in globex.as_owner().get("devices").text
    assert code_of(globex.as_owner().delete(f"devices/{fingerprint}")) == "not-found"


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "text",
        {},
        {"kty": "OKP", "crv": "Ed25519", "x": "short"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "!" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "d": "A" * 43},
    ],
)
def test_what_is_no_public_credential_is_refused(acme: Organisation, credential: Any) -> None:
    response = acme.as_owner().post("devices", json={"name": "bad", "credential": credential})
    assert code_of(response) == "malformed"
