"""What the device computes with a key, mechanism by mechanism: pure functions of key, payload and parameters."""

# The library declares its keys as abstract classes, and they are what is looked for here.
# mypy: disable-error-code="type-abstract"

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import TypeVar

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hsm.material import Key, Secret, public_half
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

_SHA256 = hashes.SHA256()
_PSS = padding.PSS(padding.MGF1(_SHA256), 32)
_GCM_NONCE, _GCM_TAG = 12, 16
K = TypeVar("K")
Perform = Callable[[Key, bytes, Parameters], bytes]
VALID, INVALID = b"\x01", b"\x00"


def perform(operation: Usage, mechanism: Mechanism, key: Key, payload: bytes, parameters: Parameters) -> bytes:
    """The result of one operation other than translate. Raises `Refused` where payload or parameters do not fit."""
    try:
        return _PERFORM[operation, mechanism](key, payload, parameters)
    except KeyError:
        raise Refused("mechanism-unsupported", f"{mechanism} cannot {operation}") from None


def _sign_pss(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    private = _private(key, rsa.RSAPrivateKey)
    return private.sign(_hashable(payload, parameters, _SHA256), _PSS, _hash(parameters, _SHA256))


def _verify_pss(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    signature, message = from_b64u(parameters.signature), _hashable(payload, parameters, _SHA256)
    return _valid(lambda: _public(key, rsa.RSAPublicKey).verify(signature, message, _PSS, _hash(parameters, _SHA256)))


def _sign_ecdsa(algorithm: hashes.HashAlgorithm) -> Perform:
    def sign(key: Key, payload: bytes, parameters: Parameters) -> bytes:
        message = _hashable(payload, parameters, algorithm)
        return _private(key, ec.EllipticCurvePrivateKey).sign(message, ec.ECDSA(_hash(parameters, algorithm)))

    return sign


def _verify_ecdsa(algorithm: hashes.HashAlgorithm) -> Perform:
    def verify(key: Key, payload: bytes, parameters: Parameters) -> bytes:
        signature, message = from_b64u(parameters.signature), _hashable(payload, parameters, algorithm)
        public = _public(key, ec.EllipticCurvePublicKey)
        return _valid(lambda: public.verify(signature, message, ec.ECDSA(_hash(parameters, algorithm))))

    return verify


def _sign_ed25519(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    _not_prehashed(parameters)
    return _private(key, Ed25519PrivateKey).sign(payload)


def _verify_ed25519(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    _not_prehashed(parameters)
    signature = from_b64u(parameters.signature)
    return _valid(lambda: _public(key, Ed25519PublicKey).verify(signature, payload))


def _encrypt_gcm(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    nonce = os.urandom(_GCM_NONCE)
    return nonce + _aead(key).encrypt(nonce, payload, from_b64u(parameters.aad))


def _decrypt_gcm(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    if len(payload) < _GCM_NONCE + _GCM_TAG:
        raise Refused("ciphertext-invalid")
    try:
        return _aead(key).decrypt(payload[:_GCM_NONCE], payload[_GCM_NONCE:], from_b64u(parameters.aad))
    except InvalidTag:
        raise Refused("ciphertext-invalid") from None


def _oaep(parameters: Parameters) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(_SHA256), _SHA256, from_b64u(parameters.aad) or None)


def _encrypt_oaep(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    public_key = _public(key, rsa.RSAPublicKey)
    if len(payload) > public_key.key_size // 8 - 66:
        raise Refused("payload-invalid", "too long for RSA-OAEP with this key")
    return public_key.encrypt(payload, _oaep(parameters))


def _decrypt_oaep(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    try:
        return _private(key, rsa.RSAPrivateKey).decrypt(payload, _oaep(parameters))
    except ValueError:
        raise Refused("ciphertext-invalid") from None


def _sha256(_key: Key, payload: bytes, _parameters: Parameters) -> bytes:
    return hashlib.sha256(payload).digest()


def _hmac_sha256(key: Key, payload: bytes, _parameters: Parameters) -> bytes:
    return hmac.digest(_secret(key).raw, payload, "sha256")


def _derive(key: Key, payload: bytes, parameters: Parameters) -> bytes:
    """The agreed secret goes through HKDF at once and is never given out as it is."""
    try:
        peer = load_der_public_key(payload)
        if isinstance(key, X25519PrivateKey) and isinstance(peer, X25519PublicKey):
            shared = key.exchange(peer)
        elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(peer, ec.EllipticCurvePublicKey):
            shared = key.exchange(ec.ECDH(), peer)
        else:
            raise ValueError
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("payload-invalid", "not a public key that this key can agree with") from None
    return HKDF(_SHA256, 32, salt=None, info=from_b64u(parameters.aad)).derive(shared)


_PERFORM: dict[tuple[Usage, Mechanism], Perform] = {
    (Usage.SIGN, Mechanism.RSA_PSS_SHA256): _sign_pss,
    (Usage.VERIFY, Mechanism.RSA_PSS_SHA256): _verify_pss,
    (Usage.SIGN, Mechanism.ECDSA_SHA256): _sign_ecdsa(hashes.SHA256()),
    (Usage.VERIFY, Mechanism.ECDSA_SHA256): _verify_ecdsa(hashes.SHA256()),
    (Usage.SIGN, Mechanism.ECDSA_SHA384): _sign_ecdsa(hashes.SHA384()),
    (Usage.VERIFY, Mechanism.ECDSA_SHA384): _verify_ecdsa(hashes.SHA384()),
    (Usage.SIGN, Mechanism.ECDSA_SHA512): _sign_ecdsa(hashes.SHA512()),
    (Usage.VERIFY, Mechanism.ECDSA_SHA512): _verify_ecdsa(hashes.SHA512()),
    (Usage.SIGN, Mechanism.ED25519): _sign_ed25519,
    (Usage.VERIFY, Mechanism.ED25519): _verify_ed25519,
    (Usage.ENCRYPT, Mechanism.AES_GCM): _encrypt_gcm,
    (Usage.DECRYPT, Mechanism.AES_GCM): _decrypt_gcm,
    (Usage.ENCRYPT, Mechanism.RSA_OAEP_SHA256): _encrypt_oaep,
    (Usage.DECRYPT, Mechanism.RSA_OAEP_SHA256): _decrypt_oaep,
    (Usage.HASH, Mechanism.SHA_256): _sha256,
    (Usage.HASH, Mechanism.HMAC_SHA256): _hmac_sha256,
    (Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256): _derive,
}


def _valid(verify: Callable[[], None]) -> bytes:
    try:
        verify()
    except InvalidSignature:
        return INVALID
    return VALID


def _hash(parameters: Parameters, algorithm: hashes.HashAlgorithm) -> Prehashed | hashes.HashAlgorithm:
    return Prehashed(algorithm) if parameters.prehashed else algorithm


def _hashable(payload: bytes, parameters: Parameters, algorithm: hashes.HashAlgorithm) -> bytes:
    if parameters.prehashed and len(payload) != algorithm.digest_size:
        raise Refused("payload-invalid", f"a prehashed payload is a digest of {algorithm.digest_size} bytes")
    return payload


def _not_prehashed(parameters: Parameters) -> None:
    if parameters.prehashed:
        raise Refused("mechanism-unsupported", "Ed25519 signs the message itself")


def _private(key: Key, kind: type[K]) -> K:
    if not isinstance(key, kind):
        raise Refused("mechanism-unsupported", "this mechanism needs another kind of private key")
    return key


def _public(key: Key, kind: type[K]) -> K:
    public = public_half(key)
    if not isinstance(public, kind):
        raise Refused("mechanism-unsupported", "this mechanism needs another kind of key")
    return public


def _secret(key: Key) -> Secret:
    if not isinstance(key, Secret):
        raise Refused("mechanism-unsupported", "this mechanism needs a symmetric key")
    return key


def _aead(key: Key) -> AESGCM:
    aead = _secret(key).aead
    if aead is None:
        raise Refused("mechanism-unsupported", "this mechanism needs an AES key")
    return aead
