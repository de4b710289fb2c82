"""The keys' list and a key's page: found, proved, downloaded, tried; and nothing of it for another tenant."""

import base64
import json
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from strongroom.protocol import jws
from strongroom.protocol.log import check_lane
from strongroom.protocol.statements import Attestation, Checkpoint, Receipt
from tests.support.keys import aes_terms, import_material, import_p256
from tests.support.pages import Visitor, text
from tests.support.portal import Organisation
from tests.support.sealed import Customer


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    """In token mode."""
    import_p256(acme, acme_customer, "looked-at")
    return acme.as_client().get("keys/looked-at").json()


@pytest.fixture(scope="module")
def other(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_material(acme, acme_customer, "put-away", bytes(range(32)), aes_terms())


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"[^>]*><a href="[^"]+">([^<]+)</a>', page)


def test_keys_are_found_by_name_state_type_and_what_they_can_do(
    alice: Visitor, key: dict[str, Any], other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests' keys may fill more than a page.
    monkeypatch.setattr("tee.key_list.PAGE", 10_000)

    def found(query: str) -> set[str]:
        return set(names(text(alice.get(f"/keys/?{query}")))) & {"looked-at", "put-away"}

    assert found("") == {"looked-at", "put-away"}
    assert found("text=LOOKED") == {"looked-at"}
    assert found(f"text={other['key_id']}") == {"put-away"}
    assert found("key_type=AES-256&text=a") == {"put-away"}
    assert found("usage=sign") == {"looked-at"}
    assert found("usage=encrypt") == {"put-away"}
    assert found("state=active") == {"looked-at", "put-away"}
    assert found(f"partition={key['partition']}") == {"looked-at", "put-away"}
    # What no list has is left alone.
    assert found("state=nonsense&sort=receipt&page=x") == {"looked-at", "put-away"}
    assert "No key is like that" in text(alice.get("/keys/?text=no-such-name"))


def test_keys_are_sorted_both_ways_and_shown_a_page_at_a_time(
    alice: Visitor, key: dict[str, Any], other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    up, down = (names(text(alice.get(f"/keys/?sort={sort}"))) for sort in ("name", "-name"))
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    monkeypatch.setattr("tee.key_list.PAGE", 1)
    monkeypatch.setattr("portal.pages.views.keys.PAGE", 1)
    first = text(alice.get("/keys/?usage=encrypt&text=p"))
    assert len(names(first)) == 1
    every = [names(text(alice.get(f"/keys/?page={number}")))[0] for number in (1, 2)]
    assert len(set(every)) == 2
    assert 'href="?page=2" rel="next"' in text(alice.get("/keys/"))
    # Beyond the last page is the last.
    assert names(text(alice.get("/keys/?page=999999"))) == down[:1]


def test_htmx_gets_the_list_alone(alice: Visitor, key: dict[str, Any]) -> None:
    part = alice.client.get("/keys/?text=looked", headers={"HX-Request": "true"}).content.decode()
    assert "looked-at" in part
    assert "<html" not in part


def test_the_receipt_comes_as_a_file_that_says_which_version_it_is_of(alice: Visitor, key: dict[str, Any]) -> None:
    response = alice.get(f"/keys/{key['key_id']}/receipt")
    assert response["content-disposition"] == 'attachment; filename="looked-at-v1.receipt.jws"'
    assert jws.read_unverified(response.content.decode(), Receipt).key_id == key["key_id"]
    assert alice.get(f"/keys/{key['key_id']}/receipt?version=2").status_code == 404
    assert alice.get(f"/keys/{key['key_id']}/receipt?version=x").status_code == 400


def test_the_providers_evidence_is_signed_and_its_log_is_what_the_checkpoint_counts(
    alice: Visitor, key: dict[str, Any]
) -> None:
    evidence = json.loads(alice.get(f"/keys/{key['key_id']}/evidence").content)
    receipt = jws.read_unverified(evidence["receipt"], Receipt)
    checkpoint = jws.read_unverified(evidence["checkpoint"], Checkpoint)
    attestation = jws.read_unverified(evidence["attestation"], Attestation)
    assert attestation.partition is not None
    assert attestation.partition.partition == checkpoint.partition == receipt.partition == key["partition"]
    raw = [base64.b64decode(one["entry"]) for one in evidence["entries"]]
    entries = check_lane("admin", raw, key["partition"], checkpoint.lanes["admin"])
    assert entries[receipt.log_position - 1].key == key["key_id"]


def test_each_form_of_the_public_key_is_the_receipts(alice: Visitor, key: dict[str, Any]) -> None:
    path = f"/keys/{key['key_id']}/public-key"
    public = load_pem_public_key(alice.get(path).content)
    assert load_der_public_key(alice.get(f"{path}?format=der").content) == public
    assert json.loads(alice.get(f"{path}?format=jwk").content)["crv"] == "P-256"
    assert alice.get(f"{path}?format=xml").status_code == 400


def test_samples_name_the_key_and_this_portal(alice: Visitor, key: dict[str, Any], other: dict[str, Any]) -> None:
    page = text(alice.get(f"/keys/{key['key_id']}/"))
    assert "curl -sS http://localhost/api/v1/keys/looked-at/$1" in page
    assert '"http://localhost/api/v1/keys/looked-at/" + operation' in page
    assert "strongroom encrypt --key put-away" in text(alice.get(f"/keys/{other['key_id']}/"))


def test_alice_signs_here_and_now_and_both_logs_say_who(
    alice: Visitor, acme: Organisation, key: dict[str, Any]
) -> None:
    path = f"/keys/{key['key_id']}/"
    page = text(alice.post(path, client=acme.client_id, text="by hand"))
    outcome = re.search(r'id="outcome">([^<]+)<', page)
    assert outcome is not None
    public = load_pem_public_key(key["public_key"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(outcome.group(1)), b"by hand", ec.ECDSA(SHA256()))
    assert "person:key:tried" in text(alice.get("/log/portal/"))


def test_a_key_that_wants_signed_instructions_says_so_and_what_to_do(
    alice: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    key = import_p256(acme, acme_customer, fresh_name, authorisation="signed")
    page = text(alice.post(f"/keys/{key['key_id']}/", client=acme.client_id, text="x"))
    assert "signed-instruction-required" in page
    assert "Your own machine can, with the command above" in page


def test_bob_who_operates_tries_only_as_clients_of_his_own_and_dora_who_audits_not_at_all(
    bob: Visitor, dora: Visitor, acme: Organisation, globex: Organisation, key: dict[str, Any]
) -> None:
    path = f"/keys/{key['key_id']}/"
    assert "Operators of your organisation can sign" in text(dora.get(path))
    assert dora.post(path, client=acme.client_id, text="x").status_code == 403
    assert 'id="outcome"' in text(bob.post(path, client=acme.client_id, text="x"))
    page = text(bob.post(path, client=globex.client_id, text="x"))
    assert "There is no such thing here" in page
    assert 'id="outcome"' not in page


def test_where_no_client_has_the_right_the_page_says_which_command_gives_it(
    charlie: Visitor, globex: Organisation, globex_customer: Customer
) -> None:
    key = import_p256(globex, globex_customer, "not-yet")
    entry = globex_customer.device_entry(["import"])
    listed = globex_customer.client_entry(["import", "verify"])
    globex_customer.allow(entry, listed)
    try:
        page = text(charlie.get(f"/keys/{key['key_id']}/"))
        assert f"strongroom access allow client:{globex.client_id} --rights sign" in page
        assert 'name="text"' not in page
    finally:
        from tests.support.sealed import OPERATIONS

        globex_customer.allow(
            globex_customer.device_entry(["import", *OPERATIONS]), globex_customer.client_entry(["import", *OPERATIONS])
        )


def test_charlie_gets_nothing_of_a_key_of_acmes(
    charlie: Visitor, globex: Organisation, globex_customer: Customer, key: dict[str, Any]
) -> None:
    path = f"/keys/{key['key_id']}/"
    for part in ("", "receipt", "evidence", "public-key"):
        nothing = charlie.get(path + part)
        assert nothing.status_code == 404
        assert "Look for it in the lists above." in nothing.content.decode()
    for part in ("", "check"):
        assert charlie.post(path + part, page="/keys/", client=globex.client_id, text="x").status_code == 404
    assert "looked-at" not in text(charlie.get(f"/keys/?text={key['key_id']}&partition={key['partition']}"))
