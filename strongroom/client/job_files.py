"""The files of a bulk job: what is to be done, an item a line, and the results, a line for each line."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

import msgspec

from strongroom.client.batches import ItemError, ItemOutcome
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Item, item_bytes

Form = Literal["lines", "base64-lines", "jsonl"]
FORMS: tuple[Form, ...] = get_args(Form)
CHUNK_ITEMS = 500
CHUNK_BYTES = 1024 * 1024
"""A chunk has no more than this, unless one item alone has."""
ERROR = b"error:"
"""How a line begins that stands for an item which failed, where lines are no JSON."""


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """An item in JSON; bytes are standard base64."""

    payload: bytes
    signature: bytes = b""
    aad: bytes = b""


def read_items(source: Path, form: Form) -> Iterator[Item | ItemError]:
    """Each line as an item, or what is wrong with it. Raises `OSError`."""
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            item = _item(line.removesuffix(b"\n").removesuffix(b"\r"), form, number)
            if isinstance(item, Item) and len(item.payload) > MAX_PAYLOAD:
                yield ItemError("too-large", f"line {number}: at most {MAX_PAYLOAD} bytes")
            else:
                yield item


def in_chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Chunks of some hundred items each: so many hold one of the device's workers at once."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        own = item_bytes(item)
        if chunk and (len(chunk) == CHUNK_ITEMS or size + own > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += own
    if chunk:
        yield chunk


def file_digest(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def result_line(outcome: ItemOutcome, form: Form, number: int) -> bytes:
    """One line of the results. Raises `Refused("malformed")` for a result that is no line, where lines are wanted."""
    if form == "jsonl":
        return msgspec.json.encode(outcome) + b"\n"
    if outcome.error is not None:
        return ERROR + f"{outcome.error.code} {outcome.error.detail}".replace("\n", " ").strip().encode() + b"\n"
    if outcome.valid is not None:
        return b"valid\n" if outcome.valid else b"invalid\n"
    result = outcome.result or b""
    if form == "base64-lines":
        return base64.b64encode(result) + b"\n"
    if b"\n" in result or result.startswith(ERROR):
        raise Refused("malformed", f"the result of line {number} is no line: fetch with --format base64-lines or jsonl")
    return result + b"\n"


def _item(line: bytes, form: Form, number: int) -> Item | ItemError:
    if form == "lines":
        return Item(line)
    try:
        if form == "base64-lines":
            return Item(base64.b64decode(line, validate=True))
        one = msgspec.json.decode(line, type=Line)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return ItemError("malformed", f"line {number}: {error}")
    return Item(one.payload, one.signature, one.aad)
