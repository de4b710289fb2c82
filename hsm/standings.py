"""Until when each watched version of a key may be used: memory that all processes share, and a pipe to the revocator.

The revocator alone writes it, and workers look before every operation: what it writes holds for all of them at once. A
version that it has not written may not be used. The memory lives as long as the device's parent process, so no answer
survives a restart.
"""

import fcntl
import hashlib
import mmap
import os
import time
from contextlib import suppress

from hsm.clock import NANO, age_ns
from strongroom.protocol.errors import Refused

SLOTS = 1 << 18
"""How many versions with revocation a device can watch between two starts."""
WAIT_SECONDS = 1.0
"""How long an operation waits for an answer that it caused."""
_WORDS = 4  # fingerprint (two words), good until (ns of `age_ns`), calls so far << 3 | why
_PIPE_BYTES = 1024 * 1024
_NOWHERE = 0

UNCHECKED, FAILED, SUSPENDED, UNKNOWN, REVOKED = range(5)
_WORDS_OF = (
    "no answer yet on whether it may be used",
    "no valid answer on whether it may be used",
    "its owner has suspended it",
    "its revocation endpoint does not know it",
    "revoked",
)


class Standings:
    """The table, and the pipe through which anyone tells the revocator of a path."""

    def __init__(self) -> None:
        self.table = memoryview(mmap.mmap(-1, (SLOTS + 1) * _WORDS * 8)).cast("q")  # slot 0 stays empty
        self.pipe, self._asking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(PermissionError):  # a smaller pipe overflows sooner, which costs a scan
            fcntl.fcntl(self._asking, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._overflow = memoryview(mmap.mmap(-1, 8)).cast("q")
        self._patience: dict[str, int] = {}

    # --- what workers and the parent do ---

    def of(self, path: str) -> "Standing":
        return Standing(self, path)

    def changed(self, path: str) -> None:
        """Say that the record of a version was written."""
        self._tell("=", path)

    def ask(self, path: str) -> None:
        """Have the revocator ask about a version now."""
        self._tell("?", path)

    def _tell(self, kind: str, path: str) -> None:
        try:
            os.write(self._asking, f"{kind}{path}\n".encode())  # below PIPE_BUF: whole or not at all (pipe(7))
        except BlockingIOError:
            self._overflow[0] = 1

    def wait(self, path: str, place: int) -> int:
        """Cause an answer and wait for it. Returns the place of a version that may be used; raises `key-suspended`.

        Only where the last call did not fail; and a partition that made a worker wait in vain is not waited for again
        until ten times as long has passed, so that slow endpoints cost others a tenth of a worker at most.
        """
        partition = path.split("/", 2)[1]
        self.ask(path)
        begun = age_ns()
        place = place or self.find(path)
        calls, why = divmod(self.table[place + 3], 8)
        waits = why == UNCHECKED and begun >= self._patience.get(partition, 0)
        while waits and age_ns() < begun + WAIT_SECONDS * NANO:
            time.sleep(0.002)
            place = place or self.find(path)
            if self.table[place + 2] > age_ns():
                return place
            if self.table[place + 3] // 8 != calls:
                break
        else:
            if waits:
                self._patience[partition] = age_ns() + 10 * int(WAIT_SECONDS * NANO)
        raise Refused("key-suspended", _WORDS_OF[self.table[place + 3] % 8])

    def find(self, path: str) -> int:
        """Where a version's words begin; nowhere (which never holds) for one that is not watched yet."""
        low, high = _fingerprint(path)
        place = _first(low)
        while self.table[place] or self.table[place + 1]:
            if self.table[place] == low and self.table[place + 1] == high:
                return place
            place = _after(place)
        return _NOWHERE

    # --- what the revocator does ---

    def add(self, path: str) -> int:
        """A place for a version. Raises `Refused("too-large")` when the table is nearly full."""
        if found := self.find(path):
            return found
        low, high = _fingerprint(path)
        place = _first(low)
        steps = 0
        while self.table[place] or self.table[place + 1]:
            place, steps = _after(place), steps + 1
            if steps > 1_000:
                raise Refused("too-large", "more keys with revocation than this device can watch")
        self.table[place + 1] = high
        self.table[place] = low
        return place

    def set(self, place: int, good_until: int, calls: int, why: int) -> None:
        # First what forbids, then the rest: an operation never sees an old permission beside a new answer.
        self.table[place + 2] = good_until
        self.table[place + 3] = calls * 8 + why

    def overflowed(self) -> bool:
        """Whether something could not be told since the last question: then the store tells."""
        found, self._overflow[0] = bool(self._overflow[0]), 0
        return found


class Standing:
    """One version's, as a worker keeps it beside the loaded key."""

    __slots__ = ("_path", "_place", "_standings")

    def __init__(self, standings: Standings, path: str) -> None:
        self._standings = standings
        self._path = path
        self._place = standings.find(path)

    def holds(self) -> bool:
        """Whether an answer is in force that says the version may be used. Nobody is asked."""
        return self._standings.table[self._place + 2] > age_ns()

    def check(self) -> None:
        """Raise `Refused("key-suspended")` unless an answer is in force that says the version may be used."""
        if not self.holds():
            self._place = self._standings.wait(self._path, self._place)


def _fingerprint(path: str) -> tuple[int, int]:
    mark = hashlib.blake2b(path.encode(), digest_size=16).digest()
    return int.from_bytes(mark[:8], "little", signed=True), int.from_bytes(mark[8:], "little", signed=True)


def _first(low: int) -> int:
    return (low % SLOTS + 1) * _WORDS


def _after(place: int) -> int:
    return place + _WORDS if place < SLOTS * _WORDS else _WORDS
