"""Encodings that every domain uses alike: canonical JSON, base64url, digests and identifiers."""

import base64
import binascii
import hashlib
import secrets
from typing import Any, TypeVar

import msgspec

from strongroom.protocol.errors import Refused

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no white space: what RFC 8785 gives for strings, integers and booleans."""
    return _encoder.encode(value)


def read_json(data: bytes | str, type_: type[T], code: str = "malformed") -> T:
    """Decode `data` strictly as `type_`. Raises `Refused(code)`, which never quotes the data (msgspec's words do)."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError:
        raise Refused(code, f"not the members and values of {getattr(type_, '__name__', type_)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(code, "not JSON") from None


def b64u(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64u(text: str, code: str = "malformed") -> bytes:
    """Strict inverse of `b64u`: padding, other alphabets and non-canonical tails are refused."""
    if not text:
        return b""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(code, "not base64url") from None
    if b64u(data) != text:
        raise Refused(code, "not canonical base64url")
    return data


def digest(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def make_id(prefix: str, *parts: bytes) -> str:
    """`prefix` + 32 base32 characters: 160 bits of SHA-256 over the length-prefixed parts, or random without parts."""
    if parts:
        hasher = hashlib.sha256()
        for part in (prefix.encode(), *parts):
            hasher.update(len(part).to_bytes(8, "big") + part)
        raw = hasher.digest()[:20]
    else:
        raw = secrets.token_bytes(20)
    return prefix + base64.b32encode(raw).decode().lower()
