"""Key files of every accepted form become what the device takes; others are refused in the owner's words."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from key_makers import JWK, LEAF, LOCKED, OPENSSH, P256, PAIRS, PLAIN, ROOT, RSA, certify, okp, pem, pkcs8, public

from strongroom.client.envelopes import complete_terms
from strongroom.client.material import Material, needs_passphrase, public_key_der, read_material
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt

pair = pytest.mark.parametrize(("key", "key_type"), PAIRS, ids=[key_type for _, key_type in PAIRS])


def is_the_key(material: Material, key: Any, key_type: KeyType) -> None:
    assert material.key_type is key_type
    assert material.secret == pkcs8(key, Encoding.DER)
    assert material.public_key == public(key).decode()
    assert (material.check_value, material.public_only) == ("", False)


# --- private keys ---


@pair
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("protection", [PLAIN, LOCKED], ids=["plain", "locked"])
def test_pkcs8_is_read(key: Any, key_type: KeyType, encoding: Encoding, protection: Any) -> None:
    data = pkcs8(key, encoding, protection)
    assert needs_passphrase(data) is (protection is LOCKED)
    is_the_key(read_material(data, passphrase=b"open sesame"), key, key_type)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(("key", "key_type"), PAIRS[:5], ids=[key_type for _, key_type in PAIRS[:5]])
def test_pkcs1_and_sec1_are_normalised_to_pkcs8(key: Any, key_type: KeyType, encoding: Encoding) -> None:
    is_the_key(read_material(key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, PLAIN)), key, key_type)


@pytest.mark.parametrize("protection", [PLAIN, LOCKED], ids=["plain", "locked"])
@pytest.mark.parametrize(("key", "key_type"), OPENSSH, ids=[key_type for _, key_type in OPENSSH])
def test_openssh_keys_are_read(key: Any, key_type: KeyType, protection: Any) -> None:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)
    assert needs_passphrase(data) is (protection is LOCKED)
    is_the_key(read_material(data, passphrase=b"open sesame"), key, key_type)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH])
def test_without_its_passphrase_a_key_stays_closed(form: PrivateFormat) -> None:
    data = P256.private_bytes(Encoding.PEM, form, LOCKED)
    with pytest.raises(Refused, match="under a passphrase, and none was given"):
        read_material(data)
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_material(data, passphrase=b"wrong")


@pytest.mark.parametrize(("key", "key_type"), JWK, ids=[key_type for _, key_type in JWK])
def test_jwks_are_read(key: Any, key_type: KeyType) -> None:
    if "25519" in key_type:
        jwk = okp(key)
    else:
        jwk = (RSAAlgorithm if key_type is KeyType.RSA else ECAlgorithm).to_jwk(key, as_dict=True)
    is_the_key(read_material(json.dumps(jwk).encode()), key, key_type)
    is_the_key(read_material(json.dumps({"keys": [jwk]}).encode()), key, key_type)


def test_pkcs12_gives_the_key_and_its_chain_in_order() -> None:
    data = pkcs12.serialize_key_and_certificates(b"it", P256, LEAF, [ROOT], LOCKED)
    assert needs_passphrase(data)
    material = read_material(data, passphrase=b"open sesame")
    is_the_key(material, P256, KeyType.EC_P256)
    assert [from_b64u(one) for one in material.certificates] == [one.public_bytes(Encoding.DER) for one in (LEAF, ROOT)]
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_material(data, passphrase=b"wrong")
    with pytest.raises(Refused, match="none was given"):
        read_material(data)


def test_pkcs12_without_protection_needs_no_passphrase() -> None:
    data = pkcs12.serialize_key_and_certificates(b"it", RSA, None, None, PLAIN)
    assert not needs_passphrase(data)
    is_the_key(read_material(data), RSA, KeyType.RSA)


# --- certificates and public keys ---


def test_certificates_of_a_file_of_their_own_or_of_the_keys_are_put_in_order() -> None:
    wanted = [b64u(one.public_bytes(Encoding.DER)) for one in (LEAF, ROOT)]
    assert read_material(pkcs8(P256), certificate=pem(ROOT, LEAF)).certificates == wanted
    assert read_material(pem(ROOT) + pkcs8(P256) + pem(LEAF)).certificates == wanted
    assert read_material(pkcs8(P256), certificate=LEAF.public_bytes(Encoding.DER)).certificates == wanted[:1]


def test_a_certificate_that_is_not_the_keys_is_refused() -> None:
    for chain in (pem(ROOT), pem(LEAF, certify(RSA, "stranger"))):
        with pytest.raises(Refused, match="certificate-mismatch"):
            read_material(pkcs8(P256), certificate=chain)
    with pytest.raises(Refused, match=r"CN=stranger"):
        read_material(pkcs8(P256), certificate=pem(LEAF, certify(RSA, "stranger")))
    with pytest.raises(Refused, match=r"no X\.509 certificate"):
        read_material(pkcs8(P256), certificate=b"nothing")
    with pytest.raises(Refused, match="symmetric key has no certificate"):
        read_material(bytes(32), certificate=pem(LEAF))


@pytest.mark.parametrize(
    "data", [public(P256), public(P256, Encoding.DER), pem(LEAF, ROOT), LEAF.public_bytes(Encoding.DER)]
)
def test_a_public_key_or_certificate_alone_is_material_that_is_public(data: bytes) -> None:
    material = read_material(data)
    assert material.public_only
    assert material.secret == public(P256, Encoding.DER)
    assert public_key_der(data) == material.secret


def test_an_openssh_public_key_is_read() -> None:
    data = P256.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" alice@example\n"
    assert read_material(data).secret == public(P256, Encoding.DER)


def test_a_public_key_where_a_private_one_is_needed_is_refused_with_what_it_would_take() -> None:
    material = read_material(pem(LEAF))
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN, Usage.VERIFY])
    with pytest.raises(Refused, match="a certificate alone; to sign takes the private key"):
        complete_terms(terms, material, 0)
    complete = complete_terms(Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.VERIFY]), material, 0)
    assert (complete.material, len(complete.certificates)) == ("public", 1)


# --- symmetric keys ---


@pytest.mark.parametrize(
    ("data", "key_type", "encoding", "found", "length"),
    [
        (bytes(range(16)), None, None, KeyType.AES_128, 16),
        (bytes(range(24)), None, None, KeyType.AES_192, 24),
        (bytes(range(32)), None, None, KeyType.AES_256, 32),
        (bytes(31) + b"\n", None, None, KeyType.AES_256, 32),
        (b"0f" * 16 + b"\n", KeyType.AES_128, None, KeyType.AES_128, 16),
        (b"0f" * 16, None, "hex", KeyType.AES_128, 16),
        (b"0f" * 16, None, "raw", KeyType.AES_256, 32),
        (b"0f" * 32 + b"\n", None, None, KeyType.AES_256, 32),
        (b"0F" * 24, KeyType.AES_192, None, KeyType.AES_192, 24),
        (b"00" * 32, KeyType.AES_256, None, KeyType.AES_256, 32),
        (b"00" * 16, KeyType.AES_256, "raw", KeyType.AES_256, 32),
        (bytes(range(32)), KeyType.CHACHA20, None, KeyType.CHACHA20, 32),
        (b"ab" * 32, KeyType.CHACHA20, "hex", KeyType.CHACHA20, 32),
        (bytes(range(20)), KeyType.HMAC, None, KeyType.HMAC, 20),
        (b"ab" * 32, KeyType.HMAC, "hex", KeyType.HMAC, 32),
        (b"ab" * 32, KeyType.HMAC, "raw", KeyType.HMAC, 64),
        (b"a webhook's shared secret", KeyType.HMAC, None, KeyType.HMAC, 25),
        (json.dumps({"kty": "oct", "k": b64u(bytes(32))}).encode(), None, None, KeyType.AES_256, 32),
        (json.dumps({"kty": "oct", "alg": "HS256", "k": b64u(bytes(32))}).encode(), None, None, KeyType.HMAC, 32),
        (json.dumps({"kty": "oct", "k": b64u(bytes(40))}).encode(), None, None, KeyType.HMAC, 40),
    ],
)
def test_symmetric_keys_are_raw_or_hexadecimal(
    data: bytes, key_type: KeyType | None, encoding: Any, found: KeyType, length: int
) -> None:
    material = read_material(data, key_type, encoding=encoding)
    assert (material.key_type, len(material.secret), material.public_key) == (found, length, "")
    assert len(material.check_value) == 6


@pytest.mark.parametrize(
    ("data", "key_type"),
    [
        (b"00" * 16, KeyType.AES_256),
        (b"ab" * 32, KeyType.HMAC),
        (b"00" * 8, KeyType.AES_128),
        (b"00" * 16, None),
        (b"00" * 16 + b"\n", None),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_guessed(data: bytes, key_type: KeyType | None) -> None:
    with pytest.raises(Refused, match="say --encoding hex"):
        read_material(data, key_type)
