"""One operations worker: a forked process that serves its connections with blocking sockets, one request at a time."""

import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import msgspec

from hsm.batches import SLICE_SECONDS, Steps
from hsm.clock import Clock
from hsm.keytree import KeyTree
from hsm.lanes import Lane
from hsm.loaded_keys import LoadedKeys
from hsm.operations import Operator
from hsm.records import Records
from hsm.sandbox import follow_parent, forbid_network, lock_memory
from hsm.shared import Generations, Sessions
from hsm.standings import Standings
from hsm.store import Store
from strongroom.protocol import jws
from strongroom.protocol.commands import refusal
from strongroom.protocol.errors import Refused
from strongroom.protocol.frames import FrameBuffer, pack
from strongroom.protocol.log import GENESIS
from strongroom.protocol.operations import OperationReply, OperationRequest

SEND_TIMEOUT = 10.0
RECEIVE_BYTES = 256 * 1024
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OperationRequest).decode


class GiveHeads(msgspec.Struct, frozen=True, tag="heads"):
    """The parent asks for the head of a partition's chain in this lane. The answer carries the question's number."""

    partition: str
    question: int


class DropKey(msgspec.Struct, frozen=True, tag="drop"):
    """The parent says that a version of a key is gone: what is held of it is let go at once."""

    path: str


class TakeConnection(msgspec.Struct, frozen=True, tag="connection"):
    """The parent passes a connection on (as `SCM_RIGHTS`)."""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The worker is ready; `gap` bytes of its lane had to be cut off."""

    gap: int


class Heads(msgspec.Struct, frozen=True, tag="heads-are"):
    """Answer to `GiveHeads`."""

    question: int
    count: int
    head: bytes


control_decoder = msgspec.msgpack.Decoder(GiveHeads | DropKey | TakeConnection | Opened | Heads)


class Connection:
    """A caller's connection and what has arrived of its next frame."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = FrameBuffer()
        self.frames: Iterator[bytes | memoryview] = iter(())
        self.waits = False


def run_worker(
    *,
    parent: int,
    control: socket.socket,
    folder: Path,
    lane_name: str,
    keys: KeyTree,
    generations: Generations,
    sessions: Sessions,
    standings: Standings,
    clock: Clock,
    device: str,
    epoch: int,
    sign: Callable[[jws.Statement], str],
) -> None:
    """Serve until the control socket closes. Runs in a fork; the store is opened anew. `sign`: by the identity key."""
    follow_parent(parent)
    lock_memory()
    forbid_network()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    records = Records(Store(folder / "store.db"), keys, generations)
    lane = Lane(folder / "lanes", lane_name, keys.lane_key())
    loaded = LoadedKeys(records, standings)
    operator = Operator(
        records=records, loaded=loaded, sessions=sessions, lane=lane, clock=clock, device=device, epoch=epoch, sign=sign
    )
    control.sendall(_encode(Opened(lane.gap)))
    Service(control, operator, lane).run()


