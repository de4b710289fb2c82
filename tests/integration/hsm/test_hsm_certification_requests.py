"""Certification requests that the device builds and signs, read by another's parser."""

import json
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported
from tests.support.sealed import Customer

SUBJECT = "CN=shop.example,OU=Payments,O=Acme\\, Inc.,C=NL"
NAMES = ["DNS:shop.example", "DNS:*.shop.example", "IP:192.0.2.7", "IP:2001:db8::1", "email:ca@shop.example", "URI:a:b"]


def ask(customer: Customer, key: str, payload: object, **changes: object) -> tuple[str, bytes]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    reply = customer.operate(key, "sign", data, mechanism="X509-CSR", **changes)
    return reply.code, reply.result


@pytest.mark.parametrize(
    ("key_type", "algorithm"),
    [
        (KeyType.RSA, "sha256WithRSAEncryption"),
        (KeyType.EC_P256, "ecdsa-with-SHA256"),
        (KeyType.EC_P384, "ecdsa-with-SHA384"),
        (KeyType.EC_P521, "ecdsa-with-SHA512"),
        (KeyType.ED25519, "ed25519"),
    ],
)
def test_the_request_is_signed_by_the_key_and_says_what_was_asked(
    alice: Customer, import_key: Callable[..., Imported], key_type: KeyType, algorithm: str
) -> None:
    key = import_key(alice, key_type)
    code, der = ask(alice, key.id, {"subject": SUBJECT, "san": NAMES})
    request = x509.load_der_x509_csr(der)
    assert (code, request.is_signature_valid) == ("", True)
    assert request.signature_algorithm_oid._name == algorithm
    assert request.public_key() == load_pem_public_key(key.receipt.public_key.encode())
    assert request.subject.rfc4514_string() == SUBJECT
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == [one.partition(":")[2] for one in NAMES]


def test_names_alone_or_a_subject_alone_are_enough(alice: Customer, import_key: Callable[..., Imported]) -> None:
    key = import_key(alice, KeyType.EC_P256)
    alone = x509.load_der_x509_csr(ask(alice, key.id, {"san": ["DNS:a.example"]})[1])
    assert alone.extensions[0].critical  # RFC 5280 §4.2.1.6
    assert not list(x509.load_der_x509_csr(ask(alice, key.id, {"subject": "CN=a"})[1]).extensions)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"CN=a",
        b"\xff{}",
        {},
        {"subject": ""},
        {"subject": "nonsense"},
        {"subject": "XX=a"},
        {"subject": "C=Netherlands"},
        {"subject": "CN=a", "san": ["a.example"]},
        {"subject": "CN=a", "san": ["IP:a.example"]},
        {"subject": "CN=a", "san": ["dirName:a"]},
        {"subject": "CN=a", "san": ["DNS:ä.example"]},
        {"subject": "CN=a", "extensions": []},
        {"subject": "CN=" + "a" * 5000},
    ],
)
def test_what_is_no_subject_is_refused(alice: Customer, import_key: Callable[..., Imported], payload: object) -> None:
    assert ask(alice, import_key(alice, KeyType.EC_P256).id, payload) == ("payload-invalid", b"")


def test_only_for_keys_whose_terms_permit_it(alice: Customer, import_key: Callable[..., Imported]) -> None:
    subject = {"subject": "CN=a"}
    no_requests = import_key(alice, KeyType.EC_P256, usages=["sign"], mechanisms=["ECDSA-SHA256"])
    nothing_else = import_key(alice, KeyType.EC_P256, usages=["sign"], mechanisms=["X509-CSR"])
    verifies = import_key(alice, KeyType.EC_P256, usages=["verify"])
    assert ask(alice, no_requests.id, subject)[0] == ask(alice, verifies.id, subject)[0] == "usage-not-permitted"
    assert ask(alice, nothing_else.id, subject)[0] == ""
    assert alice.operate(nothing_else.id, "sign", b"x", mechanism="ECDSA-SHA256").code == "usage-not-permitted"
    for key_type in (KeyType.EC_SECP256K1, KeyType.ML_DSA_65):
        assert ask(alice, import_key(alice, key_type).id, subject)[0] == "mechanism-unsupported"


def test_a_parameter_that_it_does_not_take_is_refused(alice: Customer, import_key: Callable[..., Imported]) -> None:
    key = import_key(alice, KeyType.EC_P256)
    for parameters in (Parameters(prehashed=True), Parameters(format="raw"), Parameters(aad="YQ")):
        assert ask(alice, key.id, {"subject": "CN=a"}, parameters=parameters)[0] == "mechanism-unsupported"
