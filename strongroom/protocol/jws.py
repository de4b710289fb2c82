"""Signed statements: JWS compact serialisation (RFC 7515), EdDSA (RFC 8037), one `typ` for each kind.

The exact string that was signed is what is sent, kept and checked; nothing is re-serialised.
"""

import re
from functools import lru_cache
from typing import Any, ClassVar, Literal, TypeVar

import jwt
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.protocol.credentials import fingerprint_of, public_credential
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
    header, payload, signature = _segments(token)
    if _signer_in(header, kind.TYP) != fingerprint_of(key.public_bytes_raw()):
        raise Refused("signature-invalid", "signed by another key")
    signed = f"{header}.{payload}".encode()
    try:
        key.verify(from_b64u(signature, "statement-malformed"), signed)
    except InvalidSignature:
        raise Refused("signature-invalid") from None
    return _read(payload, kind)


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a header must say. Extensions that must be understood (RFC 7515 §4.1.11, RFC 7797) are not."""

    alg: Literal["EdDSA"]
    typ: str
    kid: str = ""
    crit: Any = None
    b64: Literal[True] = True


@lru_cache(maxsize=1024)
def _signer_in(header: str, typ: str) -> str:
    """The `kid` of an encoded header for statements of `typ`. A signer's headers are all alike: each is read once."""
    read = _read(header, _Header)
    if read.typ != typ:
        raise Refused("statement-malformed", f"expected a {typ}")
    if read.crit is not None:
        raise Refused("statement-malformed", "an extension that is not understood")
    return read.kid


def _segments(token: str) -> list[str]:
    # A token has one spelling: padding or white space would change the digest of what was signed.
    if not _COMPACT.fullmatch(token):
        raise Refused("statement-malformed", "not a compact JWS")
    return token.split(".")


def read_header(token: str) -> dict[str, Any]:
    """The JOSE header, *not* verified: good for choosing the key to verify with, and for nothing else."""
    return _read(_segments(token)[0], dict[str, Any])


def read_unverified(token: str, kind: type[S]) -> S:
    """The statement *without* a check of its signature: for display and routing, never for a decision."""
    if read_header(token).get("typ") != kind.TYP:
        raise Refused("statement-malformed", f"expected a {kind.TYP}")
    return _read(token.split(".")[1], kind)


def _read(segment: str, kind: type[T]) -> T:
    try:
        return read_json(from_b64u(segment, "statement-malformed"), kind, "statement-malformed")
    except RecursionError:
        raise Refused("statement-malformed", "nested too deeply") from None


def signer(token: str) -> str:
    """The thumbprint that the statement claims as its signer, not verified."""
    return _claimed_signer(_segments(token)[0])


@lru_cache(maxsize=1024)
def _claimed_signer(header: str) -> str:
    kid = _read(header, dict[str, Any]).get("kid")
    if not isinstance(kid, str) or not _THUMBPRINT.fullmatch(kid):
        raise Refused("statement-malformed", "no kid that is a thumbprint")
    return kid
