"""Whose turn it is to use the TEE: tenants take turns, so that one that asks for much does not hold up the others."""

from collections import deque
from threading import Lock
from typing import Generic, TypeVar

from strongroom.protocol.errors import Refused

E = TypeVar("E")


class Place(Generic[E]):
    """Where a request waits. With an errand it does not need a turn of its own: another's may do it."""

    __slots__ = ("_called", "done", "errand")

    def __init__(self, errand: E | None) -> None:
        self.errand = errand
        self.done = False
        self._called = Lock()
        self._called.acquire()

    def wait(self) -> None:
        self._called.acquire()

    def call(self) -> None:
        self._called.release()


class Turns(Generic[E]):
    """`at_once` turns for all, `for_one` at most for one tenant, who may have `under_way` requests in all.

    A turn is one round trip to the TEE. Tenants that wait have theirs in rotation, so that one with a single request
    waits for no more than one turn of each other tenant; and for none where only one other asks, as `for_one` is less
    than `at_once`. Of a tenant's errands one turn is under way at once: those that come meanwhile go with the next.
    """

    def __init__(self, *, at_once: int, for_one: int, under_way: int) -> None:
        self._free = at_once
        self._for_one = for_one
        self._under_way = under_way
        self._lock = Lock()
        self._asked: dict[int, int] = {}
        self._running: dict[int, int] = {}
        self._on_errands: set[int] = set()
        self._waiting: dict[int, deque[Place[E]]] = {}

    def take(self, tenant: int, errand: E | None = None) -> bool:
        """Wait for a turn. False: `errand` was done in another's, and there is none to give.

        Raises `Refused("throttled")` where the tenant has too many requests under way.
        """
        with self._lock:
            asked = self._asked.get(tenant, 0)
            if asked >= self._under_way:
                raise Refused("throttled", f"{self._under_way} requests of yours are under way here already")
            self._asked[tenant] = asked + 1
            mine = self._begin_or_queue(tenant, errand)
        if mine is None:
            return True
        mine.wait()
        return not mine.done

    def company(self, tenant: int, most: int) -> list[Place[E]]:
        """Up to `most` with an errand who are next: they leave the queue, and who has the turn does theirs too."""
        found: list[Place[E]] = []
        if tenant not in self._waiting:
            return found
        with self._lock:
            queue = self._waiting.get(tenant, deque())
            while queue and len(found) < most and queue[0].errand is not None:
                found.append(queue.popleft())
            if not queue:
                self._waiting.pop(tenant, None)
        return found

    def done(self, tenant: int, place: Place[E]) -> None:
        """The errand of one of the company is done: its request goes on without a turn."""
        with self._lock:
            self._leave(tenant)
        place.done = True
        place.call()

    def give(self, tenant: int, errand: E | None = None) -> None:
        """End a turn, as it was taken, and begin the next one's."""
        with self._lock:
            self._leave(tenant)
            if errand is not None:
                self._on_errands.discard(tenant)
            self._end(tenant)

    def pass_on(self, tenant: int) -> None:
        """Between two turns of one request: let the others have theirs."""
        if not self._waiting:
            return
        with self._lock:
            self._end(tenant)
            mine = self._begin_or_queue(tenant, None)
        if mine is not None:
            mine.wait()

    def waiting(self, tenant: int) -> int:
        """So many requests of the tenant wait for their turn."""
        return len(self._waiting.get(tenant, ()))

    def _begin_or_queue(self, tenant: int, errand: E | None) -> Place[E] | None:
        """Begin a turn, or return the place where it is called when its turn begins."""
        if self._free and self._may(tenant, errand):
            self._begin(tenant, errand)
            return None
        mine = Place(errand)
        self._waiting.setdefault(tenant, deque()).append(mine)
        return mine

    def _may(self, tenant: int, errand: E | None) -> bool:
        if errand is not None and tenant in self._on_errands:
            return False
        return self._running.get(tenant, 0) < self._for_one

    def _begin(self, tenant: int, errand: E | None) -> None:
        self._free -= 1
        self._running[tenant] = self._running.get(tenant, 0) + 1
        if errand is not None:
            self._on_errands.add(tenant)

    def _leave(self, tenant: int) -> None:
        self._asked[tenant] -= 1
        if not self._asked[tenant]:
            del self._asked[tenant]

    def _end(self, tenant: int) -> None:
        self._free += 1
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        while self._free and self._begin_next():
            pass

    def _begin_next(self) -> bool:
        """Whose turn it is now: the first in the rotation who may have one, and then goes to its end."""
        for tenant, queue in self._waiting.items():
            if self._may(tenant, queue[0].errand):
                del self._waiting[tenant]
                first = queue.popleft()
                self._begin(tenant, first.errand)
                first.call()
                if queue:
                    self._waiting[tenant] = queue
                return True
        return False
