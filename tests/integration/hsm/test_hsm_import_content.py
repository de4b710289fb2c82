"""What is inside an envelope: key bytes and terms that are not sound are refused, each with its code."""

import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption as Encrypted
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import code_of
from tests.support.materials import ec_pkcs8, make_terms, pkcs8, private_key, rsa_pkcs8
from tests.support.sealed import Customer

AES = KeyType.AES_256
pytestmark = pytest.mark.usefixtures("_leaves_nothing")


# --- key bytes ---


def encrypted_pkcs8() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, Encrypted(b"passphrase"))


def ed25519_pkcs8() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def rsa_with(**changes: int) -> bytes:
    """A 2048-bit key some of whose numbers were altered, encoded by hand (PKCS#1 inside PKCS#8)."""
    numbers = private_key(rsa_pkcs8()).private_numbers()
    p, q = numbers.p, numbers.q
    values = {
        "n": p * q, "e": 65537, "d": numbers.d, "p": p, "q": q,
        "dmp1": numbers.dmp1, "dmq1": numbers.dmq1, "iqmp": numbers.iqmp,
    } | changes  # fmt: skip
    body = der(0x30, der_int(0) + b"".join(der_int(one) for one in values.values()))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return der(0x30, der_int(0) + algorithm + der(0x04, body))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_int(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def ec_with_another_public_point() -> bytes:
    """SEC1 inside PKCS#8, the public point of another key beside the private scalar."""
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    point, foreign = (
        key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for key in (mine, other)
    )
    whole = pkcs8(mine)
    assert whole.count(point) == 1
    return whole.replace(point, foreign)


def test_the_hand_made_encoding_is_that_of_a_sound_key() -> None:
    assert rsa_with() == rsa_pkcs8()


NUMBERS = private_key(rsa_pkcs8()).private_numbers()


@pytest.mark.parametrize(
    ("key_type", "material", "codes"),
    [
        (AES, b"", {"key-unparsable"}),
        (AES, bytes(16), {"key-unparsable"}),
        (AES, bytes(31), {"key-unparsable"}),
        (AES, bytes(33), {"key-unparsable"}),
        (KeyType.RSA, b"", {"key-unparsable"}),
        (KeyType.RSA, b"not a key", {"key-unparsable"}),
        (KeyType.RSA, rsa_pkcs8()[:-1], {"key-unparsable"}),
        (KeyType.RSA, rsa_pkcs8() + bytes(8), {"key-unparsable"}),
        (KeyType.RSA, ec_pkcs8(), {"key-unparsable"}),
        (KeyType.RSA, bytes(32), {"key-unparsable"}),
        (KeyType.RSA, rsa_pkcs8(1024), {"key-weak"}),
        (KeyType.RSA, pkcs8(rsa.generate_private_key(3, 2048)), {"key-weak"}),
        (KeyType.RSA, rsa_with(d=NUMBERS.d ^ 4), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(d=1), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(dmp1=NUMBERS.dmp1 ^ 4), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(iqmp=NUMBERS.iqmp ^ 4), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(n=NUMBERS.p * NUMBERS.q ^ 4), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(p=NUMBERS.p ^ 4), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(p=1, q=NUMBERS.p * NUMBERS.q), {"key-self-test-failed"}),
        (KeyType.RSA, rsa_with(p=0, q=0), {"key-self-test-failed", "key-unparsable"}),
        (KeyType.RSA, rsa_with(n=0), {"key-weak", "key-unparsable"}),
        (KeyType.RSA, rsa_with(e=1), {"key-weak"}),
        (KeyType.RSA, rsa_with(e=65538), {"key-self-test-failed", "key-unparsable"}),
        (KeyType.EC_P256, b"", {"key-unparsable"}),
        (KeyType.EC_P256, ec_pkcs8()[:-1], {"key-unparsable"}),
        (KeyType.EC_P256, rsa_pkcs8(), {"key-unparsable"}),
        (KeyType.EC_P256, ed25519_pkcs8(), {"key-unparsable"}),
        (KeyType.EC_P256, encrypted_pkcs8(), {"key-unparsable"}),
        (KeyType.EC_P256, ec_pkcs8(ec.SECP384R1()), {"key-unparsable"}),
        (KeyType.EC_P256, ec_pkcs8(ec.SECP256K1()), {"key-unparsable"}),
        (KeyType.EC_P256, ec_with_another_public_point(), {"key-unparsable", "key-self-test-failed"}),
    ],
)  # fmt: skip
def test_bytes_that_are_not_a_sound_key_of_the_stated_type_are_refused(
    alice: Customer, name: str, key_type: KeyType, material: bytes, codes: set[str]
) -> None:
    assert code_of(alice, alice.envelope(material, make_terms(key_type).encode(), name)) in codes


# --- terms ---


@pytest.mark.parametrize(
    "changes",
    [
        {"revocation": {"endpoint": "https://acme.example/revocation"}},
        {"v": 2},
        {"key_type": "DES"},
        {"usages": []},
        {"usages": ["sign"]},
        {"usages": ["encrypt", "encrypt"]},
        {"usages": ["export"]},
        {"authorisation": "none"},
        {"mechanisms": ["ECDSA-SHA256"]},
        {"mechanisms": ["AES-CBC"]},
        {"mechanisms": ["HMAC-SHA256"], "usages": ["encrypt"]},
        {"not_before": 2000, "not_after": 2000},
        {"not_before": "soon"},
        {"usages": ["encrypt"], "translate_to": ["*"]},
        {"salt": "short"},
        {"salt": None},
    ],
    ids=lambda one: next(iter(one)),
)
def test_unknown_or_contradictory_terms_are_refused_and_not_ignored(
    alice: Customer, name: str, changes: dict[str, object]
) -> None:
    terms = json.loads(make_terms(AES).encode()) | changes
    with pytest.raises(Refused) as caught:
        alice.send(alice.envelope(os.urandom(32), json.dumps(terms).encode(), name))
    # The answer passes the provider, who may not learn what the terms hold.
    detail = "whatever it was: a revocation interval has 1 to 604800 seconds on this device"
    assert (caught.value.code, caught.value.detail) == ("terms-refused", detail)


@pytest.mark.parametrize("terms", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 60_000, b'{"v":1}'])
def test_terms_that_cannot_be_read_are_refused(alice: Customer, name: str, terms: bytes) -> None:
    assert code_of(alice, alice.envelope(os.urandom(32), terms, name)) == "terms-refused"
