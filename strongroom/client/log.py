"""The partition's log, verified here: every entry against a checkpoint that the device signed over our nonce."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from strongroom.client.connection import Connection
from strongroom.client.evidence import check_fresh, new_nonce
from strongroom.client.http import segment
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry, check_extends, check_lane
from strongroom.protocol.statements import Checkpoint

PAGE = 5000
PATIENCE = 15.0
"""Seconds that the portal's copy of the log may take to catch up with the checkpoint."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    lane: str
    n: int
    entry: bytes


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    lanes: list[str]
    entries: list[LogLine]


class _CheckpointAnswer(msgspec.Struct, frozen=True):
    checkpoint: str


@dataclass(frozen=True)
class VerifiedLog:
    """The whole log of a partition up to a checkpoint. `extends` is the checkpoint that was kept before, if any."""

    checkpoint: Checkpoint
    extends: Checkpoint | None
    lanes: dict[str, list[Entry]]

    def newest(self, count: int) -> list[Entry]:
        """The last entries by time, over all lanes."""
        entries = [one for lane in self.lanes.values() for one in lane]
        return sorted(entries, key=lambda one: (one.time, one.lane, one.n))[-count:]

    def events(self) -> Counter[tuple[str, str]]:
        """How often each (event, result) stands in the log."""
        return Counter((one.event, one.result) for entries in self.lanes.values() for one in entries)


@dataclass(frozen=True)
class FetchedLog:
    """Lanes of a partition's log, verified against a fresh checkpoint, with the very bytes that can prove it again."""

    checkpoint: Checkpoint
    token: str
    lanes: dict[str, list[Entry]]
    raw: dict[str, list[bytes]]


def verify(connection: Connection, now: int, sleep: Callable[[float], None] = time.sleep) -> VerifiedLog:
    """Fetch and check the log of the partition in use, and keep the checkpoint for the next time.

    Raises `Refused("log-inconsistent")` for a log that was altered, cut or forked; `stale`, `nonce-mismatch`,
    `signature-invalid`, `certificate-invalid` for a checkpoint that is not the device's answer to us.
    """
    home, partition = connection.home, connection.home.partition()
    # 1. to 3. Every entry that a fresh checkpoint counts.
    found = fetch(connection, now, sleep=sleep)
    # 4. It continues what was seen the last time.
    kept = home.kept("checkpoints", partition)
    older = verify_statement(kept, Checkpoint, home.manufacturer_roots(), "device", now)[0] if kept else None
    if older:
        check_extends(older, found.checkpoint, found.raw)
    # 5. Keep it.
    home.keep("checkpoints", partition, found.token)
    return VerifiedLog(found.checkpoint, older, found.lanes)


def fetch(
    connection: Connection,
    now: int,
    only: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> FetchedLog:
    """The log of the partition in use (of the lane `only`, if one is named), verified. Raises as `verify` does."""
    partition = connection.home.partition()
    # 1. A checkpoint of this log, signed by the device over our nonce.
    nonce = new_nonce()
    path = f"partitions/{segment(partition)}/checkpoint"
    token = connection.portal.post(path, {"nonce": nonce}, _CheckpointAnswer).checkpoint
    checkpoint, certified = verify_statement(token, Checkpoint, connection.home.manufacturer_roots(), "device", now)
    if checkpoint.nonce != nonce:
        raise Refused("nonce-mismatch", "the checkpoint answers another question")
    check_fresh(checkpoint.issued_at, now)
    if (checkpoint.partition, checkpoint.device) != (partition, certified.device_id):
        raise Refused("log-inconsistent", "the checkpoint is of another partition or device")
    # 2. Every entry that it counts, from the portal's copy.
    wanted = {lane: head for lane, head in sorted(checkpoint.lanes.items()) if only in ("", lane)}
    raw = {lane: _fetch(connection, partition, lane, head.count, sleep=sleep) for lane, head in wanted.items()}
    # 3. The entries are exactly those that the checkpoint states.
    lanes = {lane: check_lane(lane, raw[lane], partition, head) for lane, head in wanted.items()}
    return FetchedLog(checkpoint, token, lanes, raw)


def _fetch(
    connection: Connection, partition: str, lane: str, count: int, *, sleep: Callable[[float], None]
) -> list[bytes]:
    """The first `count` entries of a lane; fewer where the portal has no more after `PATIENCE`."""
    entries: list[bytes] = []
    waited = 0.0
    while len(entries) < count:
        page = _page(connection, partition, lane=lane, after=len(entries))
        entries += [one.entry for one in page.entries]
        if not page.entries:
            if waited >= PATIENCE:
                break
            sleep(0.5)
            waited += 0.5
    return entries[:count]


def _page(connection: Connection, partition: str, **where: str | int) -> LogPage:
    return connection.portal.get(f"partitions/{segment(partition)}/log", LogPage, **({"limit": PAGE} | where))
