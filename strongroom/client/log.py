"""A log, verified here: every entry against a checkpoint that the device signed over our nonce.

A customer's is that of its partition; the officers' is the world's, of what belongs to no partition.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from strongroom.client.approvals import Decided, check_actions, check_succession
from strongroom.client.connection import Connection
from strongroom.client.evidence import check_fresh, new_nonce
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.client.lists import Listed, check_lists
from strongroom.protocol.action_table import DefinePartition
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, WORLD_LOG, Entry, check_extends, check_lane
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
class Source:
    """Which log: `partition` is in its entries, `path` where the portal has it, `kept` names its checkpoint here."""

    partition: str
    path: str
    kept: str


WORLD = Source(WORLD_LOG, "officer/world", "world")


def of_partition(home: Home) -> Source:
    """The log of the partition in use."""
    partition = home.partition()
    return Source(partition, f"partitions/{segment(partition)}", partition)


class Exported(NamedTuple):
    """What an export has: entries of this log, and of other partitions' logs, of which nothing is known here."""

    entries: int
    others: int


@dataclass(frozen=True)
class VerifiedLog:
    """A whole log up to a checkpoint. `extends` is the checkpoint that was kept before, if any.

    `decided`: the actions that officers carried out, their approvals counted again. `lists`: the partition's access
    lists, the signature on each checked again. `raw`: the entries' own bytes.
    """

    checkpoint: Checkpoint
    extends: Checkpoint | None
    lanes: dict[str, list[Entry]]
    raw: dict[str, list[bytes]]
    decided: list[Decided]
    lists: list[Listed]

    def check_export(self, exported: bytes) -> Exported:
        """Look an export of the portal's up in this log: JSON lines, each an entry, of all or a part of it.

        Raises `Refused("log-inconsistent")`, which names the line, where one is neither in it nor of another partition.
        """
        there = {one for lane in self.raw.values() for one in lane}
        lines = exported.splitlines()
        others = 0
        for number, line in enumerate(lines, 1):
            if line in there:
                continue
            if read_json(line, Entry, "log-inconsistent").partition == self.checkpoint.partition:
                raise Refused("log-inconsistent", f"line {number} of the export is no entry of the log")
            others += 1
        return Exported(len(lines) - others, others)

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


def verify(
    connection: Connection, now: int, sleep: Callable[[float], None] = time.sleep, source: Source | None = None
) -> VerifiedLog:
    """Fetch and check a log (without `source` that of the partition in use), and keep the checkpoint for the next time.

    Raises `Refused("log-inconsistent")` for a log that was altered, cut or forked; `stale`, `nonce-mismatch`,
    `signature-invalid`, `certificate-invalid` for a checkpoint that is not the device's answer to us; what
    `check_actions` and `check_succession` do where officers' approvals do not hold, and `check_lists` where an access
    list does not.
    """
    home, source = connection.home, source or of_partition(connection.home)
    # 1. to 3. Every entry that a fresh checkpoint counts.
    found = fetch(connection, now, sleep=sleep, source=source)
    # 4. It continues what was seen the last time.
    kept = home.kept("checkpoints", source.kept)
    older = verify_statement(kept, Checkpoint, home.manufacturer_roots(), "device", now)[0] if kept else None
    if older:
        check_extends(older, found.checkpoint, found.raw)
    # 5. What officers decided, enough of them had approved, and they changed by such decisions alone.
    decided = check_actions(found.lanes.get(ADMIN_LANE, []), home.manufacturer_roots())
    if source is WORLD:
        check_succession(decided)
    # 6. Who may do what was changed by its owners, and by the security keys that they let, alone.
    lists: list[Listed] = []
    for one in decided:
        if isinstance(one.action.body, DefinePartition) and one.entry.partition == source.partition != WORLD_LOG:
            lists = check_lists(found.lanes[ADMIN_LANE], source.partition, one.action.body.owner)
    # 7. Keep it.
    home.keep("checkpoints", source.kept, found.token)
    return VerifiedLog(found.checkpoint, older, found.lanes, found.raw, decided, lists)


def fetch(
    connection: Connection,
    now: int,
    only: str = "",
    sleep: Callable[[float], None] = time.sleep,
    source: Source | None = None,
) -> FetchedLog:
    """A log (without `source` that of the partition in use; of the lane `only`, if one is named), verified.

    Raises as `verify` does.
    """
    source = source or of_partition(connection.home)
    # 1. A checkpoint of this log, signed by the device over our nonce.
    nonce = new_nonce()
    token = connection.portal.post(f"{source.path}/checkpoint", {"nonce": nonce}, _CheckpointAnswer).checkpoint
    checkpoint, certified = verify_statement(token, Checkpoint, connection.home.manufacturer_roots(), "device", now)
    if checkpoint.nonce != nonce:
        raise Refused("nonce-mismatch", "the checkpoint answers another question")
    check_fresh(checkpoint.issued_at, now)
    if (checkpoint.partition, checkpoint.device) != (source.partition, certified.device_id):
        raise Refused("log-inconsistent", "the checkpoint is of another partition or device")
    # 2. Every entry that it counts, from the portal's copy.
    wanted = {lane: head for lane, head in sorted(checkpoint.lanes.items()) if only in ("", lane)}
    raw = {lane: _fetch(connection, source, lane, head.count, sleep=sleep) for lane, head in wanted.items()}
    # 3. The entries are exactly those that the checkpoint states.
    lanes = {lane: check_lane(lane, raw[lane], source.partition, head) for lane, head in wanted.items()}
    return FetchedLog(checkpoint, token, lanes, raw)


def _fetch(
    connection: Connection, source: Source, lane: str, count: int, *, sleep: Callable[[float], None]
) -> list[bytes]:
    """The first `count` entries of a lane; fewer where the portal has no more after `PATIENCE`."""
    entries: list[bytes] = []
    waited = 0.0
    while len(entries) < count:
        page = _page(connection, source, lane=lane, after=len(entries))
        entries += [one.entry for one in page.entries]
        if not page.entries:
            if waited >= PATIENCE:
                break
            sleep(0.5)
            waited += 0.5
    return entries[:count]


def _page(connection: Connection, source: Source, **where: str | int) -> LogPage:
    return connection.portal.get(f"{source.path}/log", LogPage, **({"limit": PAGE} | where))
