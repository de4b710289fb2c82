"""What the mechanisms compute, by `cryptography` and the standard library, outside the device."""

import hashlib
import hmac
import os
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.cmac import CMAC

from strongroom.protocol.mechanisms import Mechanism
from tests.support.materials import private_key

AEADS: dict[str, Any] = {
    Mechanism.AES_GCM: AESGCM,
    Mechanism.AES_GCM_SIV: AESGCMSIV,
    Mechanism.CHACHA20_POLY1305: ChaCha20Poly1305,
}


def hash_of(mechanism: str) -> hashes.HashAlgorithm:
    """The hash that a mechanism is named after."""
    return {
        "1": hashes.SHA1(),  # noqa: S303
        "256": hashes.SHA256(),
        "384": hashes.SHA384(),
        "512": hashes.SHA512(),
    }[mechanism.rpartition("SHA")[2]]


def digest_by(mechanism: str, message: bytes) -> bytes:
    return hashlib.new(hash_of(mechanism).name, message).digest()


def sign(mechanism: str, material: bytes, message: bytes) -> bytes:
    key = private_key(material)
    return key.sign(message, *_scheme(mechanism, prehashed=False))


def verify(mechanism: str, material: bytes, signature: bytes, message: bytes, *, prehashed: bool = False) -> None:
    """Raises `InvalidSignature`. `prehashed`: `message` is the digest."""
    private_key(material).public_key().verify(signature, message, *_scheme(mechanism, prehashed=prehashed))


def _scheme(mechanism: str, *, prehashed: bool) -> tuple[Any, ...]:
    if mechanism in {Mechanism.ED25519, Mechanism.ML_DSA_65}:
        return ()
    algorithm = hash_of(mechanism)
    chosen = Prehashed(algorithm) if prehashed else algorithm
    if mechanism.startswith("ECDSA"):
        return (ec.ECDSA(chosen),)
    if mechanism.startswith("RSA-PKCS1"):
        return padding.PKCS1v15(), chosen
    return padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), chosen


def to_raw(signature: bytes, size: int) -> bytes:
    """An ECDSA signature in DER as r ‖ s."""
    return b"".join(one.to_bytes(size, "big") for one in decode_dss_signature(signature))


def to_der(signature: bytes) -> bytes:
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


def seal(mechanism: str, material: bytes, clear: bytes, aad: bytes = b"") -> bytes:
    if mechanism in AEADS:
        nonce = os.urandom(12)
        return nonce + AEADS[mechanism](material).encrypt(nonce, clear, aad)
    return private_key(material).public_key().encrypt(clear, _oaep(mechanism, aad))


def unseal(mechanism: str, material: bytes, sealed: bytes, aad: bytes = b"") -> bytes:
    if mechanism in AEADS:
        return AEADS[mechanism](material).decrypt(sealed[:12], sealed[12:], aad)
    return private_key(material).decrypt(sealed, _oaep(mechanism, aad))


def _oaep(mechanism: str, label: bytes) -> padding.OAEP:
    algorithm = hash_of(mechanism)
    return padding.OAEP(padding.MGF1(algorithm), algorithm, label or None)


def hash_by(mechanism: str, material: bytes, message: bytes) -> bytes:
    """A hash, or an authentication code under the key."""
    if mechanism == Mechanism.AES_CMAC:
        code = CMAC(algorithms.AES(material))
        code.update(message)
        return code.finalize()
    if mechanism.startswith("HMAC"):
        return hmac.digest(material, message, mechanism.removeprefix("HMAC-").lower())
    return hashlib.new(mechanism.lower().replace("sha-", "sha").replace("-", "_"), message).digest()
