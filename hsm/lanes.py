"""A worker's lane of the log: one append-only file in segments, holding chains of many partitions.

A frame is length ‖ tag ‖ body, `tag` an HMAC under the lane's key, so that an entry altered on the disk is noticed
when the lane is opened. A body is MessagePack of (partition, n, head, entry), or a snapshot of all heads, with which
every segment begins: so only the newest segment is read at start. An entry is in the kernel's hands before its
operation is answered (it survives the death of the process) and on the disk within `FLUSH_SECONDS` (power loss may
cost that window).
"""

import hmac
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from strongroom.protocol.commands import LoggedEntry
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import GENESIS, Entry, next_head

FLUSH_SECONDS = 0.05
SEGMENT_BYTES = 64 * 1024 * 1024
_FRAME = struct.Struct(">I16s")
_encode = msgspec.msgpack.Encoder().encode


class Snapshot(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Heads of all chains where a segment begins."""

    heads: dict[str, tuple[int, bytes]]


class Written(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """An entry with the head of its chain after it."""

    partition: str
    n: int
    head: bytes
    entry: bytes


_decoder = msgspec.msgpack.Decoder(Snapshot | Written)


class Lane:
    """The lane `name` in `folder`, opened for writing. `gap` tells what recovery had to cut off, in bytes."""

    def __init__(self, folder: Path, name: str, key: bytes) -> None:
        self.name = name
        self._folder = folder
        self._key = key
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.gap = 0
        self._failed = False
        self._dirty = threading.Event()
        self._recover()
        threading.Thread(target=self._flush_forever, daemon=True, name=f"flush-{name}").start()

    def check_writable(self) -> None:
        """Raise `Refused("log-unwritable")` once a write or a flush has failed: the device then stops working."""
        if self._failed:
            raise Refused("log-unwritable")

    def append(self, partition: str, *, epoch: int, time: int, event: str, **fields: Any) -> None:
        """Write one entry. Returns when the kernel has it. Raises `Refused("log-unwritable")`."""
        self.check_writable()
        count, head = self.heads.get(partition, (0, GENESIS))
        entry = canonical_json(
            Entry(partition=partition, lane=self.name, n=count + 1, epoch=epoch, time=time, event=event, **fields)
        )
        head = next_head(head, entry)
        self._write(Written(partition, count + 1, head, entry))
        self.heads[partition] = (count + 1, head)
        self._dirty.set()
        if self._size > SEGMENT_BYTES:
            self._start_segment(self._number + 1)

    def _write(self, value: Snapshot | Written) -> None:
        body = _encode(value)
        frame = _FRAME.pack(len(body), hmac.digest(self._key, body, "sha256")[:16]) + body
        try:
            written = os.write(self._fd, frame)
        except OSError:
            written = -1
        if written != len(frame):
            self._failed = True
            raise Refused("log-unwritable")
        self._size += written

    def _recover(self) -> None:
        segments = segment_numbers(self._folder, self.name)
        if not segments:
            self._start_segment(1)
            return
        self._number = segments[-1]
        path = segment_path(self._folder, self.name, self._number)
        good = 0
        for end, value in read_frames(path, 0, self._key):
            good = end
            if isinstance(value, Snapshot):
                self.heads = dict(value.heads)
            else:
                self.heads[value.partition] = (value.n, value.head)
        self.gap = path.stat().st_size - good
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.ftruncate(self._fd, good)
        self._size = good
        if good == 0:  # the segment was begun but its snapshot never reached the disk
            os.close(self._fd)
            path.unlink()
            self._recover()

    def _start_segment(self, number: int) -> None:
        if number > 1:
            os.fdatasync(self._fd)
            os.close(self._fd)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(segment_path(self._folder, self.name, number), flags, 0o600)
        self._number, self._size = number, 0
        self._write(Snapshot(self.heads))
        os.fdatasync(self._fd)
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _flush_forever(self) -> None:
        while True:
            self._dirty.wait()
            threading.Event().wait(FLUSH_SECONDS * 0.8)
            self._dirty.clear()
            try:
                os.fdatasync(self._fd)
            except OSError:
                # A segment that ended meanwhile was flushed where it was closed; anything else stops the device.
                self._failed = not self._closed_meanwhile()
                if self._failed:
                    return

    def _closed_meanwhile(self) -> bool:
        try:
            os.fdatasync(self._fd)
        except OSError:
            return False
        return True


def segment_path(folder: Path, lane: str, number: int) -> Path:
    return folder / f"{lane}-{number:08d}.log"


def segment_numbers(folder: Path, lane: str) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob(f"{lane}-*.log"))


def read_frames(path: Path, offset: int, key: bytes) -> Iterator[tuple[int, Snapshot | Written]]:
    """(end offset, value) of each whole and authentic frame from `offset` on; stops at the first that is not."""
    with path.open("rb") as file:
        file.seek(offset)
        while len(header := file.read(_FRAME.size)) == _FRAME.size:
            length, tag = _FRAME.unpack(header)
            body = file.read(length)
            if len(body) != length or not hmac.compare_digest(hmac.digest(key, body, "sha256")[:16], tag):
                return
            offset += _FRAME.size + length
            yield offset, _decoder.decode(body)


def read_lane(folder: Path, lane: str, key: bytes, cursor: str, limit: int) -> tuple[list[LoggedEntry], str]:
    """Up to `limit` entries after `cursor` (`segment:offset`), and the cursor to go on from."""
    segments = segment_numbers(folder, lane)
    try:
        number, offset = (int(part) for part in cursor.split(":")) if cursor else (segments[0] if segments else 1, 0)
    except ValueError:
        raise Refused("malformed", "not a cursor of this lane") from None
    entries: list[LoggedEntry] = []
    for segment in [one for one in segments if one >= number]:
        start = offset if segment == number else 0
        number, offset = segment, start
        for end, value in read_frames(segment_path(folder, lane, segment), start, key):
            offset = end
            if isinstance(value, Written):
                entries.append(LoggedEntry(value.partition, value.n, value.entry))
                if len(entries) >= limit:
                    return entries, f"{number}:{offset}"
    return entries, f"{number}:{offset}"
