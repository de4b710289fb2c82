"""Keys that the device is to make, and new terms for a key that it keeps: what takes the place of a key file."""

import re

from strongroom.client.material import Material, own_chain, public_key_der, read_certificates
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import MADE_SIZES

_SIZED = re.compile(r"(RSA|HMAC)-(\d{1,5})")
_USUAL = {KeyType.RSA: 3072, KeyType.HMAC: 32}


def to_be_made(kind: str) -> Material:
    """A key type as the command names it: `EC-P256`, `AES-256`, …, with bits `RSA-3072`, with bytes `HMAC-32`.

    Raises `Refused("malformed" | "key-weak")`.
    """
    sized = _SIZED.fullmatch(kind)
    name = sized[1] if sized else kind
    try:
        key_type = KeyType(name)
    except ValueError:
        known = ", ".join([*KeyType, "RSA-3072", "HMAC-32"])
        raise Refused("malformed", f"no key of type {kind!r} is made; there are {known}") from None
    size = int(sized[2]) if sized else _USUAL.get(key_type)
    if size is not None and size not in MADE_SIZES[key_type]:
        raise Refused("key-weak", "an RSA key has 2048, 3072 or 4096 bits, an HMAC key 16 to 1024 bytes")
    return Material(key_type, b"", "key made in the device", origin="made", size=size)


def kept(receipt: Receipt, certificate: bytes = b"") -> Material:
    """The key of the newest version, which the device keeps, for a version that only has other terms.

    `certificate`: the key's own, with its chain. Raises `Refused("certificate-mismatch")` where it is another's.
    """
    chain = (
        own_chain(read_certificates(certificate), public_key_der(receipt.public_key.encode())) if certificate else []
    )
    return Material(
        receipt.key_type,
        b"",
        "key kept in the device",
        public_key=receipt.public_key,
        check_value=receipt.check_value,
        certificates=chain,
        origin="kept",
    )
