"""One operations worker: a forked process that serves its connections with blocking sockets, one request at a time."""

import os
import selectors
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

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
    selector = selectors.EpollSelector()
    selector.register(control, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                if not _serve_control(control, selector, lane, loaded):
                    os._exit(0)
            elif not _serve_connection(key.data, operator):
                selector.unregister(key.data.sock)
                key.data.sock.close()


def _serve_control(control: socket.socket, selector: selectors.BaseSelector, lane: Lane, loaded: LoadedKeys) -> bool:
    message, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
    if not message:
        return False
    command = control_decoder.decode(message)
    if isinstance(command, TakeConnection):
        if not descriptors:  # this process has as many as it may have
            return True
        connection = Connection(socket.socket(fileno=descriptors[0]))
        connection.sock.settimeout(SEND_TIMEOUT)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
    elif isinstance(command, DropKey):
        loaded.drop(command.path)
    elif isinstance(command, GiveHeads):
        control.sendall(_encode(Heads(command.question, *lane.heads.get(command.partition, (0, GENESIS)))))
    return True


def _serve_connection(connection: Connection, operator: Operator) -> bool:
    """Answer what has arrived whole. Returns whether the connection stays open."""
    try:
        data = connection.sock.recv(262_144)
        if not data:
            return False
        for frame in connection.buffer.feed(data):
            connection.sock.sendall(pack(_encode(_answer(frame, operator))))
    except (OSError, Refused):
        return False
    return True


def _answer(frame: bytes, operator: Operator) -> OperationReply:
    try:
        request = _decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return OperationReply(**refusal(Refused("malformed", "not an operation request")))
    return operator.operate(request)
