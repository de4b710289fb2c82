"""Sessions: each nonce serves once, in every process; sessions end by time and by number, and never come back."""

import time

import pytest

from hsm import shared
from hsm.shared import Generations, Sessions
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from tests.support.forked import NONCES, SIGNER, forked, nonce
from tests.support.refusals import refused


class Clock:
    """Monotonic time that a test can advance."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(shared, "time", made)
    return made


def test_a_nonce_serves_once_for_each_signer() -> None:
    sessions = Sessions(slots=64)
    current = sessions.current()
    sessions.use(current, SIGNER, nonce(1))
    with refused("instruction-replayed"):
        sessions.use(current, SIGNER, nonce(1))
    sessions.use(current, "t" * 43, nonce(1))
    sessions.use(current, SIGNER, nonce(2))


@pytest.mark.parametrize("session", ["", "AAAA", b64u(bytes(16)), b64u(b"x" * 16), "not base64!"])
def test_another_session_is_stale(session: str) -> None:
    with refused("session-stale"):
        Sessions(slots=64).use(session, SIGNER, nonce(1))


def test_there_is_no_session_before_the_first(clock: Clock) -> None:
    sessions = Sessions(slots=64)
    for _ in range(3):
        with refused("session-stale"):
            sessions.use(b64u(bytes(16)), SIGNER, nonce(1))
        clock.ahead += 3 * Sessions.LIFETIME


@pytest.mark.parametrize("bad", ["", "n" * 15, "n" * 129])
def test_a_nonce_has_a_length(bad: str) -> None:
    sessions = Sessions(slots=64)
    with refused("instruction-mismatch"):
        sessions.use(sessions.current(), SIGNER, bad)


def test_the_session_before_is_accepted_once_more_and_remembers_its_nonces(clock: Clock) -> None:
    sessions = Sessions(slots=64)
    first = sessions.current()
    sessions.use(first, SIGNER, nonce(1))
    clock.ahead += Sessions.LIFETIME + 1
    second = sessions.current()
    assert second != first
    with refused("instruction-replayed"):
        sessions.use(first, SIGNER, nonce(1))
    sessions.use(first, SIGNER, nonce(2))
    sessions.use(second, SIGNER, nonce(2))
    clock.ahead += Sessions.LIFETIME + 1
    assert sessions.current() not in {first, second}
    with refused("session-stale"):
        sessions.use(first, SIGNER, nonce(3))
    with refused("instruction-replayed"):
        sessions.use(second, SIGNER, nonce(2))


def test_an_instruction_held_back_on_an_idle_device_is_stale_after_twice_the_time(clock: Clock) -> None:
    sessions = Sessions(slots=64)
    first = sessions.current()
    clock.ahead += 2 * Sessions.LIFETIME + 1
    with refused("session-stale"):
        sessions.use(first, SIGNER, nonce(1))
    sessions.use(sessions.current(), SIGNER, nonce(1))


def test_a_crowded_session_ends_early_and_no_table_ever_runs_full() -> None:
    sessions, seen, kept = Sessions(slots=32), set(), []
    for number in range(500):
        session = sessions.current() if number % 3 else (kept[-1][0] if kept else sessions.current())
        try:
            sessions.use(session, SIGNER, nonce(number))
        except Refused as error:
            assert error.code == "session-stale"  # noqa: PT017
            continue
        kept.append((session, number))
        seen.add(session)
        with refused("instruction-replayed", "session-stale"):
            sessions.use(session, SIGNER, nonce(number))
    assert len(seen) > 20
    # Whatever was used is never accepted again.
    for session, number in kept:
        with refused("instruction-replayed", "session-stale"):
            sessions.use(session, SIGNER, nonce(number))


def test_of_many_processes_one_uses_a_nonce() -> None:
    assert forked("race") == NONCES


def test_a_process_killed_with_the_lock_in_hand_blocks_nobody() -> None:
    assert forked("killed") == 1


def test_a_generation_moves_and_never_returns() -> None:
    generations, seen = Generations(), set()
    for _ in range(1000):
        seen.add(generations.of("partitions/p"))
        generations.moved("partitions/p")
    assert len(seen) == 1000


def test_a_generation_moved_in_another_process_is_seen_here() -> None:
    assert forked("moved") == 1
