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


def errand(turns: Turns[str], tenant: int, name: str, done: dict[str, bool]) -> threading.Thread:
    """A request with an errand in a thread of its own: `done` says whether it had no turn of its own."""
    before = turns.waiting(tenant)

    def run() -> None:
        done[name] = not turns.take(tenant, name)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: turns.waiting(tenant) == before + 1 or not thread.is_alive())
    return thread


def test_errands_that_wait_are_done_in_one_turn_up_to_so_many() -> None:
    turns, done = Turns[str](at_once=3, for_one=2, under_way=9), {}
    assert turns.take(NOISY, "first")
    threads = [errand(turns, NOISY, name, done) for name in ("second", "third", "fourth", "fifth")]
    turns.give(NOISY, "first")
    until(lambda: done == {"second": False})
    company = turns.company(NOISY, 2)
    assert [one.errand for one in company] == ["third", "fourth"]
    for place in company:
        turns.done(NOISY, place)
    until(lambda: done == {"second": False, "third": True, "fourth": True})
    turns.give(NOISY, "second")
    until(lambda: done.get("fifth") is False)
    assert turns.company(NOISY, 2) == []
    turns.give(NOISY, "fifth")
    for thread in threads:
        thread.join(SECONDS)


def test_errands_of_one_tenant_leave_its_own_batches_and_other_tenants_their_turns() -> None:
    turns, done = Turns[str](at_once=3, for_one=2, under_way=9), {}
    assert turns.take(NOISY, "first")
    flood = [errand(turns, NOISY, f"{n}", done) for n in range(5)]
    assert turns.waiting(NOISY) == 5
    assert turns.take(QUIET, "quiet")  # at once
    turns.give(QUIET, "quiet")
    batch: list[int] = []
    waiting(turns, NOISY, batch)
    turns.give(NOISY, "first")
    until(lambda: len(done) == 1)
    for place in turns.company(NOISY, 7):
        turns.done(NOISY, place)
    turns.give(NOISY, "0")
    until(lambda: batch == [NOISY])
    for thread in flood:
        thread.join(SECONDS)


def test_a_batch_does_not_wait_for_errands_behind_which_it_did_not_come() -> None:
    turns = Turns[str](at_once=3, for_one=2, under_way=9)
    assert turns.take(NOISY, "first")
    assert turns.take(NOISY)
    assert turns.take(QUIET)


def test_those_whose_errand_is_done_are_under_way_no_more() -> None:
    turns, done = Turns[str](at_once=1, for_one=1, under_way=3), {}
    turns.take(QUIET)
    threads = [errand(turns, NOISY, name, done) for name in ("a", "b", "c")]
    with refused("throttled"):
        turns.take(NOISY)
    turns.give(QUIET)
    until(lambda: done == {"a": False})
    for place in turns.company(NOISY, 7):
        turns.done(NOISY, place)
    for name in ("d", "e"):
        threads.append(errand(turns, NOISY, name, done))
    with refused("throttled"):
        turns.take(NOISY)
    turns.give(NOISY, "a")
    until(lambda: done.get("d") is False)
