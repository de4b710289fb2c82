"""The sealed HSM emulator on its unix socket: blocking, one exchange at a time on each connection, which is kept.

An exchange is one frame and its answer, or the frames of several operations and the answers in their order.
"""

import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from strongroom.protocol import commands
from strongroom.protocol.commands import (
    Attest,
    CheckNow,
    Command,
    FindImport,
    Hello,
    Lane,
    ListKeys,
    ListLanes,
    ListOfficers,
    PublishKeys,
    ReadLane,
    RevocationStatus,
    SessionRequest,
    ShowAccess,
    Status,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.frames import FrameBuffer, pack, read_answer
from strongroom.protocol.operations import OperationReply, OperationRequest
from tee.drivers.secure_module import SecureModule

T = TypeVar("T")

CONNECT_SECONDS = 2
ANSWER_SECONDS = 30
PROMPT_SECONDS = 5
ITEMS_A_SECOND = 20
"""Of a batch, at the least: the slowest are signatures by RSA-4096, on a machine that has other work."""

REPEATABLE: tuple[type[Command], ...] = (
    Attest,
    CheckNow,
    FindImport,
    ListKeys,
    ListLanes,
    ListOfficers,
    PublishKeys,
    ReadLane,
    RevocationStatus,
    SessionRequest,
    ShowAccess,
    Status,
)
"""Commands that change nothing, which may be sent again where the answer was lost."""

PROMPT: tuple[type[Command], ...] = (ListOfficers, RevocationStatus, ShowAccess, Status)
"""Commands that the device answers from memory, and that pages and probes wait for: `PROMPT_SECONDS` at the most."""

_UNREACHABLE = "the device's socket does not answer"
_UNREADABLE = "the device's answer cannot be read"
_MOST_AT_ONCE = 16 * 1024
_encode_operation = msgspec.msgpack.Encoder().encode
_decode_operation = msgspec.msgpack.Decoder(OperationReply).decode


class Emulator(SecureModule):
    """Driver of `python -m hsm`."""

    def __init__(self, path: str) -> None:
        self._path = path
        # The one that has rested longest is taken next, so that all of the device's workers have their share.
        self._idle: dict[Lane, deque[socket.socket]] = {"admin": deque(), "operations": deque()}

    def call(self, command: Command, reply_type: type[T]) -> T:
        seconds = PROMPT_SECONDS if isinstance(command, PROMPT) else ANSWER_SECONDS
        body, repeatable = commands.encode_request(command), isinstance(command, REPEATABLE)
        frame = self._exchange("admin", body, repeatable=repeatable, seconds=seconds)
        return commands.decode_reply(frame, reply_type)

    def operate(self, request: OperationRequest) -> OperationReply:
        body = _encode_operation(request)
        seconds = ANSWER_SECONDS + (len(request.items or ()) or request.count) // ITEMS_A_SECOND
        frame = self._exchange("operations", body, repeatable=False, seconds=seconds)
        try:
            return _decode_operation(frame)
        except msgspec.DecodeError:
            raise Refused("internal", _UNREADABLE) from None

    def operate_together(self, requests: list[OperationRequest]) -> Iterator[OperationReply]:
        data = b"".join([pack(_encode_operation(one)) for one in requests])
        connection = self._send_kept("operations", data) or self._send_new("operations", data)
        buffer, missing = FrameBuffer(), len(requests)
        try:
            while missing:
                arrived = connection.recv(_MOST_AT_ONCE)
                if not arrived:
                    raise EOFError
                for frame in buffer.feed(arrived):
                    if not missing:
                        raise EOFError("the device sent more than it was asked for")
                    missing -= 1
                    yield _decode_operation(frame)
        except (OSError, EOFError):
            connection.close()
            raise Refused("hsm-unreachable", _UNREACHABLE) from None
        except msgspec.DecodeError:
            connection.close()
            raise Refused("internal", _UNREADABLE) from None
        except BaseException:
            connection.close()
            raise
        self._idle["operations"].append(connection)

    def _exchange(self, lane: Lane, body: bytes, *, repeatable: bool, seconds: int) -> bytes:
        """The frame that answers `body`, within so many seconds.

        A kept connection may have been closed since (the device was restarted): then nothing was sent, and a new one
        is tried, once. Where the answer is lost, only what is repeatable is sent again.
        """
        data = pack(body)
        kept = self._send_kept(lane, data, seconds)
        try:
            if kept is not None:
                try:
                    return self._receive(kept, lane, seconds)
                except (OSError, EOFError) as error:
                    if isinstance(error, BlockingIOError) or not repeatable:
                        raise
            return self._receive(self._send_new(lane, data, seconds), lane, seconds)
        except (OSError, EOFError):
            raise Refused("hsm-unreachable", _UNREACHABLE) from None

    def _send_kept(self, lane: Lane, data: bytes, seconds: int = ANSWER_SECONDS) -> socket.socket | None:
        """A kept connection on which `data` was sent; None where nothing was, as none is open. Raises `Refused`."""
        try:
            kept = self._idle[lane].popleft()
        except IndexError:
            return None
        sent = 0
        try:
            _wait_at_most(kept, seconds)
            sent = kept.send(data)
            if sent < len(data):
                kept.sendall(memoryview(data)[sent:])
        except OSError as error:
            kept.close()
            if sent or isinstance(error, BlockingIOError):
                raise Refused("hsm-unreachable", _UNREACHABLE) from None
            return None
        except BaseException:
            kept.close()
            raise
        return kept

    def _send_new(self, lane: Lane, data: bytes, seconds: int = ANSWER_SECONDS) -> socket.socket:
        """A new connection on which `data` was sent. Raises `Refused`."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._greet(connection, lane)
            _wait_at_most(connection, seconds)
            connection.sendall(data)
        except (OSError, EOFError):
            connection.close()
            raise Refused("hsm-unreachable", _UNREACHABLE) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _receive(self, connection: socket.socket, lane: Lane, seconds: int) -> bytes:
        """The one answer, after which the connection is kept. Raises `OSError`, `EOFError`."""
        try:
            answer = _answer(connection, seconds)
        except BaseException:
            # Half an exchange would leave the next caller with an answer that is not its own.
            connection.close()
            raise
        self._idle[lane].append(connection)
        return answer

    def _greet(self, connection: socket.socket, lane: Lane) -> None:
        """Connect and say hello. Raises `OSError`, `EOFError`, or `Refused` where the device refuses the caller."""
        # The kernel's own timeouts: Python's would cost a system call more for each exchange.
        _set_timeouts(connection, CONNECT_SECONDS)
        connection.connect(self._path)
        connection.sendall(pack(msgspec.msgpack.encode(Hello(lane, "portal"))))
        commands.decode_reply(read_answer(connection.recv), type(None))
        _set_timeouts(connection, ANSWER_SECONDS)


def _wait_at_most(connection: socket.socket, seconds: int) -> None:
    if seconds != ANSWER_SECONDS:
        _set_timeouts(connection, seconds)


def _answer(connection: socket.socket, seconds: int) -> bytes:
    frame = read_answer(connection.recv)
    if seconds != ANSWER_SECONDS:
        _set_timeouts(connection, ANSWER_SECONDS)
    return frame


def _set_timeouts(connection: socket.socket, seconds: int) -> None:
    interval = struct.pack("ll", seconds, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
