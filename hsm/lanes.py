"""A worker's lane of the log: one append-only file in segments, holding chains of many partitions.

A frame is length ‖ tag ‖ body, `tag` an HMAC under the lane's key, so that an entry altered on the disk is noticed
when the lane is opened, and by its chain one that was dropped or moved. A body is MessagePack of (partition, n, head,
entry), or a snapshot of all heads, with which every segment begins: so only the newest segment is read at start. An
entry is in the kernel's hands before its operation is answered (it survives the death of the process) and on the disk
within `FLUSH_SECONDS` (power loss may cost that window).
"""

import errno
import os
import re
import struct
import threading
from collections.abc import Iterator
from hmac import compare_digest, digest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives import hashes, hmac

from strongroom.protocol.commands import LoggedEntry, ReadLaneReply
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import GENESIS, Entry, next_head

FLUSH_SECONDS = 0.05
SEGMENT_BYTES = 64 * 1024 * 1024
READ_BYTES = 2 * 1024 * 1024
_FRAME = struct.Struct(">I16s")
_SEGMENT = re.compile(r"(w\d{1,4})-(\d{8})\.log", re.ASCII)
_CURSOR = re.compile(r"(\d{1,8}):(\d{1,12})", re.ASCII)
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


class Form(NamedTuple):
    """Entries of a partition that differ in number and time alone: what stands before the one, and between the two."""

    partition: str
    before: bytes
    between: bytes


class Lane:
    """The lane `name` in `folder`, opened for writing. `gap` tells what recovery had to leave behind, in bytes."""

    def __init__(self, folder: Path, name: str, key: bytes) -> None:
        self.name = name
        self._folder = folder
        self._key = key
        self._tagger = hmac.HMAC(key, hashes.SHA256())
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.gap = 0
        self._failed = False
        self._fd = -1
        self._dirty = threading.Event()
        self._recover()
        threading.Thread(target=self._flush_forever, daemon=True, name=f"flush-{name}").start()

    def check_writable(self) -> None:
        """Raise `Refused("log-unwritable")` once a write or a flush has failed: the device then stops working."""
        if self._failed:
            raise Refused("log-unwritable")

    def append(self, partition: str, *, epoch: int, time: int, event: str, **fields: Any) -> None:
        """Write one entry. Returns when the kernel has it. Raises `Refused("log-unwritable")`."""
        count, head = self.heads.get(partition, (0, GENESIS))
        entry = Entry(partition=partition, lane=self.name, n=count + 1, time=time, epoch=epoch, event=event, **fields)
        self._add(head, partition, count + 1, canonical_json(entry))

    def form(self, partition: str, *, epoch: int, event: str, **fields: Any) -> Form:
        """The form of such entries, for `append_alike`.

        Inside a string a quotation mark is escaped, so that a value cannot be mistaken for another member.
        """
        entry = Entry(partition=partition, lane=self.name, n=0, time=0, epoch=epoch, event=event, **fields)
        before, _, rest = canonical_json(entry).partition(b'"n":0,')
        return Form(partition, before + b'"n":', b"," + rest.removesuffix(b"0}"))

    def append_alike(self, form: Form, time: int) -> None:
        """As `append`, of an entry of this form."""
        count, head = self.heads.get(form.partition, (0, GENESIS))
        self._add(head, form.partition, count + 1, b"%b%d%b%d}" % (form.before, count + 1, form.between, time))

    def _add(self, head: bytes, partition: str, n: int, entry: bytes) -> None:
        self.check_writable()
        head = next_head(head, entry)
        self._write(Written(partition, n, head, entry))
        self.heads[partition] = (n, head)
        if not self._dirty.is_set():
            self._dirty.set()
        if self._size > SEGMENT_BYTES:
            try:
                self._start_segment(self._number + 1)
            except OSError:
                self._failed = True
                raise Refused("log-unwritable") from None

    def _write(self, value: Snapshot | Written) -> None:
        body = _encode(value)
        tag = self._tagger.copy()  # the key is taken in once, which is most of the work for what is as short
        tag.update(body)
        frame = _FRAME.pack(len(body), tag.finalize()[:16]) + body
        try:
            written = os.write(self._fd, frame)
        except OSError:
            written = -1
        if written != len(frame):
            self._failed = True
            raise Refused("log-unwritable")
        self._size += written

    def _recover(self) -> None:
        found = recover(self._folder, self.name, self._key)
        self.heads, self.gap = found.heads, found.gap
        if found.last is None or found.gap:
            # What cannot be read stays where it is, as evidence, and is never written behind.
            self._start_segment((found.newest or 0) + 1)
            return
        path = segment_path(self._folder, self.name, found.last)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._number, self._size = found.last, path.stat().st_size

    def _start_segment(self, number: int) -> None:
        if self._fd >= 0:
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
            except OSError as error:
                # A segment that ended meanwhile was flushed where it was closed; anything else stops the device, and
                # at once: the kernel reports a failed write only once.
                if error.errno != errno.EBADF:
                    self._failed = True
                    return


