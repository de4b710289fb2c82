"""What the device computes with a key, mechanism by mechanism: pure functions of key, payload and parameters."""

import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from hsm.material import Key, Secret
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

_SHA256 = hashes.SHA256()
_PREHASHED = Prehashed(_SHA256)
_PSS = padding.PSS(padding.MGF1(_SHA256), 32)
_ECDSA = ec.ECDSA(_SHA256)
_ECDSA_PREHASHED = ec.ECDSA(_PREHASHED)
_GCM_NONCE, _GCM_TAG = 12, 16
VALID, INVALID = b"\x01", b"\x00"


def perform(operation: Usage, mechanism: Mechanism, key: Key, payload: bytes, parameters: Parameters) -> bytes:
    """The result of one operation other than translate. Raises `Refused` where payload or parameters do not fit."""
    try:
        return _PERFORM[operation, mechanism](key, payload, parameters)
    except KeyError:
        raise Refused("mechanism-unsupported", f"{mechanism} cannot {operation}") from None


def _sign_pss(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    return _rsa(key).sign(_hashable(payload, parameters), _PSS, _PREHASHED if parameters.prehashed else _SHA256)


def _verify_pss(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    signature, algorithm = from_b64u(parameters.signature), _PREHASHED if parameters.prehashed else _SHA256
    try:
        _rsa(key).public_key().verify(signature, _hashable(payload, parameters), _PSS, algorithm)
    except InvalidSignature:
        return INVALID
    return VALID


def _sign_ecdsa(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    return _ec(key).sign(_hashable(payload, parameters), _ECDSA_PREHASHED if parameters.prehashed else _ECDSA)


def _verify_ecdsa(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    algorithm = _ECDSA_PREHASHED if parameters.prehashed else _ECDSA
    try:
        _ec(key).public_key().verify(from_b64u(parameters.signature), _hashable(payload, parameters), algorithm)
    except InvalidSignature:
        return INVALID
    return VALID


def _encrypt_gcm(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    nonce = os.urandom(_GCM_NONCE)
    return nonce + _secret(key).aead.encrypt(nonce, payload, from_b64u(parameters.aad))


def _decrypt_gcm(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    if len(payload) < _GCM_NONCE + _GCM_TAG:
        raise Refused("ciphertext-invalid")
    try:
        return _secret(key).aead.decrypt(payload[:_GCM_NONCE], payload[_GCM_NONCE:], from_b64u(parameters.aad))
    except InvalidTag:
        raise Refused("ciphertext-invalid") from None


def _oaep(parameters: Parameters) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(_SHA256), _SHA256, from_b64u(parameters.aad) or None)


def _encrypt_oaep(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    public_key = _rsa(key).public_key()
    if len(payload) > public_key.key_size // 8 - 66:
        raise Refused("payload-invalid", "too long for RSA-OAEP with this key")
    return public_key.encrypt(payload, _oaep(parameters))


def _decrypt_oaep(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    try:
        return _rsa(key).decrypt(payload, _oaep(parameters))
    except ValueError:
        raise Refused("ciphertext-invalid") from None


def _sha256(_key: Key, payload: bytes, _parameters: Parameters) -> bytes:
    return hashlib.sha256(payload).digest()


def _hmac_sha256(key: Key, payload: bytes, _parameters: Parameters) -> bytes:
    return hmac.digest(_secret(key).raw, payload, "sha256")


_PERFORM: dict[tuple[Usage, Mechanism], Callable[[Key, bytes, Parameters], bytes]] = {
    (Usage.SIGN, Mechanism.RSA_PSS_SHA256): _sign_pss,
    (Usage.VERIFY, Mechanism.RSA_PSS_SHA256): _verify_pss,
    (Usage.SIGN, Mechanism.ECDSA_SHA256): _sign_ecdsa,
    (Usage.VERIFY, Mechanism.ECDSA_SHA256): _verify_ecdsa,
    (Usage.ENCRYPT, Mechanism.AES_GCM): _encrypt_gcm,
    (Usage.DECRYPT, Mechanism.AES_GCM): _decrypt_gcm,
    (Usage.ENCRYPT, Mechanism.RSA_OAEP_SHA256): _encrypt_oaep,
    (Usage.DECRYPT, Mechanism.RSA_OAEP_SHA256): _decrypt_oaep,
    (Usage.HASH, Mechanism.SHA_256): _sha256,
    (Usage.HASH, Mechanism.HMAC_SHA256): _hmac_sha256,
}


def _hashable(payload: bytes, parameters: Parameters) -> bytes:
    if parameters.prehashed and len(payload) != _SHA256.digest_size:
        raise Refused("payload-invalid", "a prehashed payload is a SHA-256 digest of 32 bytes")
    return payload


def _rsa(key: Key) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refused("mechanism-unsupported", "this mechanism needs an RSA key")
    return key


def _ec(key: Key) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused("mechanism-unsupported", "this mechanism needs an elliptic-curve key")
    return key


def _secret(key: Key) -> Secret:
    if not isinstance(key, Secret):
        raise Refused("mechanism-unsupported", "this mechanism needs a symmetric key")
    return key
