"""The parent process: accepts connections, answers the administrative lane, and passes operations to the workers."""

import logging
import selectors
import signal
import socket
import struct
import time
from pathlib import Path

import msgspec

from hsm import (  # noqa: F401  (they declare handlers)
    ceremony,
    destruction,
    imports,
    keys,
    log,
    officers,
    partitions,
    quorum,
    randomness,
    trust,
    unsealing,
)
from hsm.device import Device
from hsm.dispatch import dispatch, handles
from hsm.log import log_recovery
from hsm.revocation import RevocatorProcess
from hsm.workers import Worker, Workers
from strongroom.protocol import commands
from strongroom.protocol.commands import Caller, Hello, Reply, refusal
from strongroom.protocol.errors import Refused
from strongroom.protocol.frames import FrameBuffer, pack
from strongroom.protocol.operations import OperationReply

_PEERCRED = struct.Struct("3i")
SEND_TIMEOUT = 3.0
MAX_CALLERS = 256
TICK_SECONDS = 1.0
CLOCK_SECONDS = 60.0
logger = logging.getLogger("hsm")


@handles(commands.SessionRequest, states=("operational",), callers=("portal",))
def session(device: Device, _command: commands.SessionRequest) -> commands.SessionReply:
    """The session in which instructions are to be signed now."""
    return commands.SessionReply(device.sessions.current(), device.device_id)


class CallerConnection:
    """A connection that the parent serves. Its lane is unknown until its `Hello`."""

    def __init__(self, sock: socket.socket, uid: int) -> None:
        self.sock = sock
        self.uid = uid
        self.buffer = FrameBuffer()
        self.hello: Hello | None = None


