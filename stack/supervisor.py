"""The supervisor: starts units in the order of their needs, starts again what dies, and stops all in reverse.

One thread and no timers: it sleeps until a child ends, a signal comes or a moment has passed. Children are ended by
the kernel if the supervisor itself is killed; what even then is left, the next start clears (`stack.run`).
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from stack.layout import PROJECT, StackError, State
from stack.processes import Identity, identify, tie_to_parent
from stack.units import Unit

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
START_PATIENCE = 60.0
STOP_PATIENCE = 10.0
MAX_FAILURES_AT_START = 5
LONGEST_PAUSE = 10.0


@dataclass
class Running:
    """One unit and how it stands. `process` is None while it waits, rests, or is a step that is done."""

    unit: Unit
    process: subprocess.Popen[bytes] | None = None
    up: bool = False
    began: float = 0.0
    failures: int = 0
    rest_until: float = 0.0


class Supervisor:
    """`changed` is told of the processes whenever one starts; `on_ready` is called once, when everything is up."""

    def __init__(
        self,
        state: State,
        units: list[Unit],
        *,
        say: Callable[[str], None],
        changed: Callable[[dict[str, Identity]], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._state = state
        self._all = {unit.name: Running(unit) for unit in units}
        self._say = say
        self._changed = changed
        self._on_ready = on_ready
        self._announced = False

    def run(self) -> None:
        """Run until a stop signal. Raises `StackError` if the stack cannot be brought up."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})
        while True:
            for one in self._all.values():
                self._advance(one)
            everything_up = all(one.up for one in self._all.values())
            if everything_up and not self._announced:
                self._announced = True
                self._on_ready()
            received = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, 1.0 if everything_up else 0.05)
            if received is not None and received.si_signo in STOP_SIGNALS:
                return

    def stop(self) -> None:
        """End everything in the reverse of the order in which it was given: politely, then with its whole group."""
        for one in reversed(self._all.values()):
            if one.process is None:
                continue
            # Not by Popen, which would reap it if it has ended: its number is its group's until `_reap`.
            os.kill(one.process.pid, one.unit.stop_signal)
            try:
                self._wait_unreaped(one.process.pid, STOP_PATIENCE)
            except TimeoutError:
                self._say(f"{one.unit.name} does not stop: killed")
            self._reap(one)

    def processes(self) -> dict[str, Identity]:
        found = {name: identify(one.process.pid) for name, one in self._all.items() if one.process is not None}
        return {name: identity for name, identity in found.items() if identity is not None}

    def _advance(self, one: Running) -> None:
        now = time.monotonic()
        if one.process is None:
            if not one.up and now >= one.rest_until and all(self._all[name].up for name in one.unit.needs):
                self._start(one)
        elif _has_ended(one.process.pid):
            self._ended(one)
        elif one.unit.ready is not None and not one.up:
            if one.unit.ready():
                one.up = True
                self._say(f"{one.unit.name} is up ({now - one.began:.1f} s)")
            elif now - one.began > START_PATIENCE:
                self._failed(one, "is not ready in time")
        elif one.up and now - one.began > 30:
            one.failures = 0

    def _start(self, one: Running) -> None:
        unit = one.unit
        with self._state.log(unit.name).open("ab") as log:
            one.process = subprocess.Popen(
                unit.command,
                env=unit.environment,
                cwd="/" if unit.user else PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=None if unit.narrates else log,
                stderr=log,
                start_new_session=True,
                user=unit.user,
                group=unit.user,
                extra_groups=[] if unit.user else None,
                preexec_fn=tie_to_parent(unit.stop_signal),  # noqa: PLW1509 (this process has one thread)
            )
        one.began = time.monotonic()
        self._changed(self.processes())
        for other in self._all.values():
            if other.unit.follows == unit.name and other.process is None:
                other.up = False

    def _ended(self, one: Running) -> None:
        status = self._reap(one)
        if one.unit.ready is None and status == 0:
            one.up, one.failures = True, 0
        else:
            self._failed(one, f"ended with status {status}")

    def _failed(self, one: Running, how: str) -> None:
        self._reap(one)
        one.up = False
        one.failures += 1
        if not self._announced and one.failures >= MAX_FAILURES_AT_START:
            raise StackError(f"{one.unit.name} {how}. The end of its log:\n{self._tail(one.unit.name)}")
        pause = min(LONGEST_PAUSE, 0.2 * 2**one.failures)
        self._say(f"{one.unit.name} {how}: again in {pause:.1f} s (see {self._state.log(one.unit.name)})")
        one.rest_until = time.monotonic() + pause

    def _reap(self, one: Running) -> int:
        """Kill what is left of the unit's process group, while its leader still holds the group's number; forget it."""
        if one.process is None:
            return 0
        os.killpg(one.process.pid, signal.SIGKILL)
        status = one.process.wait()
        one.process = None
        return status

    def _wait_unreaped(self, pid: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not _has_ended(pid):
            if time.monotonic() > deadline:
                raise TimeoutError
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)

    def _tail(self, name: str) -> str:
        lines = self._state.log(name).read_text(errors="replace").splitlines()[-20:]
        return "\n".join(reversed(dict.fromkeys(reversed(lines))))  # each attempt may have said the same


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
