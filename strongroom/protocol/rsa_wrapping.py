"""Encryption to an RSA recipient: PKCS#11 `CKM_RSA_AES_KEY_WRAP` (v3.1 §6.1.19) with SHA-256.

RSA-OAEP of a fresh AES-256 key, then that key's AES key wrap with padding (RFC 5649) of the content. It has no room
for context: `info` is not bound, so vendor keys of this suite are made for one import and serve once.
"""

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.protocol.encoding import b64u, from_b64u, make_id
from strongroom.protocol.errors import Refused

RSA_BITS = 3072
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_KEK = 32


@dataclass(frozen=True)
class RsaRecipientPublicKey:
    """Public half: a SubjectPublicKeyInfo in DER."""

    raw: bytes
    suite = "RSA-AES-KWP"

    @classmethod
    def from_text(cls, text: str) -> "RsaRecipientPublicKey":
        return cls(from_b64u(text))

    @property
    def text(self) -> str:
        return b64u(self.raw)

    def key_id(self, prefix: str) -> str:
        """The key's name, bound to its bytes."""
        return make_id(prefix, self.raw)

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """RSA-OAEP(key-encryption key) ‖ AES-KWP(plaintext)."""
        kek = os.urandom(_KEK)
        return self._key().encrypt(kek, _OAEP) + aes_key_wrap_with_padding(kek, plaintext)

    def _key(self) -> rsa.RSAPublicKey:
        try:
            key = load_der_public_key(self.raw)
        except ValueError:
            raise Refused("malformed", "not a public key in DER") from None
        if not isinstance(key, rsa.RSAPublicKey) or not RSA_BITS <= key.key_size <= 8192:
            raise Refused("malformed", f"not an RSA public key of {RSA_BITS} bits or more")
        return key


@dataclass(frozen=True)
class RsaRecipientPrivateKey:
    """Private half: PKCS#8 in DER."""

    raw: bytes
    suite = "RSA-AES-KWP"

    def __repr__(self) -> str:
        return "RsaRecipientPrivateKey(…)"

    @classmethod
    def generate(cls) -> "RsaRecipientPrivateKey":
        key = rsa.generate_private_key(65537, RSA_BITS)
        return cls(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def public(self) -> RsaRecipientPublicKey:
        public = self._key().public_key()
        return RsaRecipientPublicKey(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Inverse of `seal`. Raises `Refused("envelope-unopenable")` for every kind of failure alike."""
        key = self._key()
        size = key.key_size // 8
        try:
            kek = key.decrypt(sealed[:size], _OAEP)
            if len(kek) != _KEK:
                raise ValueError
            return aes_key_unwrap_with_padding(kek, sealed[size:])
        except (ValueError, InvalidUnwrap):
            raise Refused("envelope-unopenable") from None

    def _key(self) -> rsa.RSAPrivateKey:
        key = load_der_private_key(self.raw, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Refused("internal")
        return key
