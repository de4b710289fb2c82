"""GET keys/{name or id}/public-key: PEM, DER and JWK of every type that has a public half."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from strongroom.client.material import read_material
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.mechanisms import SYMMETRIC, KeyType
from tests.support.keys import aes_terms, import_material, import_p256
from tests.support.materials import make_terms, material_of, spki
from tests.support.portal import Organisation, code_of
from tests.support.sealed import Customer

PAIRS = [one for one in KeyType if one not in SYMMETRIC]


def der(public: Any) -> bytes:
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key_type", PAIRS)
def test_each_form_is_the_same_key(
    acme: Organisation, acme_customer: Customer, fresh_name: str, key_type: KeyType
) -> None:
    material = material_of(key_type)
    key = import_material(acme, acme_customer, fresh_name, material, make_terms(key_type))
    client, path = acme.as_client(), f"keys/{fresh_name}/public-key"
    answers = {form: client.get(path, params={"format": form}) for form in ("pem", "der", "jwk")}
    assert {answer.status_code for answer in answers.values()} == {200}
    assert {form: answer.headers["content-type"] for form, answer in answers.items()} == {
        "pem": "application/x-pem-file",
        "der": "application/octet-stream",
        "jwk": "application/jwk+json",
    }
    assert answers["pem"].text == client.get(path).text
    assert der(load_pem_public_key(answers["pem"].content)) == spki(material)
    assert answers["der"].content == spki(material)
    load_der_public_key(answers["der"].content)
    jwk = json.loads(answers["jwk"].text)
    assert jwk["kid"] == f"{key['key_id']}/1"
    if key_type is KeyType.ML_DSA_65:
        assert (jwk["kty"], jwk["alg"]) == ("AKP", "ML-DSA-65")
        assert der(MLDSA65PublicKey.from_public_bytes(from_b64u(jwk["pub"]))) == spki(material)
    else:
        assert read_material(answers["jwk"].content).secret == spki(material)


def test_a_symmetric_key_has_none(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_material(acme, acme_customer, fresh_name, bytes(range(32)), aes_terms())
    for form in ("pem", "der", "jwk"):
        response = acme.as_client().get(f"keys/{fresh_name}/public-key", params={"format": form})
        assert code_of(response) == "not-found"


def test_another_form_or_version_is_refused(acme: Organisation, acme_customer: Customer, fresh_name: str) -> None:
    import_p256(acme, acme_customer, fresh_name)
    client, path = acme.as_client(), f"keys/{fresh_name}/public-key"
    assert client.get(path, params={"version": 1}).status_code == 200
    assert code_of(client.get(path, params={"version": 2})) == "not-found"
    for query in ({"format": "ssh"}, {"version": "x"}):
        assert code_of(client.get(path, params=query)) == "malformed"


def test_it_is_for_the_tenants_own(
    acme: Organisation, globex: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    import_p256(acme, acme_customer, fresh_name)
    assert acme.as_auditor().get(f"keys/{fresh_name}/public-key").status_code == 200
    assert code_of(globex.as_client().get(f"keys/{fresh_name}/public-key")) == "not-found"
