"""Whose turn it is to use the TEE: tenants take turns, so that one that asks for much does not hold up the others."""

from collections import deque
from threading import Lock

from strongroom.protocol.errors import Refused


class Turns:
    """`at_once` turns for all, `for_one` at most for one tenant, who may have `under_way` requests in all.

    A turn is one round trip to the TEE. Tenants that wait have theirs in rotation, so that one with a single request
    waits for no more than one turn of each other tenant; and for none where only one other asks, as `for_one` is less
    than `at_once`.
    """

    def __init__(self, *, at_once: int, for_one: int, under_way: int) -> None:
        self._free = at_once
        self._for_one = for_one
        self._under_way = under_way
        self._lock = Lock()
        self._running: dict[int, int] = {}
        self._waiting: dict[int, deque[Lock]] = {}

    def take(self, tenant: int) -> None:
        """Wait for a turn. Raises `Refused("throttled")` where the tenant has too many requests under way."""
        with self._lock:
            if self._running.get(tenant, 0) + self.waiting(tenant) >= self._under_way:
                raise Refused("throttled", f"{self._under_way} requests of yours are under way here already")
            mine = self._begin_or_queue(tenant)
        if mine is not None:
            mine.acquire()

    def give(self, tenant: int) -> None:
        """End a turn, and begin the next one's."""
        with self._lock:
            self._end(tenant)

    def pass_on(self, tenant: int) -> None:
        """Between two turns of one request: let the others have theirs."""
        if not self._waiting:
            return
        with self._lock:
            self._end(tenant)
            mine = self._begin_or_queue(tenant)
        if mine is not None:
            mine.acquire()

    def waiting(self, tenant: int) -> int:
        """So many requests of the tenant wait for their turn."""
        return len(self._waiting.get(tenant, ()))

    def _begin_or_queue(self, tenant: int) -> "Lock | None":
        """Begin a turn, or return what will be released when it begins."""
        if self._free and self._running.get(tenant, 0) < self._for_one:
            self._begin(tenant)
            return None
        mine = Lock()
        mine.acquire()
        self._waiting.setdefault(tenant, deque()).append(mine)
        return mine

    def _begin(self, tenant: int) -> None:
        self._free -= 1
        self._running[tenant] = self._running.get(tenant, 0) + 1

    def _end(self, tenant: int) -> None:
        self._free += 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        # Whose turn it is now: the first in the rotation who may have one, and then goes to its end.
        for other in self._waiting:
            if self._running.get(other, 0) < self._for_one:
                queue = self._waiting.pop(other)
                self._begin(other)
                queue.popleft().release()
                if queue:
                    self._waiting[other] = queue
                return
