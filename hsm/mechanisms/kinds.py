"""What the mechanisms share: the shape of a prepared operation, and taking a key for the kind that one needs."""

from collections.abc import Callable
from typing import TypeVar

from hsm.material import Key, Secret, public_half
from strongroom.protocol.errors import Refused

K = TypeVar("K")
Prepared = Callable[[bytes, bytes, bytes], bytes]
"""(payload, signature, additional data) → result. Raises `Refused` where they do not fit."""

VALID, INVALID = b"\x01", b"\x00"


def private(key: Key, kind: type[K]) -> K:
    """The private key, if it is of `kind`. Raises `Refused("mechanism-unsupported")`."""
    if not isinstance(key, kind):
        raise Refused("mechanism-unsupported", "this mechanism needs another kind of private key")
    return key


def public(key: Key, kind: type[K]) -> K:
    """The public half, if it is of `kind`. Raises `Refused("mechanism-unsupported")`."""
    half = public_half(key)
    if not isinstance(half, kind):
        raise Refused("mechanism-unsupported", "this mechanism needs another kind of key")
    return half


def secret(key: Key) -> bytes:
    """The bytes of a symmetric key. Raises `Refused("mechanism-unsupported")`."""
    if not isinstance(key, Secret):
        raise Refused("mechanism-unsupported", "this mechanism needs a symmetric key")
    return key.raw
