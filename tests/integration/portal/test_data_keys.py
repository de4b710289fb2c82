"""Data keys, rewrap and certification requests over the data plane: what the answers hold."""

import base64
import json
import os
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from strongroom.protocol import jws
from strongroom.protocol.instructions import Parameters
from tests.support.keys import aes_terms, import_material, import_p256
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer
from tests.support.transports import make_envelope, post_import

KEK = os.urandom(32)
WRAPS = {"usages": ["wrap", "unwrap", "encrypt", "decrypt"], "translate_to": []}


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.fixture
def key(acme: Organisation, acme_customer: Customer, fresh_name: str) -> str:
    import_material(acme, acme_customer, fresh_name, KEK, aes_terms(**WRAPS))
    return fresh_name


def test_a_data_key_needs_no_payload_and_comes_in_clear_only_when_asked(acme: Organisation, key: str) -> None:
    client = acme.as_client()
    answer = client.post(f"keys/{key}/wrap", json={"parameters": {"generate": 24}}).json()
    assert (len(aes_key_unwrap_with_padding(KEK, decoded(answer["result"]))), "clear" in answer) == (24, False)
    answer = client.post(f"keys/{key}/wrap", json={"parameters": {"generate": 32, "clear": True}}).json()
    assert decoded(answer["clear"]) == aes_key_unwrap_with_padding(KEK, decoded(answer["result"]))
    assert code_of(client.post(f"keys/{key}/wrap", json={})) == "malformed"


def test_a_batch_of_data_keys(acme: Organisation, key: str) -> None:
    body = {"items": [{"payload": ""}] * 3, "parameters": {"generate": 16, "clear": True}}
    results = acme.as_client().post(f"keys/{key}/wrap", json=body).json()["results"]
    clear = [decoded(one["clear"]) for one in results]
    assert clear == [aes_key_unwrap_with_padding(KEK, decoded(one["result"])) for one in results]
    assert len(set(clear)) == 3


def test_in_signed_mode_the_instruction_says_that_it_is_made(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    terms = aes_terms(**WRAPS, authorisation="signed")
    key_id = import_material(acme, acme_customer, fresh_name, KEK, terms)["key_id"]
    asked = Parameters(generate=32, clear=True)
    instruction = acme_customer.instruction(key_id, "wrap", b"", "AES-KWP", parameters=asked)
    body = {"payload": "", "instruction": jws.sign(instruction, acme_customer.device_key)}
    answer = acme.as_client().post(f"keys/{fresh_name}/wrap", json=body).json()
    assert decoded(answer["clear"]) == aes_key_unwrap_with_padding(KEK, decoded(answer["result"]))


def test_rewrap_says_from_where_to_where_it_went(acme: Organisation, acme_customer: Customer, key: str) -> None:
    second, terms = os.urandom(32), aes_terms(**WRAPS)
    envelope = make_envelope(
        acme, acme_customer, ("channel", "HPKE-XWING"), key, version=2, material=second, terms=terms
    )
    assert post_import(acme, acme_customer, envelope).status_code == 201
    nonce = os.urandom(12)
    sealed = base64.b64encode(nonce + AESGCM(KEK).encrypt(nonce, b"text", b"")).decode()
    client = acme.as_client()
    one = client.post(f"keys/{key}/rewrap", json={"payload": sealed, "version": 1}).json()
    many = client.post(f"keys/{key}/rewrap", json={"items": [{"payload": sealed}] * 2, "version": 1}).json()
    for answer, result in ((one, one["result"]), *((many, item["result"]) for item in many["results"])):
        assert (answer["version"], answer["target_version"], answer["target_mechanism"]) == (1, 2, "AES-GCM")
        found = decoded(result)
        assert AESGCM(second).decrypt(found[:12], found[12:], b"") == b"text"


def test_a_certification_request(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_p256(acme, acme_customer, fresh_name)
    subject = json.dumps({"subject": "CN=a", "san": ["DNS:a.example"]}).encode()
    body: dict[str, Any] = {"payload": base64.b64encode(subject).decode(), "mechanism": "X509-CSR"}
    answer = acme.as_client().post(f"keys/{fresh_name}/sign", json=body).json()
    request = x509.load_der_x509_csr(decoded(answer["result"]))
    assert (request.is_signature_valid, request.subject.rfc4514_string()) == (True, "CN=a")


# --- random ---


def test_random_bytes_of_the_one_partition_or_of_the_one_that_is_named(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer
) -> None:
    client = globex.as_client()
    answer = client.post("random", json={"length": 100}).json()
    assert (len(decoded(answer["bytes"])), answer["partition"]) == (100, globex_customer.partition)
    named = client.post("random", json={"length": 1, "partition": globex_customer.partition}).json()
    assert len(decoded(named["bytes"])) == 1
    assert code_of(client.post("random", json={"length": 1, "partition": acme_customer.partition})) == "not-found"


@pytest.mark.parametrize("length", [0, 65_537, "many", None])
def test_other_lengths_of_random_bytes_are_refused(
    globex: Organisation, globex_customer: Customer, length: object
) -> None:
    assert code_of(globex.as_client().post("random", json={"length": length})) == "malformed"


def test_people_have_no_random_bytes(acme: Organisation, acme_customer: Customer) -> None:
    assert code_of(acme.as_owner().post("random", json={"length": 1})) == "forbidden"
