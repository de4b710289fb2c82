"""Reads the vectors of the package `cryptography-vectors`: NIST's response files, and what others wrote after them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import cryptography_vectors
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.materials import pkcs8

FOLDER = Path(cryptography_vectors.__file__).parent
Record = dict[str, str]
T = TypeVar("T")
_SECTION = re.compile(r"\[(.*)\]")
_MEMBER = re.compile(r"([A-Za-z0-9_ ]+?)\s*=\s*(.*)")


def records(name: str) -> Iterator[Record]:
    """Each block of a file as its members, in lower case, with those of the sections before it.

    `section` has the last section's words, and `fail` is there where the block says so.
    """
    sections: Record = {}
    block: Record = {}
    opened = False
    for line in [*(FOLDER / name).read_text().splitlines(), ""]:
        text = line.strip()
        if text.startswith("#"):
            continue
        section, member = _SECTION.fullmatch(text), _MEMBER.fullmatch(text)
        if block and (not text or (member and member[1].lower() in block)):
            yield sections | block
            block = {}
            opened = False
        if section:
            # The first of a group of sections ends what the group before it said.
            sections = sections if opened else {}
            sections["section"], opened = section[1], True
            if named := _MEMBER.fullmatch(section[1]):
                sections[named[1].lower()] = named[2]
        elif member:
            block[member[1].lower()] = member[2]
        elif text == "FAIL":
            block["fail"] = text


def spread(items: Iterable[T], count: int) -> list[T]:
    """So many of them, from everywhere in their order: a key is imported for nearly each vector of NIST's."""
    every = list(items)
    return [every[n * len(every) // count] for n in range(min(count, len(every)))] if len(every) > count else every


def value(text: str) -> bytes:
    """Hexadecimal digits, or the characters between quotation marks."""
    return text[1:-1].encode() if text.startswith('"') else bytes.fromhex(text)


def number(text: str) -> int:
    return int(text, 16)


def rsa_examples(name: str) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    """Each key of at least 2048 bits in a file of RSA Laboratories' form, as PKCS#8, with (message, encryption)."""
    parts: list[tuple[str, str]] = []
    for line in (FOLDER / name).read_text().splitlines():
        text = line.strip()
        if text.startswith("#") and text.endswith(":"):
            parts.append((text[1:-1].strip().lower(), ""))
        elif parts and text and not text.startswith(("#", "=")):
            parts[-1] = (parts[-1][0], parts[-1][1] + text)
    key: dict[str, int] = {}
    pairs: list[tuple[bytes, bytes]] = []
    message = b""
    for title, digits in [*parts, ("modulus", "0")]:
        if title == "modulus" and pairs:
            if key["modulus"].bit_length() >= 2048:
                yield pkcs8(_private(key)), pairs
            key, pairs = {}, []
        if title == "message":
            message = bytes.fromhex(digits)
        elif title == "encryption":
            pairs.append((message, bytes.fromhex(digits)))
        elif digits:
            key[title] = int(digits.replace(" ", ""), 16)


def _private(key: dict[str, int]) -> rsa.RSAPrivateKey:
    p, q, d = key["prime 1"], key["prime 2"], key.get("exponent", key.get("private exponent", 0))
    if d < 2**32:  # some files call the public one so, before the private one
        d = key["private exponent"]
    numbers = rsa.RSAPublicNumbers(key.get("public exponent", 65537), p * q)
    private = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), numbers)
    return private.private_key(unsafe_skip_rsa_key_validation=True)
