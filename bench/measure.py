"""Interleaved runs, medians, ratios: what every benchmark here shares."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from typing import Protocol

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report. `ours` and `yardstick` are medians in `unit`; `ratio` is the median of the ratios."""

    name: str
    ratio: float
    ours: float
    yardstick: float
    unit: str
    runs: int
    command: str
    note: str = ""


class Load(Protocol):
    """Something that works for `seconds` and says how many operations a second it did."""

    def __call__(self, seconds: float) -> float: ...


def compare(
    *,
    name: str,
    ours: Load,
    yardstick: Load,
    runs: int,
    seconds: float,
    note: str = "",
    unit: str = "operations/s",
) -> Figure:
    """Run the two in turn, so that a machine that changes its speed changes it for both."""
    pairs = []
    for number in range(runs + 1):
        pair = (ours(seconds), yardstick(seconds))
        if number:  # the first pair only warms up
            pairs.append(pair)
    return Figure(
        name=name,
        ratio=round(statistics.median(mine / theirs for mine, theirs in pairs), 3),
        ours=round(statistics.median(mine for mine, _ in pairs), 1),
        yardstick=round(statistics.median(theirs for _, theirs in pairs), 1),
        unit=unit,
        runs=runs,
        command=f"bin/bench {name}",
        note=note,
    )


def in_processes(count: int, prepare: Callable[[], Callable[[], object]]) -> Load:
    """A load of `count` processes: each prepares once, then all call what `prepare` returned until the time is up."""

    def load(seconds: float) -> float:
        context = multiprocessing.get_context("fork")
        barrier, results = context.Barrier(count), context.SimpleQueue()
        workers = [
            context.Process(target=_work, args=(prepare, seconds, barrier, results), daemon=True) for _ in range(count)
        ]
        for worker in workers:
            worker.start()
        rates = [results.get() for _ in workers]
        for worker in workers:
            worker.join()
        return sum(rates)

    return load


def times(factor: int, load: Load) -> Load:
    """A load of which each operation counts for `factor`: a batch for its items."""
    return lambda seconds: factor * load(seconds)


def _work(prepare: Callable[[], Callable[[], object]], seconds: float, barrier, results) -> None:  # type: ignore[no-untyped-def]
    operation = prepare()
    operation()
    barrier.wait()
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        operation()
        done += 1
    results.put(done / elapsed)


def cores() -> int:
    return os.cpu_count() or 1
