"""Up and down: one start of a stack, from its lock to its last process."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import msgspec

from stack.access import write_access
from stack.authority import make_authority
from stack.layout import PROJECT, StackError, State
from stack.narration import say
from stack.processes import Identity, alive, send, tie_to_parent
from stack.run import Run, clear_leftovers, myself, read_run, take_lock, write_run
from stack.secrets import make_provider_secrets
from stack.services import addresses, units
from stack.supervisor import Supervisor

DEFAULT_PORT = 8000


def up(state: State, *, port: int | None, ready_fd: int | None = None) -> None:
    """Start everything and keep it running until a signal. `ready_fd` is told when all is ready.

    Raises `StackError` where a stack runs on this state already, or cannot be brought up.
    """
    # 1. The state for ourselves alone, cleared of what a killed supervisor left.
    state.prepare()
    lock = take_lock(state)
    previous = read_run(state)
    if leftovers := clear_leftovers(state):
        say(f"ended {leftovers} processes that an earlier start had left")
    state.access_file.unlink(missing_ok=True)
    make_provider_secrets(state)
    make_authority(state)
    # 2. Where everything answers this time.
    where = addresses(
        state,
        portal_port=_portal_port(port),
        tls_port=_port_of(previous.tls_url if previous else ""),
        manufacturer_port=_port_of(previous.manufacturer_url if previous else ""),
        validator_port=_port_of(previous.validator_url if previous else ""),
    )
    run = Run(
        status="starting",
        supervisor=myself(),
        url=where.url,
        tls_url=where.tls_url,
        manufacturer_url=where.manufacturer_url,
        validator_url=where.validator_url,
        database_url=where.owner_url,
        processes={},
    )

    # 3. Everything in order. The record follows every change, and so does access.json once all is ready.
    def record(**changes: object) -> None:
        nonlocal run
        run = msgspec.structs.replace(run, **changes)
        write_run(state, run)
        if run.status == "ready":
            write_access(state, run)

    def changed(processes: dict[str, Identity]) -> None:
        record(processes=processes)

    def ready() -> None:
        record(status="ready", processes=supervisor.processes())
        say(f"ready at {where.url}")
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    supervisor = Supervisor(state, units(state, where), say=say, changed=changed, on_ready=ready)
    try:
        supervisor.run()
    finally:
        # 4. And back, in reverse order.
        record(status="stopping")
        state.access_file.unlink(missing_ok=True)
        supervisor.stop()
        lock.close()


def start(state: State, *, port: int | None, tied: bool = False, log: bool = False) -> subprocess.Popen[bytes]:
    """Start `up` as a process of its own; returns when the stack is ready.

    `tied`: it is stopped when the caller ends, however that happens. `log`: its output goes to the state's log.
    Raises `StackError` where the stack does not come up.
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-u", "-m", "stack", "up", "--state", str(state.root), "--ready-fd", str(writing)]
    if log:
        state.prepare()
    output = state.log("supervisor").open("ab") if log else None
    supervisor = subprocess.Popen(
        command + (["--port", str(port)] if port is not None else []),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[writing],
        start_new_session=True,
        preexec_fn=tie_to_parent(signal.SIGTERM) if tied else None,  # noqa: PLW1509 (the caller has one thread)
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        try:
            came_up = pipe.readline() == "ready\n"
        except KeyboardInterrupt:
            stop(supervisor)
            raise
    if not came_up:
        supervisor.wait()
        where = f" The end of {state.log('supervisor')}:\n{_tail(state)}" if log else ""
        raise StackError(f"The stack did not come up.{where}")
    return supervisor


def stop(supervisor: subprocess.Popen[bytes]) -> None:
    """Stop what `start` began, and wait until it has stopped."""
    supervisor.terminate()
    supervisor.wait()


def down(state: State) -> None:
    """Stop the stack that runs on `state`, if any, and whatever a killed one left."""
    if not state.lock.exists():
        say(f"there is no stack in {state.root}")
        return
    run = read_run(state)
    if run is not None and alive(run.supervisor):
        send(run.supervisor, signal.SIGTERM)
        deadline = time.monotonic() + 90
        while alive(run.supervisor):
            if time.monotonic() > deadline:
                raise StackError(f"The supervisor (process {run.supervisor.pid}) does not stop.")
            time.sleep(0.1)
        say("stopped")
    else:
        lock = take_lock(state)
        say(f"nothing was running; ended {clear_leftovers(state)} processes of an earlier start")
        lock.close()


def _portal_port(wanted: int | None) -> int:
    """The port asked for; without one the usual port, or any if that is taken."""
    if wanted is None:
        return DEFAULT_PORT if _is_free(DEFAULT_PORT) else _any_port()
    if wanted == 0:
        return _any_port()
    if not _is_free(wanted):
        raise StackError(f"Port {wanted} is in use. Choose another one with --port (0: any free one).")
    return wanted


def _port_of(last_url: str) -> int:
    """The same as last time if it is free, because clients have the address in their configuration."""
    last = urlsplit(last_url).port
    return last if last is not None and _is_free(last) else _any_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(state: State) -> str:
    return "\n".join(state.log("supervisor").read_text(errors="replace").splitlines()[-30:])
