"""The device's two clocks: wall time that never runs backwards, and an age that no setting of a clock changes.

Wall time is the machine's, but never less than what it was plus what has passed since (by the kernel's boot time clock,
which also runs while the machine sleeps). So a clock that is turned back or frozen brings no expired key back. Across
restarts a high-water mark in the store does the same. A clock that was once set ahead stays ahead.
"""

import mmap
import time

NANO = 1_000_000_000


def age_ns() -> int:
    """Nanoseconds of a clock that nobody can set (`CLOCK_BOOTTIME`)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Clock:
    """Wall time for all processes of the device, which share this memory."""

    def __init__(self, mark: int = 0) -> None:
        """`mark`: the highest wall time known, in unix seconds."""
        self._shared = memoryview(mmap.mmap(-1, 8)).cast("q")
        self._shared[0] = mark * NANO - age_ns()

    def now(self) -> int:
        """Unix seconds."""
        return self.now_ns() // NANO

    def now_ns(self) -> int:
        age = age_ns()
        ahead = time.time_ns() - age
        if ahead > self._shared[0]:  # noqa: PLR1730 (other processes write it too: not without need)
            self._shared[0] = ahead
        return age + self._shared[0]
