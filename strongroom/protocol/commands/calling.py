"""How a command is asked and answered: the messages of a connection."""

from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from strongroom.protocol.errors import CATALOGUE, Refused

Caller = Literal["portal", "console"]
Lane = Literal["admin", "operations"]
T = TypeVar("T")


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First frame of a connection. The process at the other end must be allowed that caller (`SO_PEERCRED`)."""

    lane: Lane
    caller: Caller


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `body` is the MessagePack of the command's own struct."""

    command: str
    body: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answer: `body` where `code` is empty, else a refusal."""

    code: str = ""
    detail: str = ""
    body: msgspec.Raw = msgspec.Raw(b"\xc0")


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command's body. `NAME` is how it is called."""

    NAME: ClassVar[str]


def encode_request(command: Command) -> bytes:
    """A command as the body of a frame."""
    return msgspec.msgpack.encode(Request(command.NAME, msgspec.Raw(msgspec.msgpack.encode(command))))


def decode_reply(frame: bytes, type_: type[T]) -> T:
    """The answer inside a frame, or the `Refused` that it carries."""
    try:
        reply = msgspec.msgpack.decode(frame, type=Reply)
        if not reply.code:
            return msgspec.msgpack.decode(reply.body, type=type_)
    except msgspec.DecodeError:
        raise Refused("internal", "the device's answer cannot be read") from None
    raise Refused(reply.code if reply.code in CATALOGUE else "internal", reply.detail)


class Done(msgspec.Struct, frozen=True):
    """The answer to what has nothing to say."""


def refusal(error: Refused) -> dict[str, Any]:
    """A refusal as the fields that replies carry."""
    return {"code": error.code, "detail": error.detail}
