"""Files that are no key, or not one that is accepted, are refused in the owner's words, which show no secret."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm
from key_makers import LEAF, OTHER_P256, P256, PLAIN, RSA, certify, okp, pem, pkcs8, public

from strongroom.client.material import read_material
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType


def jwk(key: Any, **changes: str) -> bytes:
    return json.dumps({**ECAlgorithm.to_jwk(key, as_dict=True), **changes}).encode()


ED = okp(Ed25519PrivateKey.generate())
X962 = (Encoding.X962, PublicFormat.UncompressedPoint)
POINT, OTHER_POINT = P256.public_key().public_bytes(*X962), OTHER_P256.public_key().public_bytes(*X962)
NUMBERS, OTHER_NUMBERS = RSA.private_numbers(), rsa.generate_private_key(65537, 2048).private_numbers()
ALTERED = rsa.RSAPrivateNumbers(
    NUMBERS.p, NUMBERS.q, OTHER_NUMBERS.d, NUMBERS.dmp1, NUMBERS.dmq1, NUMBERS.iqmp, NUMBERS.public_numbers
).private_key(unsafe_skip_rsa_key_validation=True)


@pytest.mark.parametrize(
    ("data", "key_type", "code", "words"),
    [
        (b"", None, "key-unparsable", "not a key in any form"),
        (b"hello", None, "key-unparsable", "not a key in any form"),
        (bytes(31), KeyType.AES_256, "key-unparsable", "has 32 bytes, not 31"),
        (bytes(32) + b"\n", KeyType.AES_256, "key-unparsable", "followed by a line feed"),
        (bytes(15), KeyType.HMAC, "key-weak", "16 to 1024"),
        (b"00" * 20, None, "key-unparsable", "name the key's --type"),
        (pkcs8(P256), KeyType.RSA, "key-unparsable", "of type EC-P256, not RSA"),
        (pkcs8(ec.generate_private_key(ec.BrainpoolP256R1())), None, "key-unparsable", "curve brainpoolP256r1"),
        (pkcs8(ed448.Ed448PrivateKey.generate()), None, "key-unparsable", "of the kind Ed448; accepted are"),
        (pkcs8(dsa.generate_private_key(2048)), None, "key-unparsable", "of the kind DSA; accepted are"),
        (pkcs8(rsa.generate_private_key(65537, 1024)), None, "key-weak", "1024 bits"),  # noqa: S505
        (pkcs8(rsa.generate_private_key(3, 2048)), None, "key-weak", "exponent"),
        (public(rsa.generate_private_key(65537, 1024)), None, "key-weak", "1024 bits"),  # noqa: S505
        (pkcs8(P256) + pkcs8(RSA), None, "key-unparsable", "several keys"),
        (public(P256) + public(RSA), None, "key-unparsable", "several keys"),
        (pem(LEAF, certify(RSA, "other")), None, "key-unparsable", "several keys"),
        (json.dumps({"keys": [ED, ED]}).encode(), None, "key-unparsable", "the JWK set holds 2 keys"),
        (json.dumps({"keys": []}).encode(), None, "key-unparsable", "the JWK set holds 0 keys"),
        (json.dumps({"kty": "none"}).encode(), None, "key-unparsable", "kty must be"),
        (json.dumps({"kty": "oct"}).encode(), None, "key-unparsable", "has no k"),
        (jwk(P256, d="AAAA"), None, "key-unparsable", "do not make a key"),
        (jwk(P256, x=b64u(bytes(32))), None, "key-unparsable", "do not make a key"),
        (json.dumps({**ED, "x": b64u(bytes(32))}).encode(), None, "key-self-test-failed", "not the public half"),
        (
            P256.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN).replace(POINT, OTHER_POINT),
            None,
            "key-self-test-failed",
            "do not belong together",
        ),
        (pkcs8(ALTERED), None, "key-self-test-failed", "do not belong together"),
        (pkcs8(ALTERED, Encoding.DER), None, "key-self-test-failed", "do not belong together"),
        (b"PuTTY-User-Key-File-3: ssh-rsa", None, "key-unparsable", "puttygen"),
        (b"\xfe\xed\xfe\xed" + bytes(20), None, "key-unparsable", "keytool"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", None, "key-unparsable", "OpenPGP"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA", None, "key-unparsable", "nothing complete"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", None, "key-unparsable", "damaged"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
            None,
            "key-unparsable",
            "holds CERTIFICATE REQUEST",
        ),
    ],
)
def test_other_files_are_refused_in_the_owners_words(
    data: bytes, key_type: KeyType | None, code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        read_material(data, key_type)
    assert refused.value.code == code


def test_a_truncated_key_is_refused() -> None:
    whole = pkcs8(RSA, Encoding.DER)
    for length in range(1, len(whole), 97):
        if length not in (16, 24, 32):
            with pytest.raises(Refused, match="key-unparsable"):
                read_material(whole[:length], KeyType.RSA)


def test_a_key_with_any_byte_altered_is_refused_or_is_another_key_that_works() -> None:
    """Nothing but a refusal or sound material ever comes out, whatever is in the file."""
    whole = pkcs8(P256, Encoding.DER)
    outcomes: set[str | bool] = set()
    for position in range(len(whole)):
        altered = whole[:position] + bytes([whole[position] ^ 0x01]) + whole[position + 1 :]
        try:
            outcomes.add(read_material(altered).secret == whole)
        except Refused as refusal:
            outcomes.add(refusal.code)
    assert {"key-unparsable", "key-self-test-failed"} <= outcomes


def test_neither_a_key_nor_a_refusal_shows_the_secret() -> None:
    secret = b"a secret of exactly 32 bytes....", b"a secret of some other length"
    assert "secret of" not in repr(read_material(secret[0]))
    with pytest.raises(Refused) as refused:
        read_material(secret[1], KeyType.AES_256)
    assert "secret of" not in str(refused.value)
    with pytest.raises(Refused) as refused:
        read_material(json.dumps({"kty": "EC", "d": "secret of"}).encode())
    assert "secret of" not in str(refused.value)