def segment_path(folder: Path, lane: str, number: int) -> Path:
    return folder / f"{lane}-{number:08d}.log"


def lane_names(folder: Path) -> list[str]:
    """Names of the lanes that have files, also of those that no worker writes any more."""
    return sorted({found[1] for path in folder.iterdir() if (found := _SEGMENT.fullmatch(path.name))})


def segment_numbers(folder: Path, lane: str) -> list[int]:
    found = [one for path in folder.iterdir() if (one := _SEGMENT.fullmatch(path.name))]
    return sorted(int(one[2]) for one in found if one[1] == lane)


class Recovered(NamedTuple):
    """What a lane's files tell: heads of its chains, its `newest` segment, and the `last` one, with readable entries.

    `gap` counts the bytes behind the last readable entry.
    """

    heads: dict[str, tuple[int, bytes]]
    newest: int | None
    last: int | None
    gap: int


def recover(folder: Path, lane: str, key: bytes) -> Recovered:
    """Read a lane's newest segment, or where nothing in it is readable, the one before."""
    numbers = segment_numbers(folder, lane)
    gap = 0
    for number in reversed(numbers):
        path = segment_path(folder, lane, number)
        end, heads = _replay(path, key)
        gap += path.stat().st_size - end
        if end:
            return Recovered(heads, numbers[-1], number, gap)
    return Recovered({}, numbers[-1] if numbers else None, None, gap)


def _replay(path: Path, key: bytes) -> tuple[int, dict[str, tuple[int, bytes]]]:
    """(where what is whole, authentic and in order ends, heads there); (0, {}) without a snapshot at the beginning."""
    good, heads = 0, {}
    for end, value in read_frames(path, 0, key):
        if isinstance(value, Snapshot) != (good == 0):
            break
        if isinstance(value, Snapshot):
            heads = dict(value.heads)
        else:
            count, head = heads.get(value.partition, (0, GENESIS))
            if (value.n, value.head) != (count + 1, next_head(head, value.entry)):
                break
            heads[value.partition] = (value.n, value.head)
        good = end
    return good, heads


def read_frames(path: Path, offset: int, key: bytes) -> Iterator[tuple[int, Snapshot | Written]]:
    """(end offset, value) of each whole and authentic frame from `offset` on; stops at the first that is not."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(min(offset, size))
        while len(header := file.read(_FRAME.size)) == _FRAME.size:
            length, tag = _FRAME.unpack(header)
            body = file.read(min(length, size))
            if len(body) != length or not compare_digest(digest(key, body, "sha256")[:16], tag):
                return
            offset += _FRAME.size + length
            yield offset, _decoder.decode(body)


def read_lane(folder: Path, lane: str, key: bytes, cursor: str, limit: int) -> ReadLaneReply:
    """Up to `limit` entries after `cursor` (`segment:offset`), about `READ_BYTES` of them at most."""
    segments = segment_numbers(folder, lane)
    number, offset = _read_cursor(cursor) if cursor else (segments[0] if segments else 1, 0)
    entries: list[LoggedEntry] = []
    size = 0
    for segment in [one for one in segments if one >= number]:
        start = offset if segment == number else 0
        number, offset = segment, start
        for end, value in read_frames(segment_path(folder, lane, segment), start, key):
            offset = end
            if isinstance(value, Written):
                entries.append(LoggedEntry(value.partition, value.n, value.entry))
                size += len(value.entry)
                if len(entries) >= limit or size >= READ_BYTES:
                    return ReadLaneReply(entries, f"{number}:{offset}", more=True)
    return ReadLaneReply(entries, f"{number}:{offset}")


def _read_cursor(cursor: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise Refused("malformed", "not a cursor of this lane")
    return int(found[1]), int(found[2])
