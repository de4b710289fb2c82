"""Ciphers: AEADs with a nonce made inside, RSA-OAEP, and key wrap with padding."""

# The library declares its keys as abstract classes, and they are what is looked for here.
# mypy: disable-error-code="type-abstract"

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from hsm.material import Key
from hsm.mechanisms.kinds import Prepared, private, public, secret
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

Make = Callable[[Key, Parameters], Prepared]
Aead = type[AESGCM] | type[AESGCMSIV] | type[ChaCha20Poly1305]
_NONCE, _TAG = 12, 16
DATA_KEY_BYTES = range(16, 65)


def _aead(kind: Aead) -> tuple[Make, Make]:
    def make_encrypt(key: Key, _parameters: Parameters) -> Prepared:
        encrypt, random = kind(secret(key)).encrypt, os.urandom

        def run(payload: bytes, _signature: bytes, aad: bytes) -> bytes:
            nonce = random(_NONCE)
            return nonce + encrypt(nonce, payload, aad)

        return run

    def make_decrypt(key: Key, _parameters: Parameters) -> Prepared:
        decrypt = kind(secret(key)).decrypt

        def run(payload: bytes, _signature: bytes, aad: bytes) -> bytes:
            if len(payload) < _NONCE + _TAG:
                raise Refused("ciphertext-invalid")
            try:
                return decrypt(payload[:_NONCE], payload[_NONCE:], aad)
            except InvalidTag:
                raise Refused("ciphertext-invalid") from None

        return run

    return make_encrypt, make_decrypt


def _oaep(algorithm: hashes.HashAlgorithm) -> tuple[Make, Make]:
    def scheme(label: bytes) -> padding.OAEP:
        return padding.OAEP(padding.MGF1(algorithm), algorithm, label or None)

    def make_encrypt(key: Key, _parameters: Parameters) -> Prepared:
        recipient = public(key, rsa.RSAPublicKey)
        most = recipient.key_size // 8 - 2 * algorithm.digest_size - 2

        def run(payload: bytes, _signature: bytes, aad: bytes) -> bytes:
            if len(payload) > most:
                raise Refused("payload-invalid", "too long for RSA-OAEP with this key")
            return recipient.encrypt(payload, scheme(aad))

        return run

    def make_decrypt(key: Key, _parameters: Parameters) -> Prepared:
        owner = private(key, rsa.RSAPrivateKey)

        def run(payload: bytes, _signature: bytes, aad: bytes) -> bytes:
            try:
                return owner.decrypt(payload, scheme(aad))
            except ValueError:
                raise Refused("ciphertext-invalid") from None

        return run

    return make_encrypt, make_decrypt


def _make_wrap(key: Key, parameters: Parameters) -> Prepared:
    kek = secret(key)
    if parameters.generate or parameters.clear:
        return _make_data_key(kek, parameters)

    def run(payload: bytes, _signature: bytes, _aad: bytes) -> bytes:
        if not payload:
            raise Refused("payload-invalid", "there is nothing to wrap")
        return aes_key_wrap_with_padding(kek, payload)

    return run


def _make_data_key(kek: bytes, parameters: Parameters) -> Prepared:
    """A fresh key, wrapped; with `clear` it stands before its wrapping. Who may have that, the caller has checked."""
    length, clear, random = parameters.generate, parameters.clear, os.urandom
    if length not in DATA_KEY_BYTES:
        raise Refused("mechanism-unsupported", "a data key has 16 to 64 bytes: `generate`")

    def run(payload: bytes, _signature: bytes, _aad: bytes) -> bytes:
        if payload:
            raise Refused("payload-invalid", "where a data key is made there is no payload")
        made = random(length)
        wrapped = aes_key_wrap_with_padding(kek, made)
        return made + wrapped if clear else wrapped

    return run


def _make_unwrap(key: Key, parameters: Parameters) -> Prepared:
    kek = secret(key)
    if parameters.generate or parameters.clear:
        raise Refused("mechanism-unsupported", "only wrap makes data keys")

    def run(payload: bytes, _signature: bytes, _aad: bytes) -> bytes:
        try:
            return aes_key_unwrap_with_padding(kek, payload)
        except (InvalidUnwrap, ValueError):
            raise Refused("ciphertext-invalid") from None

    return run


def _rows() -> dict[tuple[Usage, Mechanism], Make]:
    pairs = {
        Mechanism.AES_GCM: _aead(AESGCM),
        Mechanism.AES_GCM_SIV: _aead(AESGCMSIV),
        Mechanism.CHACHA20_POLY1305: _aead(ChaCha20Poly1305),
        Mechanism.RSA_OAEP_SHA256: _oaep(hashes.SHA256()),
        Mechanism.RSA_OAEP_SHA384: _oaep(hashes.SHA384()),
        Mechanism.RSA_OAEP_SHA512: _oaep(hashes.SHA512()),
    }
    rows: dict[tuple[Usage, Mechanism], Make] = {
        (Usage.WRAP, Mechanism.AES_KWP): _make_wrap,
        (Usage.UNWRAP, Mechanism.AES_KWP): _make_unwrap,
        # OAEP does not rest on its hash being free of collisions; still nothing new is written with SHA-1.
        (Usage.DECRYPT, Mechanism.RSA_OAEP_SHA1): _oaep(hashes.SHA1())[1],  # noqa: S303
    }
    for mechanism, (encrypt, decrypt) in pairs.items():
        rows[Usage.ENCRYPT, mechanism], rows[Usage.DECRYPT, mechanism] = encrypt, decrypt
    return rows


CIPHERS = _rows()
