"""The device's wall time never runs backwards nor stands still, whatever the machine's does."""

import time

import pytest

from hsm.clock import NANO, Clock, age_ns


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The machine's wall clock, as its owner sets it (ns)."""
    shown = [time.time_ns()]
    monkeypatch.setattr(time, "time_ns", lambda: shown[0])
    return shown


def test_it_is_the_machines_time(turn: list[int]) -> None:
    assert abs(Clock().now() - turn[0] // NANO) <= 1


def test_turned_ahead_it_follows_and_turned_back_it_does_not(turn: list[int]) -> None:
    clock = Clock()
    begun = clock.now()
    turn[0] += 3600 * NANO
    assert begun + 3600 <= clock.now() <= begun + 3601
    turn[0] -= 7200 * NANO
    assert begun + 3600 <= clock.now() <= begun + 3601


def test_frozen_it_goes_on(turn: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    begun, age = clock.now(), age_ns()
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _clock: age + 100 * NANO)
    assert clock.now() >= begun + 99


def test_the_mark_of_an_earlier_start_holds(turn: list[int]) -> None:
    mark = turn[0] // NANO + 86_400
    assert mark <= Clock(mark).now() <= mark + 1
