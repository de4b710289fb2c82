"""Tenants take turns at the TEE: the noisy one holds up no other, nor its own for ever."""

import threading
from collections.abc import Callable

from portal.dataplane.turns import Turns
from tests.support.refusals import refused

NOISY, QUIET, OTHER = 1, 2, 3
SECONDS = 5


def waiting(turns: Turns, tenant: int, begun: list[int]) -> threading.Thread:
    """A request in a thread of its own, that waits for its turn and then says so."""
    before = turns.waiting(tenant)

    def run() -> None:
        turns.take(tenant)
        begun.append(tenant)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: turns.waiting(tenant) == before + 1 or not thread.is_alive())
    return thread


def until(holds: Callable[[], bool]) -> None:
    for _ in range(SECONDS * 1000):
        if holds():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never came about")


def test_a_tenant_that_asks_alone_leaves_a_turn_free_for_others() -> None:
    turns, begun = Turns(at_once=3, for_one=2, under_way=9), []
    turns.take(NOISY)
    turns.take(NOISY)
    thread = waiting(turns, NOISY, begun)
    assert begun == []
    turns.take(QUIET)
    turns.give(NOISY)
    thread.join(SECONDS)
    assert begun == [NOISY]


def test_tenants_that_wait_have_their_turns_in_rotation() -> None:
    turns, begun = Turns(at_once=1, for_one=1, under_way=9), []
    turns.take(NOISY)
    threads = [waiting(turns, tenant, begun) for tenant in (NOISY, NOISY, NOISY, QUIET, OTHER, QUIET)]
    running = NOISY
    for count in range(1, 7):
        turns.give(running)
        until(lambda count=count: len(begun) == count)
        running = begun[-1]
    turns.give(running)
    assert begun == [NOISY, QUIET, OTHER, NOISY, QUIET, NOISY]
    for thread in threads:
        thread.join(SECONDS)
    for _ in range(3):  # nothing is left behind
        turns.take(NOISY)
        turns.give(NOISY)


def test_a_long_request_lets_others_in_between_its_turns() -> None:
    turns, begun = Turns(at_once=1, for_one=1, under_way=9), []
    turns.take(NOISY)
    waiting(turns, QUIET, begun)
    done = threading.Event()

    def go_on() -> None:
        turns.pass_on(NOISY)
        done.set()

    threading.Thread(target=go_on, daemon=True).start()
    until(lambda: begun == [QUIET])
    assert not done.is_set()
    turns.give(QUIET)
    assert done.wait(SECONDS)


def test_too_many_requests_at_once_are_refused_and_leave_nothing_behind() -> None:
    turns, begun = Turns(at_once=2, for_one=1, under_way=3), []
    turns.take(NOISY)
    threads = [waiting(turns, NOISY, begun) for _ in range(2)]
    with refused("throttled"):
        turns.take(NOISY)
    turns.take(QUIET)
    for count, thread in enumerate(threads, start=1):
        turns.give(NOISY)
        thread.join(SECONDS)
        assert len(begun) == count
    turns.give(NOISY)
    turns.take(NOISY)
