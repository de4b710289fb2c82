"""The pool of operations workers as the parent sees it: started at unsealing, and again when one dies."""

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from hsm.device import Device
from hsm.faults import log_fault
from hsm.worker import DropKey, GiveHeads, Heads, Opened, TakeConnection, control_decoder, run_worker
from strongroom.protocol.errors import Refused

_encode = msgspec.msgpack.Encoder().encode
ANSWER_SECONDS = 30.0
logger = logging.getLogger("hsm")


@dataclass
class Worker:
    lane: str
    pid: int
    control: socket.socket
    connections: int = 0


class Workers:
    """`count` processes, each with a lane of its own. `close_in_child` closes what a worker must not inherit."""

    def __init__(self, device: Device, count: int, close_in_child: Callable[[], None]) -> None:
        self._device = device
        self._count = count
        self._close_in_child = close_in_child
        self._questions = 0
        self.all: dict[str, Worker] = {}

    def start(self) -> list[Worker]:
        """Start those that are missing. Returns the new ones; one that cannot open its lane is left missing."""
        missing = [f"w{number}" for number in range(self._count) if f"w{number}" not in self.all]
        return [worker for lane in missing if (worker := self._start(lane)) is not None]

    def pass_on(self, connection: socket.socket) -> None:
        """Give a caller's connection to the worker that was given fewest."""
        worker = min(self.all.values(), key=lambda one: one.connections)
        socket.send_fds(worker.control, [_encode(TakeConnection())], [connection.fileno()])
        worker.connections += 1
        connection.close()

    def drop_key(self, path: str) -> None:
        """Have every worker let go of what it holds of a version. One that cannot be told is about to die."""
        for worker in self.all.values():
            with suppress(OSError):
                worker.control.sendall(_encode(DropKey(path)))

    def heads(self, partition: str) -> dict[str, tuple[int, bytes]]:
        """Count and head of the partition's chain in each lane, as the workers have them at this moment."""
        found = {}
        for worker in self.all.values():
            found[worker.lane] = self._ask_head(worker, partition)
        return found

    def _ask_head(self, worker: Worker, partition: str) -> tuple[int, bytes]:
        self._questions += 1
        try:
            worker.control.sendall(_encode(GiveHeads(partition, self._questions)))
            while isinstance(answer := _receive(worker), Heads):
                if answer.question == self._questions:  # else it comes late, to a question that was given up
                    return answer.count, answer.head
        except OSError:
            pass
        raise Refused("unavailable", "a worker is being started again")

    def forget(self, worker: Worker) -> None:
        """Take leave of a worker that has died."""
        del self.all[worker.lane]
        self._bury(worker)

    def _bury(self, worker: Worker) -> None:
        worker.control.close()
        os.kill(worker.pid, signal.SIGKILL)  # it may only be stopped
        _, status = os.waitpid(worker.pid, 0)
        logger.warning("worker %s ended with status %s", worker.lane, status)

    def stop(self) -> None:
        for worker in self.all.values():
            os.kill(worker.pid, signal.SIGTERM)
        for worker in self.all.values():
            os.waitpid(worker.pid, 0)
            worker.control.close()
        self.all.clear()

    def _start(self, lane: str) -> Worker | None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        with self._device.records.store.closed():
            pid = os.fork()
            if pid == 0:
                self._run_child(parent, ours, theirs, lane)
        theirs.close()
        ours.settimeout(ANSWER_SECONDS)
        worker = Worker(lane, pid, ours)
        opened = _receive(worker)
        if not isinstance(opened, Opened):
            self._bury(worker)
            return None
        self.all[lane] = worker
        if opened.gap:
            self._device.on_gap(lane, opened.gap)
        return worker

    def _run_child(self, parent: int, ours: socket.socket, theirs: socket.socket, lane: str) -> None:
        # Whatever happens in a worker, it must never go on in the parent's code.
        try:
            ours.close()
            for sibling in self.all.values():
                sibling.control.close()
            self._close_in_child()
            device = self._device
            run_worker(
                parent=parent,
                control=theirs,
                folder=device.folder,
                lane_name=lane,
                keys=device.records.keys,
                generations=device.generations,
                sessions=device.sessions,
                standings=device.standings,
                clock=device.clock,
                device=device.device_id,
                epoch=device.boot_epoch,
                sign=device.sign,
            )
        except BaseException:  # noqa: BLE001
            log_fault(f"worker {lane}")
        finally:
            os._exit(1)


def _receive(worker: Worker) -> object:
    data = worker.control.recv(65_536)
    return control_decoder.decode(data) if data else None
