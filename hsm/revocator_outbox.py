"""What the revocator has to tell its parent: kept until the parent takes it, and revocations until they are written."""

import socket
from collections import defaultdict, deque
from typing import NamedTuple

import msgspec

from hsm.clock import NANO, age_ns
from hsm.revocator_messages import Changed, Revoke, StatusIs

TOLD_AGAIN = 10 * NANO
MOST_TOLD = 200
_encode = msgspec.msgpack.Encoder().encode


class Revoked(NamedTuple):
    """What was told of a revoked version, and when."""

    source: str
    answer: str
    reason: str
    told_at: int


class Outbox:
    """Never waits for the parent, which may be busy with another partition's revocations."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._packets: deque[bytes] = deque()
        self._revoked: dict[str, Revoked] = {}

    def __bool__(self) -> bool:
        return bool(self._packets)

    def is_revoked(self, path: str) -> bool:
        """Whether an authentic answer revoked a version whose record does not say so yet."""
        return path in self._revoked

    def written(self, path: str) -> None:
        """The record says so now."""
        self._revoked.pop(path, None)

    def answer(self, status: StatusIs) -> None:
        self._packets.appendleft(_encode(status))

    def changed(self, event: str, paths: list[str], why: str) -> None:
        """`paths` are of one partition."""
        for begin in range(0, len(paths), MOST_TOLD):
            some = paths[begin : begin + MOST_TOLD]
            self._packets.append(_encode(Changed(partition_of(some[0]), event, some, why)))

    def revoked(self, found: dict[str, Revoked]) -> None:
        self._revoked.update(found)
        together: defaultdict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
        for path, one in found.items():
            together[partition_of(path), one.source, one.answer][path] = one.reason
        for (partition, source, answer), versions in together.items():
            paths = list(versions)
            for begin in range(0, len(paths), MOST_TOLD):
                some = {path: versions[path] for path in paths[begin : begin + MOST_TOLD]}
                self._packets.append(_encode(Revoke(partition, source, answer, some)))

    def flush(self) -> None:
        """Send what the parent takes; tell revocations again that it has not written: it may have failed to."""
        if not self._packets and self._revoked:
            now = age_ns()
            late = {path: one for path, one in self._revoked.items() if now - one.told_at > TOLD_AGAIN}
            self.revoked({path: one._replace(told_at=now) for path, one in late.items()})
        while self._packets:
            try:
                self._control.send(self._packets[0], socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self._packets.popleft()


def partition_of(path: str) -> str:
    """The partition that a record's path is in."""
    return path.split("/")[1]
