"""What an operation's request and answer hold in JSON, and how the former is read. Bytes are standard base64."""

from typing import Annotated, Literal

import msgspec

from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_ITEMS, MAX_SEALED, Item
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealed import MAX_SEALED_REQUEST

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request: what a batch in token mode may have. A single payload is far below, `MAX_SEALED`."""

Errors = dict[int, tuple[str, str]]
"""Code and detail by the item's index."""


class OperationParameters(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`Parameters` as REST has them: bytes in standard base64, the target key also by its name."""

    prehashed: bool = False
    signature: bytes | None = None
    aad: bytes = b""
    format: Literal["", "raw"] = ""
    salt: bytes = b""
    length: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    target: str = ""
    target_mechanism: str = ""
    target_aad: bytes = b""
    generate: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    clear: bool = False


class ItemBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An item of a batch."""

    payload: bytes
    signature: bytes | None = None
    aad: bytes = b""


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a request has, but for a batch's items."""

    payload: bytes | None = None
    mechanism: str = ""
    version: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    parameters: OperationParameters = msgspec.field(default_factory=OperationParameters)
    instruction: str = ""
    sealed: bytes = b""
    operations_key: str = ""
    count: Annotated[int, msgspec.Meta(ge=0, le=MAX_ITEMS)] = 0


class OperationBody(Body, kw_only=True):
    """The request's body: `payload`, or the `items` of a batch, or what is `sealed` to the device's operations key.

    `count`: how many items are in `sealed`, by which they count against the caller's quota; the device insists on it.
    """

    items: list[ItemBody] | None = None


class _LooseBody(Body, kw_only=True):
    """One of whose items some cannot be read."""

    items: list[msgspec.Raw] | None = None


class OperationAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer's body: `valid` of verify, else `result`; of a data key `clear` too, where it was asked for.

    `target_version`, `target_mechanism`: of translate and rewrap, under what the result is.
    """

    result: bytes | None = None
    clear: bytes | None = None
    valid: bool | None = None
    key_id: str
    version: int
    target_version: int = 0
    mechanism: str
    target_mechanism: str = ""


class SealedAnswer(msgspec.Struct, kw_only=True):
    """The answer's body to a sealed request: the result for the client alone, and the device's statement on it."""

    sealed: bytes
    statement: str
    key_id: str
    version: int
    mechanism: str


class ItemError(msgspec.Struct):
    code: str
    detail: str


class ItemAnswer(msgspec.Struct, omit_defaults=True):
    """One item's answer: `error`, else `valid` of verify, else `result`, and `clear` as of a single one."""

    result: bytes | None = None
    valid: bool | None = None
    error: ItemError | None = None
    clear: bytes | None = None


class BatchAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer's body to a batch, in the order of its items."""

    results: list[ItemAnswer]
    key_id: str
    version: int
    target_version: int = 0
    mechanism: str
    target_mechanism: str = ""


_read = msgspec.json.Decoder(OperationBody).decode
_read_loosely = msgspec.json.Decoder(_LooseBody).decode
_read_item = msgspec.json.Decoder(ItemBody).decode


class Asked(msgspec.Struct, kw_only=True):
    """A request as it was read. Of a batch `items` has None where `errors` says what is wrong with the item."""

    body: Body
    items: list[Item | None] | None
    errors: Errors


def read_body(data: bytes, operation: str) -> Asked:
    """Raises `Refused`: `malformed`, `too-large`. An item that cannot be read is in the errors and refuses no other."""
    verifies = operation == Usage.VERIFY
    errors: Errors = {}
    items: list[Item | None] | None = None
    try:
        body: Body
        try:
            body = _read(data)
            if body.items is not None:
                items = [_item_of(one, index, errors, verifies) for index, one in enumerate(body.items)]
        except msgspec.ValidationError as error:
            body = _read_loosely(data)
            if body.items is None:
                raise error from None
            items = [_item(raw, index, errors, verifies) for index, raw in enumerate(body.items)]
    except msgspec.ValidationError as error:
        raise Refused("malformed", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("malformed", "not JSON") from None
    _check(body, items)
    if verifies and items is None and body.parameters.signature is None and not (body.instruction or body.sealed):
        raise Refused("malformed", "verify needs the signature, in `parameters.signature`")
    return Asked(body=body, items=items, errors=errors)


def _item(raw: msgspec.Raw, index: int, errors: Errors, verifies: bool) -> Item | None:
    try:
        one = _read_item(raw)
    except msgspec.ValidationError as error:
        errors[index] = ("malformed", str(error))
        return None
    return _item_of(one, index, errors, verifies)


def _item_of(one: ItemBody, index: int, errors: Errors, verifies: bool) -> Item | None:
    """A signature may be empty, and is then none that holds; left out it was forgotten."""
    if verifies and one.signature is None:
        errors[index] = ("malformed", "verify needs the signature, in the item's own `signature`")
        return None
    return Item(one.payload, one.signature or b"", one.aad)


def _check(body: Body, items: list[Item | None] | None) -> None:
    if body.sealed:
        _check_sealed(body, items)
        return
    if body.payload is None and items is None and body.parameters.generate:
        body.payload = b""
    if (body.payload is None) == (items is None):
        raise Refused("malformed", "either `payload` or `items` is needed")
    if body.payload is not None and len(body.payload) > MAX_SEALED:
        raise Refused("too-large", f"a payload holds at most {MAX_SEALED} bytes")
    if items is not None and body.parameters.signature:
        raise Refused("malformed", "of a batch each item has its own `signature`")


def _check_sealed(body: Body, items: list[Item | None] | None) -> None:
    if body.payload is not None or items is not None or body.parameters != OperationParameters():
        raise Refused("malformed", "`payload`, `items` and `parameters` of a sealed request are inside `sealed`")
    if len(body.sealed) > MAX_SEALED_REQUEST:
        raise Refused("too-large", f"a sealed request has at most {MAX_SEALED_REQUEST} bytes")
