"""The copier of the log, beside the operations that write it: does it keep up, and how fast does it catch up?

The copier is the stack's own, which a Celery worker runs each second. It is kept away while the backlog is made: a
lane that another process holds is left to it.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench.hsm_socket import CLIENTS, in_token_mode
from bench.measure import Figure, Load, in_processes
from bench.rig import Rig
from stack import postgres
from stack.layout import State

LEAST_SECONDS = 8.0
"""A window has room for several of the copier's rounds, which begin a second after one another."""
PATIENCE_SECONDS = 120.0
HOLD = "SELECT 1 FROM audit_lanecursor FOR UPDATE"
COPIED = "SELECT coalesce(sum(count), 0) FROM audit_activity WHERE event = 'key:sign'"
"""Counted in the transaction that copies: as many entries as are there, without looking at each."""
LAG = "SELECT extract(epoch FROM now() - min(caught_up)) FROM audit_lanecursor"


def beside(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    """Entries copied while as many clients as elsewhere operate, from a backlog of as long on."""
    flood, window = _flood(rig), max(seconds, LEAST_SECONDS)
    pairs, lags, ends = [], [], []
    with _database(rig) as connection:
        for _ in range(runs):
            with _held(connection):
                flood(window)
            before, begun = _number(connection, COPIED), time.monotonic()
            made = flood(window)
            pairs.append(((_number(connection, COPIED) - before) / (time.monotonic() - begun), made))
            lags.append(_number(connection, LAG))
            ends.append(_catch_up(connection)[1])
    return _figure(
        name,
        pairs,
        f"{CLIENTS} clients over the device's socket, from a backlog of {window:.0f} s on; as they stop the copy is "
        f"{statistics.median(lags):.1f} s behind (the metric), whole {statistics.median(ends):.1f} s later (medians)",
    )


def backlog(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    """Entries copied of a backlog when nothing else runs, against the operations that made it."""
    flood, window = _flood(rig), max(seconds, LEAST_SECONDS)
    pairs = []
    with _database(rig) as connection:
        for _ in range(runs):
            with _held(connection):
                made = flood(window)
            pairs.append((_catch_up(connection)[0], made))
    return _figure(
        name,
        pairs,
        f"what {CLIENTS} clients made in {window:.0f} s over the device's socket, copied after they stopped",
    )


def _flood(rig: Rig) -> Load:
    return in_processes(CLIENTS, in_token_mode(rig))


@contextmanager
def _database(rig: Rig) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.database_url(State(rig.state), "postgres"), autocommit=True) as connection:
        _catch_up(connection)
        yield connection


@contextmanager
def _held(connection: psycopg.Connection) -> Iterator[None]:
    with connection.transaction():
        connection.execute(HOLD)
        yield


def _catch_up(connection: psycopg.Connection) -> tuple[float, float]:
    """Wait until nothing is copied any more: (entries a second between the first look and the last, seconds)."""
    seen: list[tuple[float, float]] = []
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_SECONDS:
        count, now = _number(connection, COPIED), time.monotonic()
        if not seen or count != seen[-1][1]:
            seen.append((now, count))
        elif now - seen[-1][0] > 3:
            break
        time.sleep(0.01)
    else:
        raise RuntimeError(f"the copier was not done after {PATIENCE_SECONDS:.0f} s")
    # The first step tells when the copier began, or shortly after: it has waited for its second until then.
    steps = seen[1:] if len(seen) > 2 else seen
    took = steps[-1][0] - steps[0][0]
    return (steps[-1][1] - steps[0][1]) / took if took else 0.0, seen[-1][0] - begun


def _number(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(query).fetchone()
    return float(row[0] or 0) if row else 0.0


def _figure(name: str, pairs: list[tuple[float, float]], note: str) -> Figure:
    return Figure(
        name=name,
        ratio=round(statistics.median(copied / made for copied, made in pairs), 3),
        ours=round(statistics.median(copied for copied, _ in pairs), 1),
        yardstick=round(statistics.median(made for _, made in pairs), 1),
        unit="entries/s",
        runs=len(pairs),
        command=f"bin/bench {name}",
        note=note,
    )
