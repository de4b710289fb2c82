"""The log: its lanes and its checkpoints."""

import msgspec

from strongroom.protocol.commands.calling import Command


class MakeCheckpoint(Command, frozen=True, kw_only=True):
    NAME = "log.checkpoint"
    partition: str
    nonce: str


class MakeCheckpointReply(msgspec.Struct, frozen=True):
    checkpoint: str


class ReadLane(Command, frozen=True, kw_only=True):
    """Entries of all partitions of one lane in the order written, after `cursor` (empty: from the start)."""

    NAME = "log.read-lane"
    lane: str
    cursor: str = ""
    limit: int = 5000


class LoggedEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it was written, with where it stands."""

    partition: str
    n: int
    entry: bytes


class ReadLaneReply(msgspec.Struct, frozen=True):
    """`cursor` is where the next call goes on. Not `more`: the end was reached for now.

    There may be fewer than `limit` although there are more: an answer stays well below a frame's size.
    """

    entries: list[LoggedEntry]
    cursor: str
    more: bool = False


class ListLanes(Command, frozen=True, kw_only=True):
    NAME = "log.lanes"


class ListLanesReply(msgspec.Struct, frozen=True):
    lanes: list[str]
