"""Memory that all processes of the device share: which records changed, and which nonces were used.

Both live in anonymous mappings made before the workers are forked, so nothing of them is ever on a disk.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused

_NO_SESSION = bytes(16)


class Generations:
    """A counter for each of many slots of record paths: a cached record is good while its slot has not moved.

    Whoever changes a record moves its slot, after the commit and before the answer, so that whoever has seen the
    answer never meets an older record. Values are random: two processes that move a slot at once, or one that is
    stopped while it does, can never bring an earlier value back.
    """

    _SLOTS = 65_536

    def __init__(self) -> None:
        self._values = memoryview(mmap.mmap(-1, self._SLOTS * 8)).cast("Q")

    def slot(self, path: str) -> int:
        """The slot of a path, which never changes."""
        return zlib.crc32(path.encode()) % self._SLOTS

    def at(self, slot: int) -> int:
        """The generation of a slot now."""
        return self._values[slot]

    def of(self, path: str) -> int:
        """The generation of a path now."""
        return self._values[self.slot(path)]

    def moved(self, path: str) -> None:
        self._values[self.slot(path)] = int.from_bytes(os.urandom(8), "little")


class Sessions:
    """The sessions in which signed instructions are accepted, and the nonces used in them: each serves once.

    A session ends after `LIFETIME` seconds of monotonic time, or when its table is half full; the one before is still
    accepted for as long. So an instruction that was held back is refused after twice that time, memory is bounded, no
    wall clock decides, and nothing survives a restart of the device.
    """

    LIFETIME = 600.0
    _SLOT = 16
    _HEADER = struct.Struct("<16s16sdQ")  # current id, previous id, start of the current, nonces in the current

    def __init__(self, slots: int = 1 << 20) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, self._HEADER.size + 2 * slots * self._SLOT)
        self._lock = os.memfd_create("strongroom-nonces", os.MFD_CLOEXEC)
        self._rotate(_NO_SESSION)

    def current(self) -> str:
        """The session to sign in now."""
        with self._locked():
            return b64u(self._refresh()[0])

    def use(self, session: str, signer: str, nonce: str) -> None:
        """Use `nonce` up. Raises `Refused`: `session-stale`, `instruction-replayed`, `instruction-mismatch`."""
        if not 16 <= len(nonce) <= 128:
            raise Refused("instruction-mismatch", "a nonce has 16 to 128 characters")
        wanted = from_b64u(session, "session-stale")
        mark = hashlib.sha256(f"{signer}\x00{nonce}".encode()).digest()[: self._SLOT]
        with self._locked():
            current, previous, _, _ = self._refresh()
            if wanted not in (current, previous) or wanted == _NO_SESSION:
                raise Refused("session-stale")
            self._insert(wanted, mark, fresh=wanted == current)

    def _insert(self, session: bytes, mark: bytes, *, fresh: bool) -> None:
        base = self._table(session)
        index = int.from_bytes(mark[:8], "little") % self._slots
        while True:
            place = base + index * self._SLOT
            found = self._memory[place : place + self._SLOT]
            if found == mark:
                raise Refused("instruction-replayed")
            if not any(found):
                break
            index = (index + 1) % self._slots
        self._memory[place : place + self._SLOT] = mark
        current, previous, started, count = self._HEADER.unpack_from(self._memory)
        # The previous session's table still fills: it counts too, or it might run full.
        self._HEADER.pack_into(self._memory, 0, current, previous, started, count + 1)

    def _refresh(self) -> tuple[bytes, bytes, float, int]:
        current, _, started, count = self._HEADER.unpack_from(self._memory)
        age = time.monotonic() - started
        if age > 2 * self.LIFETIME:
            self._rotate(_NO_SESSION)
        elif age > self.LIFETIME or count > self._slots // 4:
            self._rotate(current)
        return self._HEADER.unpack_from(self._memory)

    def _rotate(self, previous: bytes) -> None:
        current = os.urandom(15) + bytes([~previous[15] & 1])  # the last bit says which of the two tables
        base = self._table(current)
        self._memory[base : base + self._slots * self._SLOT] = bytes(self._slots * self._SLOT)
        self._HEADER.pack_into(self._memory, 0, current, previous, time.monotonic(), 0)

    def _table(self, session: bytes) -> int:
        return self._HEADER.size + (session[15] & 1) * self._slots * self._SLOT

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A record lock belongs to the process and falls with it, however it dies.
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)