class Server:
    """`allowed` maps each kind of caller to the user ids that may be one."""

    def __init__(self, device: Device, path: Path, *, workers: int, allowed: dict[Caller, set[int]]) -> None:
        self._device = device
        self._allowed = allowed
        self._selector = selectors.EpollSelector()
        self._callers: set[CallerConnection] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o666 if len(set().union(*allowed.values())) > 1 else 0o600)
        self._listener.listen(128)
        self._path = path
        self._clock_kept = time.monotonic()
        self.workers = Workers(device, workers, self._close_in_child)
        device.worker_pids = lambda: [one.pid for one in self.workers.all.values()]
        device.worker_heads = self.workers.heads
        device.drop_key = self.workers.drop_key
        self.revocator = RevocatorProcess(device, self._close_in_revocator)
        device.ask_revocator = self.revocator.status
        device.on_gap = lambda lane, gap: log_recovery(device, lane, gap)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        wake_read, wake_write = socket.socketpair()
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        self._selector.register(self._listener, selectors.EVENT_READ, self._listener)
        logger.info("%s device, %s, serving %s", self._device.mode, self._device.state, self._path)
        while True:
            for key, _ in self._selector.select(TICK_SECONDS):
                if key.data is None:
                    self.revocator.bury()
                    self.workers.stop()
                    self._path.unlink(missing_ok=True)
                    return
                if isinstance(key.data, Worker):
                    self._restart(key.data)
                elif key.data is self.revocator:
                    if not self.revocator.serve():
                        self._selector.unregister(key.fileobj)
                        self.revocator.bury()
                elif isinstance(key.data, CallerConnection):
                    self._serve(key.data)
                else:
                    self._accept()
            self._tick()

    def _tick(self) -> None:
        """What is due by itself: a revocator where there is none, each minute the time on record, and destructions."""
        control = self.revocator.start()
        if control is not None:
            self._selector.register(control, selectors.EVENT_READ, self.revocator)
        if time.monotonic() > self._clock_kept + CLOCK_SECONDS:
            self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        self._clock_kept = time.monotonic()
        try:
            self._device.keep_clock()
            if self._device.unsealed:
                destruction.destroy_due(self._device)
        except Refused as error:
            logger.error("what is due each minute cannot be done: %s", error.code)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        if len(self._callers) >= MAX_CALLERS:  # connections of the operations lane are the workers' and do not count
            sock.close()
            return
        sock.settimeout(SEND_TIMEOUT)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
        caller = CallerConnection(sock, _PEERCRED.unpack(credentials)[1])
        self._callers.add(caller)
        self._selector.register(sock, selectors.EVENT_READ, caller)

    def _serve(self, caller: CallerConnection) -> None:
        try:
            data = caller.sock.recv(65_536)
            for frame in caller.buffer.feed(data):
                self._answer(caller, frame)
        except (OSError, Refused):
            data = b""
        if not data:
            self._drop(caller)

    def _answer(self, caller: CallerConnection, frame: bytes | memoryview) -> None:
        if caller.hello is None:
            reply = self._welcome(caller, frame)
            caller.sock.sendall(pack(msgspec.msgpack.encode(reply)))
            if reply.code:
                raise Refused(reply.code)
            if caller.hello is not None and caller.hello.lane == "operations" and self._device.unsealed:
                self._start_workers()
                self._hand_over(caller)
        elif caller.hello.lane == "operations":
            # Only a device that is not operational, or has lost its workers, answers this lane itself.
            code = {"sealed": "hsm-sealed", "operational": "unavailable"}.get(self._device.state, "hsm-wrong-state")
            caller.sock.sendall(pack(msgspec.msgpack.encode(OperationReply(**refusal(Refused(code))))))
        else:
            was_unsealed = self._device.unsealed
            reply = dispatch(self._device, caller.hello.caller, frame)
            if self._device.unsealed and not was_unsealed:
                self._open_operations()
            elif was_unsealed and not self._device.unsealed:
                self._close_operations()
            caller.sock.sendall(_pack_reply(reply))

    def _welcome(self, caller: CallerConnection, frame: bytes | memoryview) -> Reply:
        try:
            hello = msgspec.msgpack.decode(frame, type=Hello)
            if caller.uid not in self._allowed[hello.caller]:
                raise Refused("caller-refused", "this process may not be that caller")
            if hello.lane == "operations" and hello.caller != "portal":
                raise Refused("caller-refused", "operations are the portal's")
        except (msgspec.DecodeError, UnicodeDecodeError):
            return Reply(**refusal(Refused("malformed", "a connection begins with a hello")))
        except Refused as error:
            return Reply(**refusal(error))
        caller.hello = hello
        return Reply()

    def _open_operations(self) -> None:
        self._do_what_is_due()
        self._start_workers()
        for caller in [one for one in self._callers if one.hello and one.hello.lane == "operations"]:
            self._hand_over(caller)

    def _close_operations(self) -> None:
        """Sealed: no worker goes on. Callers' connections end with them; on new ones they are told `hsm-sealed`."""
        for worker in self.workers.all.values():
            self._selector.unregister(worker.control)
        self.workers.stop()
        if self.revocator.control is not None:
            self._selector.unregister(self.revocator.control)
            self.revocator.bury()

    def _hand_over(self, caller: CallerConnection) -> None:
        if not self.workers.all:
            return
        self._selector.unregister(caller.sock)
        self._callers.discard(caller)
        if caller.buffer.empty:
            self.workers.pass_on(caller.sock)
        else:
            caller.sock.close()

    def _start_workers(self) -> None:
        """Start the workers that are missing; where that fails it is tried again with the next caller."""
        for worker in self.workers.start():
            self._selector.register(worker.control, selectors.EVENT_READ, worker)

    def _restart(self, worker: Worker) -> None:
        self._selector.unregister(worker.control)
        self.workers.forget(worker)
        self._start_workers()

    def _drop(self, caller: CallerConnection) -> None:
        if caller in self._callers:
            self._callers.discard(caller)
            self._selector.unregister(caller.sock)
        caller.sock.close()

    def _close_in_revocator(self) -> None:
        for worker in self.workers.all.values():
            worker.control.close()
        self._close_in_child()

    def _close_in_child(self) -> None:
        if self.revocator.control is not None:
            self.revocator.control.close()
        self._selector.close()
        self._listener.close()
        for caller in self._callers:
            caller.sock.close()
        signal.set_wakeup_fd(-1)


def _pack_reply(reply: Reply) -> bytes:
    try:
        return pack(msgspec.msgpack.encode(reply))
    except Refused as error:
        return pack(msgspec.msgpack.encode(Reply(**refusal(error))))
