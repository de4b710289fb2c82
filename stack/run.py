"""`DIR/run.json`: what a supervisor says of itself and its processes, for `bin/down` and for its successor."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Literal

import msgspec

from stack.layout import StackError, State, write_private
from stack.processes import Identity, end, identify, marked


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a stack: where its parts answer, and which processes it has. Records of before TLS lack two."""

    status: Literal["starting", "ready", "stopping"]
    supervisor: Identity
    url: str
    tls_url: str = ""
    manufacturer_url: str
    validator_url: str = ""
    database_url: str
    processes: dict[str, Identity]


def read_run(state: State) -> Run | None:
    """The newest record, be its supervisor alive or not; None where there was none."""
    try:
        return msgspec.json.decode(state.run_file.read_bytes(), type=Run)
    except FileNotFoundError:
        return None


def write_run(state: State, run: Run) -> None:
    write_private(state.run_file, msgspec.json.format(msgspec.json.encode(run)))


def take_lock(state: State) -> IO[str]:
    """The state for this process alone, until it ends. Waits for a supervisor that is stopping.

    Raises `StackError` where a stack runs on this state.
    """
    file = state.lock.open("a")
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            run, waited = read_run(state), time.monotonic() - began
            stopping = run is not None and run.status == "stopping"
            # A supervisor whose parent was just killed needs a moment to say that it is stopping.
            if waited > (60 if stopping else 3):
                where = run.url if run else "an address not known yet"
                raise StackError(
                    f"A stack already runs on {state.root}, at {where}. Stop it with: bin/down --state {state.root}"
                ) from None
            time.sleep(0.1)
        else:
            return file


def clear_leftovers(state: State) -> int:
    """With the lock held: end what an earlier supervisor left, and remove its sockets. Returns how many there were."""
    run = read_run(state)
    recorded = list(run.processes.values()) if run else []
    count = end([*recorded, *marked(str(state.runtime))], patience=8)
    for folder in (state.runtime, state.postgres_runtime):
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
    _clear_postmaster(state.root / "postgres")
    return count


def myself() -> Identity:
    identity = identify(os.getpid())
    if identity is None:
        raise StackError("/proc does not show this process: Strongroom's development stack needs Linux.")
    return identity


def _clear_postmaster(data: Path) -> None:
    """PostgreSQL takes a stale `postmaster.pid` for a running server if any process has that number now."""
    file = data / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except FileNotFoundError:
        return
    try:
        ours = Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except OSError:
        ours = False
    if not ours:
        file.unlink()
