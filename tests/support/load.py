"""Clients that use a key from many threads, over connections that end up at every process, while something changes."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.served import wait_until

THREADS = 4
ENOUGH = 60
REUSED = 7
"""Calls over a connection before the next one: a connection stays with the web process that accepted it."""


@dataclass(frozen=True)
class Call:
    """When it was sent, what was sent, and what was answered."""

    sent: float
    body: dict[str, Any]
    status: int
    answer: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.answer["code"]) if self.status != 200 else ""


def under_load(
    url: str, token: str, body: Callable[[], dict[str, Any]], changes: list[Callable[[], object]]
) -> list[list[Call]]:
    """Call all the time, and make the changes one after the other, each when `ENOUGH` were sent since the one before.

    The calls by what was in force when they were sent: first those before the first change, or while it was made; then
    those sent after it was answered, and so on.
    """
    calls: list[Call] = []
    ended = threading.Event()
    failures: list[BaseException] = []
    answered = [0.0]

    def use() -> None:
        try:
            while not ended.is_set():
                with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
                    for _ in range(REUSED):
                        sent, asked = time.monotonic(), body()
                        answer = client.post(url, json=asked)
                        calls.append(Call(sent, asked, answer.status_code, answer.json()))
        except Exception as failure:  # noqa: BLE001 (a thread's failure is the test's)
            failures.append(failure)

    def enough() -> bool:
        return bool(failures) or sum(call.sent >= answered[-1] for call in list(calls)) >= ENOUGH

    threads = [threading.Thread(target=use, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for change in changes:
            wait_until(enough)
            change()
            answered.append(time.monotonic())
        wait_until(enough)
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    assert not failures, failures
    bounds = itertools.pairwise([*answered, float("inf")])
    return [[call for call in calls if begin <= call.sent < end] for begin, end in bounds]
