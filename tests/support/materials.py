"""Keys of every type, and terms for them, for tests."""

import functools
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt

USAGES = {
    KeyType.RSA: [Usage.SIGN, Usage.VERIFY, Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE],
    KeyType.EC_P256: [Usage.SIGN, Usage.VERIFY],
    KeyType.AES_256: [Usage.ENCRYPT, Usage.DECRYPT, Usage.HASH, Usage.TRANSLATE],
}


def pkcs8(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def rsa_pkcs8(bits: int = 2048) -> bytes:
    """One RSA key of each size for all tests: making one is slow."""
    return pkcs8(rsa.generate_private_key(65537, bits))


def ec_pkcs8(curve: ec.EllipticCurve | None = None) -> bytes:
    return pkcs8(ec.generate_private_key(curve or ec.SECP256R1()))


def material_of(key_type: KeyType) -> bytes:
    return {KeyType.RSA: rsa_pkcs8, KeyType.EC_P256: ec_pkcs8, KeyType.AES_256: lambda: os.urandom(32)}[key_type]()


def private_key(material: bytes) -> Any:
    return load_der_private_key(material, None)


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
