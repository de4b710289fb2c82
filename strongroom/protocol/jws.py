"""Signed statements: JWS compact serialisation (RFC 7515), EdDSA (RFC 8037), one `typ` for each kind.

The exact string that was signed is what is sent, kept and checked; nothing is re-serialised.
"""

import re
from typing import Any, ClassVar, TypeVar

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json, from_b64u, read_json
from strongroom.protocol.errors import Refused

_jws = jwt.PyJWS(algorithms=["EdDSA"])
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A thing that can be signed. `TYP` is its JWS `typ`: a signature over one kind never passes for another."""

    TYP: ClassVar[str]


S = TypeVar("S", bound=Statement)
T = TypeVar("T")


def sign(statement: Statement, key: Ed25519PrivateKey, *, x5c: list[str] | None = None) -> str:
    """Sign `statement` with `key`; `kid` is the key's thumbprint. `x5c` adds its certificate chain (§4.1.6)."""
    headers: dict[str, Any] = {"typ": statement.TYP, "kid": public_credential(key).fingerprint}
    if x5c is not None:
        headers["x5c"] = x5c
    return _jws.encode(canonical_json(statement), key, algorithm="EdDSA", headers=headers)


def verify(token: str, kind: type[S], key: Ed25519PublicKey) -> S:
    """The statement inside `token`, whose signature by `key` and `typ` hold.

    Raises `Refused`: `statement-malformed` if it cannot be read as a `kind`, `signature-invalid` otherwise.
    """
    header = read_header(token)
    if header.get("typ") != kind.TYP:
        raise Refused("statement-malformed", f"expected a {kind.TYP}")
    if header.get("kid") != public_credential(key).fingerprint:
        raise Refused("signature-invalid", "signed by another key")
    try:
        payload = _jws.decode_complete(token, key, algorithms=["EdDSA"])["payload"]
    except jwt.InvalidSignatureError:
        raise Refused("signature-invalid") from None
    except jwt.InvalidTokenError:
        raise Refused("statement-malformed") from None
    return read_json(payload, kind, "statement-malformed")


def read_header(token: str) -> dict[str, Any]:
    """The JOSE header, *not* verified: good for choosing the key to verify with, and for nothing else."""
    # A token has one spelling: PyJWT lets a padded signature pass, which would change the digest of what was signed.
    if not _COMPACT.fullmatch(token):
        raise Refused("statement-malformed", "not a compact JWS")
    return _read_segment(token, 0, dict[str, Any])


def read_unverified(token: str, kind: type[S]) -> S:
    """The statement *without* a check of its signature: for display and routing, never for a decision."""
    if read_header(token).get("typ") != kind.TYP:
        raise Refused("statement-malformed", f"expected a {kind.TYP}")
    return _read_segment(token, 1, kind)


def _read_segment(token: str, number: int, kind: type[T]) -> T:
    """One segment, decoded. PyJWT would read all three, in a time that counts where thousands are read."""
    try:
        return read_json(from_b64u(token.split(".")[number], "statement-malformed"), kind, "statement-malformed")
    except RecursionError:
        raise Refused("statement-malformed", "nested too deeply") from None


def signer(token: str) -> str:
    """The thumbprint that the statement claims as its signer, not verified."""
    kid = read_header(token).get("kid")
    if not isinstance(kid, str) or not _THUMBPRINT.fullmatch(kid):
        raise Refused("statement-malformed", "no kid that is a thumbprint")
    return kid
