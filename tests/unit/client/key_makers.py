"""Keys and certificates for tests of key files, made once."""

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from strongroom.protocol.encoding import b64u
from strongroom.protocol.mechanisms import KeyType

RSA = rsa.generate_private_key(65537, 2048)
P256, OTHER_P256 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
PLAIN, LOCKED = NoEncryption(), BestAvailableEncryption(b"open sesame")
PAIRS: list[tuple[Any, KeyType]] = [
    (RSA, KeyType.RSA),
    (P256, KeyType.EC_P256),
    (ec.generate_private_key(ec.SECP384R1()), KeyType.EC_P384),
    (ec.generate_private_key(ec.SECP521R1()), KeyType.EC_P521),
    (ec.generate_private_key(ec.SECP256K1()), KeyType.EC_SECP256K1),
    (Ed25519PrivateKey.generate(), KeyType.ED25519),
    (MLDSA65PrivateKey.generate(), KeyType.ML_DSA_65),
    (X25519PrivateKey.generate(), KeyType.X25519),
]
OPENSSH = [one for one in PAIRS if one[1] not in {KeyType.EC_SECP256K1, KeyType.ML_DSA_65, KeyType.X25519}]
"""Those that have a form there."""
JWK = [one for one in PAIRS if one[1] is not KeyType.ML_DSA_65]


def pkcs8(key: Any, encoding: Encoding = Encoding.PEM, protection: Any = PLAIN) -> bytes:
    data: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, protection)
    return data


def public(key: Any, encoding: Encoding = Encoding.PEM) -> bytes:
    data: bytes = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return data


def certify(key: Any, name: str, issuer: tuple[Any, str] | None = None) -> x509.Certificate:
    """A certificate of `key`, issued by (key, name), or by itself."""
    signer, by = issuer or (key, name)
    today = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )


ROOT = certify(OTHER_P256, "root")
LEAF = certify(P256, "leaf", (OTHER_P256, "root"))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def okp(key: Any) -> dict[str, str]:
    halves = {"x": b64u(key.public_key().public_bytes_raw()), "d": b64u(key.private_bytes_raw())}
    return {"kty": "OKP", "crv": type(key).__name__.removesuffix("PrivateKey")} | halves
