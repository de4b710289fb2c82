"""Symmetric keys in files: raw bytes, or hexadecimal text. What could be either is never guessed."""

import re
from typing import Literal

from strongroom.client.material.kinds import AES_BYTES, SECRET_BYTES, Material, symmetric
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

TextEncoding = Literal["raw", "hex"]
_HEX = re.compile(rb"\s*(?:[0-9A-Fa-f]{2})+\s*")
_BY_LENGTH = {size: key_type for key_type, size in AES_BYTES.items()}


def read_symmetric(data: bytes, key_type: KeyType | None, encoding: TextEncoding | None) -> Material | None:
    """The symmetric key in a file; None where no type was named and nothing says that it is one.

    Raises `Refused("key-unparsable" | "key-weak")`, also where it could be read in two ways.
    """
    digits = data.strip() if _HEX.fullmatch(data) else b""
    # 1. Bytes or hexadecimal text: as the owner says, else by what can only be one of them.
    if encoding == "hex":
        if not digits:
            raise Refused("key-unparsable", "the file does not hold hexadecimal digits, two for each byte")
        return _typed(bytes.fromhex(digits.decode()), key_type, "hexadecimal text")
    if encoding == "raw":
        return _typed(data, key_type, "raw bytes")
    if digits:
        return _typed(_unambiguous(digits, data, key_type), key_type, "hexadecimal text")
    # 2. Other bytes are a key where the owner names its type, or by an AES key's length.
    if key_type is None and len(data) not in _BY_LENGTH:
        return None
    return _typed(data, key_type, "raw bytes")


def _unambiguous(digits: bytes, data: bytes, key_type: KeyType | None) -> bytes:
    as_text = len(digits) in _BY_LENGTH if key_type is None else len(data) == SECRET_BYTES.get(key_type)
    if key_type is KeyType.HMAC or as_text:
        raise Refused(
            "key-unparsable",
            f"the file holds {len(digits)} hexadecimal digits; say --encoding hex if they spell the key, "
            "or --encoding raw if the digits themselves are the key",
        )
    return bytes.fromhex(digits.decode())


def _typed(raw: bytes, key_type: KeyType | None, form: str) -> Material:
    if key_type is None:
        if len(raw) not in _BY_LENGTH:
            raise Refused("key-unparsable", f"{form} of {len(raw)} bytes: name the key's --type, for instance HMAC")
        key_type = _BY_LENGTH[len(raw)]
    if key_type in SECRET_BYTES and len(raw) == SECRET_BYTES[key_type] + 1 and raw.endswith(b"\n"):
        raise Refused("key-unparsable", f"a key of type {key_type} followed by a line feed; write the file without it")
    return symmetric(raw, key_type, form)
