"""Revocation on the parent's side: the process that asks, what follows from its answers, and what the portal may ask.

The parent is the one administrative writer. A revocation is written, with its entry in the log, before anything else
follows from it.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable

import msgspec

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.faults import log_fault
from hsm.keys import destroy, versions_of
from hsm.revocation_sources import Surroundings
from hsm.revocator import run_revocator
from hsm.revocator_messages import Changed, GiveStatus, Revoke, Stands, StatusIs, decoder
from strongroom.protocol import commands
from strongroom.protocol.errors import Refused
from strongroom.protocol.terms import is_watched, read_terms

ANSWER_SECONDS = 2.0
RESTART_SECONDS = 1.0
MOST_KEYS = 1_000
_encode = msgspec.msgpack.Encoder().encode
logger = logging.getLogger("hsm")


class RevocatorProcess:
    """The revocator as the parent sees it. `close_in_child` closes what it must not inherit."""

    def __init__(self, device: Device, close_in_child: Callable[[], None]) -> None:
        self._device = device
        self._close_in_child = close_in_child
        self._questions = 0
        self._started = 0.0
        self.pid = 0
        self.control: socket.socket | None = None

    def start(self) -> socket.socket | None:
        """Start it where it is missing, once a second at most. Returns the new one's control socket."""
        if self.control is not None or not self._device.unsealed or time.monotonic() < self._started + RESTART_SECONDS:
            return None
        self._started = time.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        with self._device.records.store.closed():
            self.pid = os.fork()
            if self.pid == 0:
                self._run_child(parent, ours, theirs)
        theirs.close()
        ours.settimeout(ANSWER_SECONDS)
        self.control = ours
        return ours

    def serve(self) -> bool:
        """Do what it tells. Returns whether it lives."""
        try:
            return self.control is not None and self._heed(self._receive(self.control))
        except OSError:
            return False

    def status(self, paths: list[str]) -> dict[str, Stands]:
        """How it says that these versions stand. Raises `Refused("unavailable")`."""
        self._questions += 1
        try:
            if self.control is not None:
                self.control.sendall(_encode(GiveStatus(self._questions, paths)))
                while (message := self._receive(self.control)) is not None:
                    if isinstance(message, StatusIs) and message.question == self._questions:
                        return message.versions
                    self._heed(message)
        except OSError:
            pass
        raise Refused("unavailable", "the revocator is being started again")

    def bury(self) -> None:
        if self.control is not None:
            self.control.close()
            self.control = None
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _heed(self, message: object) -> bool:
        try:
            if isinstance(message, Revoke):
                apply_revocation(self._device, message)
            elif isinstance(message, Changed):
                log_change(self._device, message)
        except Exception:  # noqa: BLE001 (it is told again, and until then the version stands as revoked)
            log_fault("applying an answer")
        return message is not None

    def _receive(self, control: socket.socket) -> object:
        data = control.recv(1024 * 1024)
        return decoder.decode(data) if data else None

    def _run_child(self, parent: int, ours: socket.socket, theirs: socket.socket) -> None:
        # Whatever happens in it, it must never go on in the parent's code.
        try:
            ours.close()
            self._close_in_child()
            device = self._device
            run_revocator(
                parent=parent,
                control=theirs,
                folder=device.folder,
                keys=device.records.keys,
                generations=device.generations,
                standings=device.standings,
                around=Surroundings(device.device_id, device.clock, device.reach),
            )
        except BaseException:  # noqa: BLE001
            log_fault("the revocator")
        finally:
            os._exit(1)


def apply_revocation(device: Device, told: Revoke) -> None:
    """Destroy the versions that an authentic answer revoked, and say so in the log; once is enough."""
    due = {path: device.records.need(path, r.StoredKey) for path in told.versions}
    with device.records.transaction() as changes:
        for path, stored in due.items():
            if stored.destroyed:
                device.standings.changed(path)
                continue
            key = path.rpartition("/")[0]
            destroy(device, changes, key, [stored], r.Revoked(told.source, device.now(), told.versions[path]))
            changes.log(
                told.partition,
                epoch=device.boot_epoch,
                time=device.now(),
                event="key:revoke",
                principal=told.source,
                key=key.rpartition("/")[2],
                digest=told.answer,
                details={
                    "versions": [str(stored.version)],
                    "source": told.source,
                    "reason": told.versions[path],
                },
            )
    for path in due:
        device.drop_key(path)
    logger.warning("%d keys were revoked by their %s in partition %s", len(due), told.source, told.partition)


def log_change(device: Device, told: Changed) -> None:
    """Put on record that versions were suspended or resumed: one entry for all that one call found."""
    versions = ["/".join(path.split("/")[3:]) for path in told.paths]
    with device.records.transaction() as changes:
        changes.log(
            told.partition,
            epoch=device.boot_epoch,
            time=device.now(),
            event=told.event,
            key=versions[0].partition("/")[0] if len(versions) == 1 else "",
            details={"versions": versions} | ({"why": told.why} if told.why else {}),
        )


@handles(commands.RevocationStatus, states=OPERATIONAL, callers=PORTAL)
def status(device: Device, command: commands.RevocationStatus) -> commands.RevocationStatusReply:
    """How each version of a key stands; nothing of its terms but that somebody is asked."""
    path = f"partitions/{command.partition}/keys/{command.key}"
    device.records.need(path, r.NamedKey)
    versions = versions_of(device, path)
    asked = [f"{path}/{one.version}" for one in versions if not one.destroyed and is_watched(read_terms(one.terms))]
    found = device.ask_revocator(asked) if asked else {}
    return commands.RevocationStatusReply(
        versions=[
            _status(one, f"{path}/{one.version}" in asked, found.get(f"{path}/{one.version}")) for one in versions
        ]
    )


@handles(commands.CheckNow, states=OPERATIONAL, callers=PORTAL)
def check_now(device: Device, command: commands.CheckNow) -> commands.Done:
    """Have every version of these keys asked about now. What comes of it is told by `revocation.status`."""
    if len(command.keys) > MOST_KEYS:
        raise Refused("too-large", f"at most {MOST_KEYS} keys")
    for key in command.keys:
        path = f"partitions/{command.partition}/keys/{key}"
        device.records.need(path, r.NamedKey)
        for version in device.records.store.paths(path + "/"):
            device.standings.ask(version)
    return commands.Done()


def _status(stored: r.StoredKey, watched: bool, found: Stands | None) -> commands.VersionStatus:
    if stored.destroyed:
        told = stored.revocation or r.Revoked("", 0, "")
        return commands.VersionStatus(
            version=stored.version,
            state="revoked" if stored.revoked else "destroyed",
            why=told.reason,
            revoked_by=told.by,
            revoked_at=told.at or None,
        )
    if not watched:
        return commands.VersionStatus(version=stored.version, state="none")
    if found is None:
        return commands.VersionStatus(version=stored.version, state="unchecked")
    return commands.VersionStatus(
        version=stored.version,
        state="good" if found.good else "suspended" if found.checks else "unchecked",
        answer=found.answer,
        answered_at=found.answered_at,
        last_check=found.last_check,
        failure=found.failure,
        next_check=found.next_check,
        why=found.why,
        checks=found.checks,
        seconds=found.seconds,
    )
