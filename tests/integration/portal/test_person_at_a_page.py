"""The REST interface as the script of a page calls it: for the person who is logged in there, with the page's token."""

import json
import re
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.statements import Attestation, Receipt
from tests.support.keys import import_p256
from tests.support.pages import Visitor, as_role, give_login, visitor
from tests.support.portal import PASSWORD, Organisation
from tests.support.sealed import Customer

NONCE = "a-nonce-of-alices-page"


def call(who: Visitor, path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """GET, or POST with the CSRF token of a page of the visitor's, or with `token`."""
    if body is None:
        return who.client.get(f"/api/v1/{path}")
    if token is None:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', who.get("/").content.decode())
        token = found.group(1) if found else ""
    return who.client.post(
        f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers={"X-CSRFToken": token}
    )


@pytest.fixture(scope="module")
def alice(acme: Organisation) -> Visitor:
    return visitor(acme.owner)


def test_alices_page_asks_for_an_attestation_and_the_access_list(alice: Visitor, acme_customer: Customer) -> None:
    answer = call(alice, f"partitions/{acme_customer.partition}/attestation", {"nonce": NONCE})
    assert answer.status_code == 200, answer.content
    said = jws.read_unverified(answer.json()["attestation"], Attestation)
    assert said.nonce == NONCE
    listed = call(alice, f"partitions/{acme_customer.partition}/access").json()
    assert said.partition is not None
    assert said.partition.access_list_version == listed["version"]


def test_without_the_pages_token_nothing_is_done(alice: Visitor, acme_customer: Customer) -> None:
    for token in ("", "0" * 64):
        answer = call(alice, f"partitions/{acme_customer.partition}/attestation", {"nonce": NONCE}, token)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_session_counts_where_pages_call_and_nowhere_else(alice: Visitor) -> None:
    assert call(alice, "devices").status_code == 200
    for path in ("whoami", "clients", "keys"):
        assert call(alice, path).json()["code"] == "unauthenticated"


def test_alices_page_compares_a_keys_receipts(
    alice: Visitor, acme: Organisation, acme_customer: Customer, globex: Organisation, fresh_name: str
) -> None:
    imported = import_p256(acme, acme_customer, fresh_name)
    receipt = call(alice, f"keys/{fresh_name}/receipt?version=1").json()["receipt"]
    assert jws.read_unverified(receipt, Receipt).key_id == imported["key_id"]
    assert call(alice, f"keys/{fresh_name}/receipt?version=2").json()["code"] == "not-found"
    assert call(visitor(globex.owner), f"keys/{imported['key_id']}/receipt").json()["code"] == "not-found"


def test_a_password_without_a_one_time_code_is_no_session(acme: Organisation) -> None:
    half = Visitor()
    device = give_login(acme.auditor)
    device.delete()
    assert half.log_in(acme.auditor.username, "", PASSWORD).status_code == 302
    assert call(half, "devices").json()["code"] == "unauthenticated"


def test_bob_who_operates_enrols_his_browser_and_dora_who_audits_does_not(acme: Organisation, fresh_name: str) -> None:
    public = msgspec.to_builtins(public_credential(Ed25519PrivateKey.generate()))
    enrolled = call(visitor(acme.operator), "devices", {"name": fresh_name, "credential": public})
    assert enrolled.status_code == 201, enrolled.content
    assert "access" in enrolled.json()["next_step"]
    answer = call(visitor(acme.auditor), "devices", {"name": fresh_name, "credential": public})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_charlies_page_gets_nothing_of_acmes(globex: Organisation, acme_customer: Customer) -> None:
    charlie = visitor(globex.owner)
    answer = call(charlie, f"partitions/{acme_customer.partition}/attestation", {"nonce": NONCE})
    assert answer.json()["code"] == "not-found"


def test_a_portal_that_knows_no_manufacturer_says_so(acme: Organisation) -> None:
    question = {"nonce": NONCE, "key_id": "vk_nothing", "mode": "development"}
    answer = acme.as_owner().post("validation/manufacturer", json=question)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "command" in answer.json()["detail"]


def test_who_may_ask_for_a_partition_does_so_at_a_page(acme: Organisation, fresh_name: str) -> None:
    owner = public_credential(Ed25519PrivateKey.generate())
    body = {"label": fresh_name, "owner": msgspec.to_builtins(owner)}
    alice, bob = visitor(acme.owner), as_role(acme.tenant, "operator")
    assert call(alice, "partitions", body, "0" * 64).json()["code"] == "forbidden"
    assert call(bob, "partitions", body).json()["code"] == "forbidden"
    assert bob.get("/partitions/request/").status_code == 403
    answer = call(alice, "partitions", body)
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["owner_fingerprint"]) == ("requested", owner.fingerprint)
    assert f'href="/partitions/{answer.json()["request"]}/"' in alice.get("/partitions/").content.decode()
