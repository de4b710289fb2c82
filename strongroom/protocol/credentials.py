"""Signing credentials of owners, client devices and officers: Ed25519 keys (RFC 8032), named by their thumbprint."""

import hashlib
from functools import lru_cache

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from strongroom.protocol.errors import Refused


class PublicCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kty", tag="OKP"):
    """The public half as a JWK (RFC 8037): `{"crv":"Ed25519","kty":"OKP","x":…}`."""

    x: str
    crv: str = "Ed25519"

    def __post_init__(self) -> None:
        # A `ValueError` here is what msgspec turns into its own refusal while decoding.
        try:
            sound = self.crv == "Ed25519" and len(from_b64u(self.x)) == 32
        except Refused:
            sound = False
        if not sound:
            raise ValueError("not an Ed25519 public JWK")

    def public_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(from_b64u(self.x))

    @property
    def fingerprint(self) -> str:
        """JWK thumbprint (RFC 7638), base64url of SHA-256: 43 characters."""
        return thumbprint(self)


@lru_cache(maxsize=1024)
def fingerprint_of(raw: bytes) -> str:
    """The thumbprint of a public key's 32 bytes."""
    return PublicCredential(x=b64u(raw)).fingerprint


def thumbprint(credential: PublicCredential) -> str:
    """RFC 7638 over the three required members of an OKP key."""
    members = {"crv": credential.crv, "kty": "OKP", "x": credential.x}
    return b64u(hashlib.sha256(canonical_json(members)).digest())


def public_credential(key: Ed25519PrivateKey | Ed25519PublicKey) -> PublicCredential:
    """The public credential of a key pair or public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return PublicCredential(x=b64u(public.public_bytes_raw()))
