"""The TEE's log: for each partition and lane a chain of entries, and how anyone checks it against a checkpoint.

head(n) = SHA-256(head(n-1) ‖ entry(n)), head(0) = 32 zero bytes; an entry is the JSON bytes exactly as written.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Checkpoint, LaneHead

GENESIS = bytes(32)
ADMIN_LANE = "admin"
WORLD_LOG = ""
"""The partition name of entries that belong to the world and to no partition."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry. `n` counts from 1 on its partition's lane. `event` is `subject:action`; `result` is `ok` or a code.

    `details` holds what the event needs for others to check it (approvals, digests); never key material or terms.
    """

    partition: str
    lane: str
    n: int
    epoch: int
    time: int
    event: str
    result: str = "ok"
    principal: str = ""
    key: str = ""
    mechanism: str = ""
    digest: str = ""
    details: dict[str, str | int | list[str]] = {}


def next_head(head: bytes, entry: bytes) -> bytes:
    """The chain's head after `entry`."""
    return hashlib.sha256(head + entry).digest()


def chain(entries: Iterable[bytes], *, start: bytes = GENESIS) -> tuple[int, bytes]:
    """(how many, head) after `entries` in order."""
    count, head = 0, start
    for entry in entries:
        head = next_head(head, entry)
        count += 1
    return count, head


def check_lane(lane: str, entries: list[bytes], partition: str, stated: LaneHead) -> list[Entry]:
    """The entries of one lane, decoded, if they are exactly those that `stated` counts.

    Raises `Refused("log-inconsistent")` where any is altered, missing, reordered, foreign or too many.
    """
    count, head = chain(entries)
    if count != stated.count or head.hex() != stated.head:
        raise Refused("log-inconsistent", f"lane {lane}: {count} entries do not give the checkpoint's head")
    decoded = []
    for number, raw in enumerate(entries, start=1):
        try:
            entry = msgspec.json.decode(raw, type=Entry)
        except msgspec.DecodeError:
            raise Refused("log-inconsistent", f"lane {lane}: entry {number} cannot be read") from None
        if (entry.partition, entry.lane, entry.n) != (partition, lane, number):
            raise Refused("log-inconsistent", f"lane {lane}: entry {number} belongs elsewhere")
        decoded.append(entry)
    return decoded


def check_extends(older: Checkpoint, newer: Checkpoint, lanes: dict[str, list[bytes]]) -> None:
    """Raise `Refused("log-inconsistent")` unless `newer` continues the log that `older` saw.

    `lanes` holds the entries up to `newer`, so that the older heads can be recomputed on the way.
    """
    if (older.device, older.partition) != (newer.device, newer.partition) or newer.boot_epoch < older.boot_epoch:
        raise Refused("log-inconsistent", "the newer checkpoint is of another log, or of an earlier start")
    for lane, seen in older.lanes.items():
        entries = lanes.get(lane, [])
        if lane not in newer.lanes or newer.lanes[lane].count < seen.count:
            raise Refused("log-inconsistent", f"lane {lane} is shorter than an earlier checkpoint saw it, or left out")
        count, head = chain(entries[: seen.count])
        if count != seen.count or head.hex() != seen.head:
            raise Refused("log-inconsistent", f"lane {lane} no longer contains what an earlier checkpoint saw")
