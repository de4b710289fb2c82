"""Keys of every type, and terms for them, for tests."""

import functools
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from strongroom.protocol.mechanisms import AES, EC, KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt

CURVES = {
    KeyType.EC_P256: ec.SECP256R1(),
    KeyType.EC_P384: ec.SECP384R1(),
    KeyType.EC_P521: ec.SECP521R1(),
    KeyType.EC_SECP256K1: ec.SECP256K1(),
}
SYMMETRIC_BYTES = {
    KeyType.AES_128: 16,
    KeyType.AES_192: 24,
    KeyType.AES_256: 32,
    KeyType.CHACHA20: 32,
    KeyType.HMAC: 48,
}
USAGES = {
    KeyType.RSA: [Usage.SIGN, Usage.VERIFY, Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE],
    **{key_type: [Usage.SIGN, Usage.VERIFY, Usage.DERIVE] for key_type in EC},
    KeyType.EC_SECP256K1: [Usage.SIGN, Usage.VERIFY],
    KeyType.ED25519: [Usage.SIGN, Usage.VERIFY],
    KeyType.ML_DSA_65: [Usage.SIGN, Usage.VERIFY],
    KeyType.X25519: [Usage.DERIVE],
    **{
        key_type: [Usage.ENCRYPT, Usage.DECRYPT, Usage.HASH, Usage.TRANSLATE, Usage.WRAP, Usage.UNWRAP]
        for key_type in AES
    },
    KeyType.CHACHA20: [Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE],
    KeyType.HMAC: [Usage.HASH, Usage.VERIFY],
}

NARROW: dict[str, Any] = {
    "usages": ["encrypt", "decrypt", "translate"],
    "authorisation": "signed",
    "mechanisms": ["AES-GCM"],
    "not_before": 1000,
    "not_after": 2**40,
    "translate_to": ["a", "b"],
}
"""Changes that make an AES-256 key's terms narrow in every member."""


_GENERATE = {
    KeyType.ED25519: Ed25519PrivateKey.generate,
    KeyType.X25519: X25519PrivateKey.generate,
    KeyType.ML_DSA_65: MLDSA65PrivateKey.generate,
}


def pkcs8(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey | MLDSA65PrivateKey,
) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def rsa_pkcs8(bits: int = 2048) -> bytes:
    """One RSA key of each size for all tests: making one is slow."""
    return pkcs8(rsa.generate_private_key(65537, bits))


def ec_pkcs8(curve: ec.EllipticCurve | None = None) -> bytes:
    return pkcs8(ec.generate_private_key(curve or ec.SECP256R1()))


def material_of(key_type: KeyType) -> bytes:
    """Fresh material of any type (for RSA the one 2048-bit key)."""
    if key_type in SYMMETRIC_BYTES:
        return os.urandom(SYMMETRIC_BYTES[key_type])
    if key_type in CURVES:
        return ec_pkcs8(CURVES[key_type])
    if key_type is KeyType.RSA:
        return rsa_pkcs8()
    return pkcs8(_GENERATE[key_type]())


def private_key(material: bytes) -> Any:
    return load_der_private_key(material, None)


def spki(material: bytes) -> bytes:
    """SubjectPublicKeyInfo in DER of a private key's public half."""
    return private_key(material).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make_terms(key_type: KeyType, **changes: Any) -> Terms:
    """Terms with every usage of the type, in token mode unless `changes` say otherwise."""
    fields: dict[str, Any] = {
        "salt": new_salt(),
        "key_type": key_type,
        "usages": USAGES[key_type],
        "authorisation": "token",
        "translate_to": ["*"] if Usage.TRANSLATE in changes.get("usages", USAGES[key_type]) else [],
    }
    return Terms(**(fields | changes))
