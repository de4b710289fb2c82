"""Alice imports what she has in Chromium: locked keys, certificates, public halves; no request has a byte of them."""

import base64
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from jwt.algorithms import ECAlgorithm
from playwright.sync_api import expect

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import read_terms
from tests.support.importing import Importing, pem, spellings
from tests.support.scripted_endpoint import Identity

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]

PASSPHRASE = "correct horse battery staple"
ISSUER = Identity("issuer", ca=True)


def secrets_of(key: Any) -> list[bytes]:
    """What of a private key must be in no request, however it was written in its file."""
    forms = [(Encoding.DER, PrivateFormat.PKCS8), (Encoding.Raw, PrivateFormat.Raw)]
    encoding, form = forms[isinstance(key, Ed25519PrivateKey)]
    whole = key.private_bytes(encoding, form, NoEncryption())
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        return [whole, numbers.d.to_bytes(256, "big"), numbers.p.to_bytes(128, "big")]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [whole, key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")]
    return [whole]


def never_left(alice: Importing, *secrets: bytes) -> None:
    requests = list(alice.everything_sent())
    assert len(requests) >= 6
    for secret in secrets:
        assert not any(one in request for request in requests for one in spellings(secret))


def imported(alice: Importing) -> Receipt:
    alice.sealed()
    alice.sent_and_received()
    return jws.read_unverified(alice.saved("Save the receipt").decode(), Receipt)


def is_the_key(receipt: Receipt, key: Any) -> None:
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = load_pem_public_key(receipt.public_key.encode())
    assert known.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == public


@pytest.mark.parametrize("kind", ["RSA in PKCS#1", "P-384 in SEC1", "P-521 in DER", "P-256 as a JWK", "Ed25519"])
def test_key_pairs_of_every_form_come_as_the_same_key(importing: Importing, kind: str) -> None:
    key: Any = {
        "RSA in PKCS#1": lambda: rsa.generate_private_key(65537, 2048),
        "P-384 in SEC1": lambda: ec.generate_private_key(ec.SECP384R1()),
        "P-521 in DER": lambda: ec.generate_private_key(ec.SECP521R1()),
        "P-256 as a JWK": lambda: ec.generate_private_key(ec.SECP256R1()),
        "Ed25519": Ed25519PrivateKey.generate,
    }[kind]()
    if "JWK" in kind:
        data = canonical_json(ECAlgorithm.to_jwk(key, as_dict=True))
    else:
        encoding = Encoding.DER if "DER" in kind else Encoding.PEM
        form = PrivateFormat.TraditionalOpenSSL if "PKCS#1" in kind or "SEC1" in kind else PrivateFormat.PKCS8
        data = key.private_bytes(encoding, form, NoEncryption())
    importing.choose(data, f"form-{os.urandom(4).hex()}", "sign", "verify")
    is_the_key(imported(importing), key.public_key())
    never_left(importing, *secrets_of(key), data)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_key_under_a_passphrase_comes_with_it_and_neither_leaves(importing: Importing, encoding: Encoding) -> None:
    page = importing.page
    key = ec.generate_private_key(ec.SECP256R1())
    data = key.private_bytes(encoding, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode()))
    # 1. The page asks for it; a wrong one gets a sentence.
    importing.choose(data, f"locked-{os.urandom(4).hex()}")
    expect(page.get_by_text("The key is under a passphrase: fill it in.")).to_be_visible()
    importing.unlock("wrong")
    expect(importing.refusal).to_contain_text("The passphrase is wrong")
    # 2. With the right one it is read.
    importing.unlock(PASSPHRASE)
    expect(page.get_by_text("under a passphrase: EC-P256.")).to_be_visible()
    page.locator("#usages").get_by_label("sign", exact=True).check()
    is_the_key(imported(importing), key.public_key())
    never_left(importing, *secrets_of(key), PASSPHRASE.encode(), data)
    assert page.locator("#passphrase").input_value() == ""


def test_a_key_comes_with_its_certificate_whose_chain_stands_in_the_terms(importing: Importing) -> None:
    own = Identity("key", issuer=ISSUER)
    chain = ISSUER.certificate.public_bytes(Encoding.PEM) + own.certificate.public_bytes(Encoding.PEM)
    importing.choose(pem(own.key), f"certified-{os.urandom(4).hex()}", "sign")
    importing.certify(chain)
    expect(importing.page.get_by_text("with 2 certificates.")).to_be_visible()
    importing.look()
    is_the_key(imported(importing), own.key.public_key())
    terms = read_terms(importing.saved("Save your terms"))
    assert terms.certificates == [own.der, ISSUER.der]
    never_left(importing, *secrets_of(own.key), base64.b64decode(b"".join(pem(own.key).splitlines()[1:-1])))


def test_a_strangers_certificate_is_refused(importing: Importing) -> None:
    importing.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    importing.certify(ISSUER.certificate.public_bytes(Encoding.PEM))
    expect(importing.refusal).to_contain_text("certificate-mismatch")
    importing.encrypt()
    importing.nothing_left("No certificate in the file belongs to the key")


@pytest.mark.parametrize("kind", ["public key", "certificate", "JWK"])
def test_a_public_half_comes_alone_and_only_verifies(importing: Importing, kind: str) -> None:
    own = Identity("key", issuer=ISSUER)
    public = own.key.public_key()
    jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    data = {
        "public key": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "certificate": own.certificate.public_bytes(Encoding.DER),
        "JWK": canonical_json(jwk),
    }[kind]
    importing.choose(data, f"public-{os.urandom(4).hex()}", "verify")
    expect(importing.page.get_by_text("the public half alone")).to_be_visible()
    offered = importing.page.locator("#usages input").evaluate_all("boxes => boxes.map((one) => one.value)")
    assert offered == ["hash", "verify"]
    is_the_key(imported(importing), public)
    terms = read_terms(importing.saved("Save your terms"))
    assert (terms.material, terms.certificates) == ("public", [own.der] if kind == "certificate" else [])


def test_a_symmetric_jwk_comes_too(importing: Importing) -> None:
    raw = os.urandom(32)
    data = canonical_json({"kty": "oct", "k": b64u(raw), "alg": "HS256"})
    importing.choose(data, f"jwk-{os.urandom(4).hex()}", "hash", "verify")
    assert imported(importing).key_type == "HMAC"
    never_left(importing, raw)


def test_a_pinned_certificate_of_another_host_is_refused_before_anything_is_sent(importing: Importing) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pin = Identity("keys.acme.example").certificate.public_bytes(Encoding.PEM)
    importing.choose(pem(key), "never-sent", "sign", revoke_at="https://keys.other.example/", revoke_token="t")
    importing.page.locator("#revoke-pin").set_input_files({"name": "pin.pem", "mimeType": "text/plain", "buffer": pin})
    importing.encrypt()
    importing.nothing_left("The pinned certificate is not for keys.other.example", "terms-refused")
    importing.choose(
        pem(key), "never-sent", "sign", revoke_at="https://keys.acme.example/", revoke_every="2d", not_after="1d"
    )
    importing.encrypt()
    importing.nothing_left("The revocation interval is longer than the validity", "terms-refused")
