"""Encryption to a recipient's public key: HPKE (RFC 9180) with KEM 0x647A, post-quantum and classical together.

KEM MLKEM768-X25519 (draft-ietf-hpke-pq), HKDF-SHA256, AES-256-GCM, base mode, one message for each encapsulation.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from strongroom.protocol.encoding import b64u, from_b64u, make_id
from strongroom.protocol.errors import Refused

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM_PUBLIC, _MLKEM_SEED, _X25519 = 1184, 64, 32

OVERHEAD = 1088 + 32 + 16
"""Bytes that one layer adds: the encapsulation (ML-KEM ciphertext, X25519 public key) and the GCM tag."""


@dataclass(frozen=True)
class RecipientPublicKey:
    """Public half: 1216 raw bytes, ML-KEM-768 then X25519."""

    raw: bytes
    suite = "HPKE-XWING"

    @classmethod
    def from_text(cls, text: str) -> "RecipientPublicKey":
        return cls(from_b64u(text))

    @property
    def text(self) -> str:
        return b64u(self.raw)

    def key_id(self, prefix: str) -> str:
        """The key's name, bound to its bytes."""
        return make_id(prefix, self.raw)

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """`enc` ‖ ciphertext ‖ tag for the holder of the private half, bound to `info`."""
        if len(self.raw) != _MLKEM_PUBLIC + _X25519:
            raise Refused("malformed", "not an MLKEM768-X25519 public key")
        try:
            key = MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(self.raw[:_MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(self.raw[_MLKEM_PUBLIC:]),
            )
            return _SUITE.encrypt(plaintext, key, info=info)
        except ValueError:  # also for an X25519 point of small order, which shows only when it is used
            raise Refused("malformed", "not an MLKEM768-X25519 public key") from None


@dataclass(frozen=True)
class RecipientPrivateKey:
    """Private half: the 64-byte ML-KEM seed, then the 32-byte X25519 scalar."""

    raw: bytes
    suite = "HPKE-XWING"

    def __repr__(self) -> str:
        return "RecipientPrivateKey(…)"

    @classmethod
    def generate(cls) -> "RecipientPrivateKey":
        return cls(MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw())

    def public(self) -> RecipientPublicKey:
        mlkem, x25519 = self._halves()
        return RecipientPublicKey(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Inverse of `seal`. Raises `Refused("envelope-unopenable")` for every kind of failure alike."""
        try:
            return _SUITE.decrypt(sealed, MLKEM768X25519PrivateKey(*self._halves()), info=info)
        except (InvalidTag, ValueError):
            raise Refused("envelope-unopenable") from None

    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        return (
            MLKEM768PrivateKey.from_seed_bytes(self.raw[:_MLKEM_SEED]),
            X25519PrivateKey.from_private_bytes(self.raw[_MLKEM_SEED:]),
        )