class Service:
    """The worker's loop over its connections."""

    def __init__(self, control: socket.socket, operator: Operator, lane: Lane) -> None:
        self._control = control
        self._operator = operator
        self._lane = lane
        self._connections: dict[int, Connection] = {}
        # Answers of which there is more to do, and connections with more to answer (None), in turn. Meanwhile these
        # connections are not listened to.
        self._begun: deque[tuple[Connection, Steps[OperationReply] | None]] = deque()
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        # One buffer for all: to have room for as much made at each call would cost more than the call.
        self._arrived = memoryview(bytearray(RECEIVE_BYTES))

    def run(self) -> None:
        """Serve until the control socket closes."""
        while True:
            for descriptor, _ in self._epoll.poll(0 if self._begun else None):
                connection = self._connections.get(descriptor)
                if connection is not None:
                    self._serve(connection)
                elif not self._obey():
                    os._exit(0)
            if self._begun:
                self._go_on(*self._begun.popleft())

    def _obey(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
        if not message:
            return False
        command = control_decoder.decode(message)
        if isinstance(command, TakeConnection) and descriptors:  # else this process has as many as it may have
            sock = socket.socket(fileno=descriptors[0])
            sock.setblocking(True)
            self._connections[sock.fileno()] = Connection(sock)
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        elif isinstance(command, DropKey):
            self._operator.drop(command.path)
        elif isinstance(command, GiveHeads):
            head = self._lane.heads.get(command.partition, (0, GENESIS))
            self._control.sendall(_encode(Heads(command.question, *head)))
        return True

    def _serve(self, connection: Connection) -> None:
        """Take what has arrived and answer what of it is whole."""
        try:
            count = connection.sock.recv_into(self._arrived)
        except OSError:
            count = 0
        connection.frames = connection.buffer.feed(self._arrived[:count])
        if not count or not self._answer_frames(connection):
            self._close(connection)
        elif connection.waits:
            self._epoll.unregister(connection.sock.fileno())

    def _answer_frames(self, connection: Connection, first: OperationReply | None = None) -> bool:
        """Answer in order, and together, as far as a slice's time goes and no answer takes more than one step.

        Returns whether the connection stays open. `first`: the answer that the others come behind.
        """
        end = monotonic() + SLICE_SECONDS
        replies, size = [], 0
        stays = True
        try:
            if first is not None:
                replies.append(pack(_encode(first)))
            for frame in connection.frames:
                answer = _answer(frame, self._operator)
                reply = answer if isinstance(answer, OperationReply) else self._step(connection, answer)
                if reply is None:
                    break
                replies.append(pack(_encode(reply)))
                size += len(replies[-1])
                if (size > RECEIVE_BYTES or monotonic() > end) and not connection.buffer.empty:
                    self._wait(connection, None)
                    break
        except Refused:
            stays = False
        try:
            if replies:
                _send(connection.sock, b"".join(replies))
        except OSError:
            # What was begun is carried to its end and put on record, though nobody hears of it; nothing else is begun.
            connection.frames = iter(())
            return connection.waits
        return stays

    def _go_on(self, connection: Connection, steps: Steps[OperationReply] | None) -> None:
        """One more step; with the last one the answer, those to what came behind, and the connection is heard again."""
        connection.waits = False
        reply = None
        if steps is not None:
            reply = self._step(connection, steps)
            if reply is None:
                return
        stays = self._answer_frames(connection, reply)
        if connection.waits:
            return
        self._epoll.register(connection.sock.fileno(), select.EPOLLIN)
        if not stays:
            self._close(connection)

    def _step(self, connection: Connection, steps: Steps[OperationReply]) -> OperationReply | None:
        """The answer, or None while there is more to do, which then has its turn later."""
        try:
            next(steps)
        except StopIteration as done:
            reply: OperationReply = done.value
            return reply
        self._wait(connection, steps)
        return None

    def _wait(self, connection: Connection, steps: Steps[OperationReply] | None) -> None:
        connection.waits = True
        self._begun.append((connection, steps))

    def _close(self, connection: Connection) -> None:
        self._epoll.unregister(connection.sock.fileno())
        del self._connections[connection.sock.fileno()]
        connection.sock.close()


def _send(sock: socket.socket, frame: bytes) -> None:
    """Send without waiting what the caller has room for, and only where it has none wait for it."""
    try:
        sent = sock.send(frame, socket.MSG_DONTWAIT)
    except BlockingIOError:
        sent = 0
    if sent < len(frame):
        sock.settimeout(SEND_TIMEOUT)
        sock.sendall(memoryview(frame)[sent:])
        sock.setblocking(True)


def _answer(frame: bytes | memoryview, operator: Operator) -> OperationReply | Steps[OperationReply]:
    try:
        request = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return OperationReply(**refusal(Refused("malformed", "not an operation request")))
    return operator.operate(request)
