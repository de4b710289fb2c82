"""A key in the device used once in each direction, and what it computes compared with the same key outside."""

import hmac
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import AES, EC, KeyType
from tests.support.materials import CURVES, private_key
from tests.support.sealed import Customer

MESSAGE = b"the story of a key"
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
HASHES: dict[KeyType, hashes.HashAlgorithm] = {
    KeyType.EC_P256: hashes.SHA256(),
    KeyType.EC_P384: hashes.SHA384(),
    KeyType.EC_P521: hashes.SHA512(),
    KeyType.EC_SECP256K1: hashes.SHA256(),
}


def worked(customer: Customer, key: str, operation: str, payload: bytes, **parameters: Any) -> bytes:
    """The result of an operation that must succeed."""
    reply = customer.operate(key, operation, payload, parameters=Parameters(**parameters))
    assert (reply.code, reply.detail) == ("", "")
    return reply.result


def check_use(customer: Customer, key: str, key_type: KeyType, material: bytes) -> None:
    """Sign and verify, decrypt and encrypt, hash, agree: whatever the type can do."""
    if key_type in AES or key_type is KeyType.CHACHA20:
        outside = AESGCM(material) if key_type in AES else ChaCha20Poly1305(material)
        sealed = worked(customer, key, "encrypt", MESSAGE)
        assert outside.decrypt(sealed[:12], sealed[12:], b"") == MESSAGE
        assert worked(customer, key, "decrypt", sealed) == MESSAGE
    elif key_type is KeyType.HMAC:
        assert worked(customer, key, "hash", MESSAGE) == hmac.digest(material, MESSAGE, "sha256")
    else:
        _check_pair(customer, key, key_type, private_key(material))


def _check_pair(customer: Customer, key: str, key_type: KeyType, outside: Any) -> None:
    public = outside.public_key()
    if key_type is KeyType.RSA:
        public.verify(worked(customer, key, "sign", MESSAGE), MESSAGE, PSS, hashes.SHA256())
        assert worked(customer, key, "decrypt", public.encrypt(MESSAGE, OAEP)) == MESSAGE
        signature = outside.sign(MESSAGE, PSS, hashes.SHA256())
    elif key_type in CURVES:
        algorithm = ec.ECDSA(HASHES[key_type])
        public.verify(worked(customer, key, "sign", MESSAGE), MESSAGE, algorithm)
        signature = outside.sign(MESSAGE, algorithm)
    elif key_type in {KeyType.ED25519, KeyType.ML_DSA_65}:
        public.verify(worked(customer, key, "sign", MESSAGE), MESSAGE)
        signature = outside.sign(MESSAGE)
    if key_type is not KeyType.X25519:
        assert worked(customer, key, "verify", MESSAGE, signature=b64u(signature)) == b"\x01"
        assert worked(customer, key, "verify", MESSAGE + b"!", signature=b64u(signature)) == b"\x00"
    if key_type is KeyType.X25519 or key_type in EC:
        check_agreement(customer, key, key_type, outside)


def check_agreement(customer: Customer, key: str, key_type: KeyType, outside: Any) -> None:
    """Key and peer agree on what HKDF makes of the secret that both compute."""
    peer: Any = X25519PrivateKey.generate() if key_type is KeyType.X25519 else ec.generate_private_key(CURVES[key_type])
    theirs = peer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = os.urandom(16)
    shared = (
        peer.exchange(outside.public_key())
        if key_type is KeyType.X25519
        else peer.exchange(ec.ECDH(), outside.public_key())
    )
    expected = HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(shared)
    assert worked(customer, key, "derive", theirs, aad=b64u(info)) == expected
