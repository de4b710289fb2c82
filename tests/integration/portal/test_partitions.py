"""Partitions as the customer sees them: GET, POST partitions; GET partitions/{partition}."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.credentials import public_credential
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer


def new_request(label: str) -> dict[str, Any]:
    return {"label": label, "owner": msgspec.to_builtins(public_credential(Ed25519PrivateKey.generate()))}


def test_alice_asks_for_a_partition(acme: Organisation, fresh_name: str) -> None:
    body = new_request(fresh_name)
    response = acme.as_owner().post("partitions", json=body)
    assert response.status_code == 201
    asked = response.json()
    assert (asked["status"], asked["partition"], asked["owner"]) == ("requested", None, body["owner"])
    assert acme.as_client().get(f"partitions/{asked['request']}").json() == asked
    assert asked in acme.as_operator().get("partitions").json()


@pytest.mark.parametrize("label", ["\u202enoitcudorp", "test\u200b", "two\nlines", "\x1b[31mred", "a\u2028b"])
def test_a_label_that_officers_would_not_read_as_it_is_written_is_refused(acme: Organisation, label: str) -> None:
    refused = acme.as_owner().post("partitions", json=new_request(label))
    assert code_of(refused) == "malformed"
    assert "Leave out line breaks" in refused.json()["detail"]


def test_labels_are_of_any_script(acme: Organisation) -> None:
    label = "Zürich, עברית, 支払い 🔐 <b>'prod'</b>"
    assert acme.as_owner().post("partitions", json=new_request(label)).json()["label"] == label


def test_a_defined_partition_is_found_by_its_id(acme: Organisation, acme_customer: Customer) -> None:
    found = acme.as_client().get(f"partitions/{acme_customer.partition}").json()
    assert (found["status"], found["partition"]) == ("defined", acme_customer.partition)
    assert found["device"] == acme_customer.published.device


def test_charlie_sees_no_partition_of_acme(
    acme: Organisation, globex: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    asked = acme.as_owner().post("partitions", json=new_request(fresh_name)).json()
    charlie = globex.as_owner()
    for reference in (acme_customer.partition, asked["request"], "pt_unknown"):
        assert code_of(charlie.get(f"partitions/{reference}")) == "not-found"
    assert asked["request"] not in charlie.get("partitions").text


def test_nothing_is_done_in_a_partition_that_is_only_requested(acme: Organisation, fresh_name: str) -> None:
    request = acme.as_owner().post("partitions", json=new_request(fresh_name)).json()["request"]
    client = acme.as_client()
    assert code_of(client.get(f"partitions/{request}/access")) == "not-found"
    nonce = {"nonce": "n" * 20}
    assert code_of(client.post(f"partitions/{request}/attestation", json=nonce)) == "not-found"
