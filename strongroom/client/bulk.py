"""Thousands of keys: validated once for many, sent side by side, and resumable wherever it was interrupted."""

import threading
import time
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Literal

import msgspec

from strongroom.client import imports, receipts, trust
from strongroom.client.connection import Connection
from strongroom.client.dossier import Evidence
from strongroom.client.manifest import Item
from strongroom.client.material import Material
from strongroom.client.routes import Route
from strongroom.protocol.errors import Refused

WORKERS = 8
TRUST_SECONDS = 240
"""Seconds for which one validation serves; its answers count for 300."""
_REWRAP = {"vendor-key-unknown", "provider-key-unknown"}
_STOP = {
    "unauthenticated", "token-expired", "forbidden", "throttled", "configuration", "device-not-listed",
    "access-denied", "wrong-tenant", "hsm-sealed", "hsm-unreachable", "hsm-wrong-state", "log-unwritable",
    "unavailable", "suite-unsupported", "transport-insecure", "development-refused",
}  # fmt: skip
"""What is no single key's fault: going on would fail for every other key too. So does a validation that fails."""


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one key: also a line of the journal."""

    name: str
    status: Literal["imported", "refused"]
    key_id: str = ""
    code: str = ""
    detail: str = ""


class Journal:
    """Results as they come, one JSON line each: what a later run need not do again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, Result] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    result = msgspec.json.decode(line, type=Result)
                except msgspec.DecodeError:
                    continue  # the end of a line that a kill cut off: that key is settled anew
                self.done[result.name] = result
        path.touch(mode=0o600)

    def write(self, result: Result) -> None:
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")


def run(
    connection: Connection,
    items: list[Item],
    route: Route,
    journal: Journal,
    *,
    passphrase: bytes | None = None,
    workers: int = WORKERS,
) -> Generator[Result, None, None]:
    """Import what the journal does not say is imported; yields each result as it comes.

    A key that is refused never stops the others. Raises `Refused` where no other could succeed either: run it again
    when that is settled. What is on its way then, or at Ctrl-C, is finished first.
    """
    shared = _SharedTrust(connection, route)
    due = iter(item for item in items if journal.done.get(item.name, _NEVER).status != "imported")
    running: dict[Future[Result], Item] = {}
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                # 1. As many on their way as there are workers, and a few that wait.
                for item in due:
                    running[pool.submit(_import, shared, item, passphrase)] = item
                    if len(running) >= 2 * workers:
                        break
                if not running:
                    return
                # 2. Each result is on record before the next is asked for.
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield _recorded(journal, future.result())
        finally:
            # 3. Stopped early: nothing more begins, and what is on its way is still put on record.
            for future in running:
                if not future.cancel() and future.exception() is None:
                    journal.write(future.result())


_NEVER = Result(name="", status="refused")


def _recorded(journal: Journal, result: Result) -> Result:
    journal.write(result)
    return result


class NotTrusted(Refused):
    """A validation failed: nothing is encrypted any more."""


class _SharedTrust:
    """One validation for all workers, renewed before it is too old, or where a key was retired meanwhile."""

    def __init__(self, connection: Connection, route: Route) -> None:
        self.connection = connection
        self.route = route
        self._lock = threading.Lock()
        self._evidence: Evidence | None = None
        self._until = 0.0

    def evidence(self) -> Evidence:
        """What was validated for all; or for one, where each import needs a vendor key of its own."""
        if self.route.single_use:
            return self._validate()
        with self._lock:
            if self._evidence is None or time.monotonic() >= self._until:
                self._evidence = self._validate()
                self._until = time.monotonic() + TRUST_SECONDS
            return self._evidence

    def _validate(self) -> Evidence:
        try:
            partition = self.connection.home.partition()
            return trust.validate(self.connection, int(time.time()), partition, self.route)
        except Refused as refusal:
            raise NotTrusted(refusal.code, refusal.detail) from None

    def forget(self, seen: Evidence) -> None:
        """The keys in `seen` are in force no more."""
        with self._lock:
            if self._evidence is seen:
                self._evidence = None


def _import(shared: _SharedTrust, item: Item, passphrase: bytes | None) -> Result:
    try:
        if item.problem:
            raise item.problem
        material = item.settings.read(item.file, passphrase)
        key_id = _settled(shared.connection, item, material) or _send(shared, item, material)
    except Refused as refusal:
        if isinstance(refusal, NotTrusted) or (refusal.code in _STOP and refusal is not item.problem):
            raise
        return Result(name=item.name, status="refused", code=refusal.code, detail=refusal.detail)
    except OSError as error:
        return Result(name=item.name, status="refused", code="configuration", detail=error.strerror or "unreadable")
    return Result(name=item.name, status="imported", key_id=key_id)


def _settled(connection: Connection, item: Item, material: Material) -> str:
    """The id of a key that an earlier run had brought in without knowing the end of it, or empty."""
    home, now = connection.home, int(time.time())
    if receipts.kept(home, item.name):
        receipt = receipts.verify_kept(home, item.name, now).receipt
    elif receipts.find_sent(home, item.name):
        try:
            receipt = imports.resume(connection, item.name, now)
        except Refused as refusal:
            if refusal.code in _STOP:
                raise
            return ""
    else:
        return ""
    if (receipt.public_key, receipt.check_value.lower()) != (material.public_key, material.check_value):
        raise Refused("name-taken", "another key has this name")
    return receipt.key_id


def _send(shared: _SharedTrust, item: Item, material: Material) -> str:
    """Seal and send; once more where a key was retired between validation and arrival."""

    def once(evidence: Evidence) -> str:
        now = int(time.time())
        terms = item.settings.terms(material)
        sealed, _ = imports.prepare(
            shared.connection, material, item.name, terms, now, route=shared.route, evidence=evidence
        )
        return imports.deliver(shared.connection, sealed, now)[0].key_id

    evidence = shared.evidence()
    try:
        return once(evidence)
    except Refused as refusal:
        if refusal.code not in _REWRAP:
            raise
        shared.forget(evidence)
        return once(shared.evidence())
