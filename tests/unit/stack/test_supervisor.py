"""The supervisor with small programs: order, restarts, giving up, and nothing left behind."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.processes import Identity, alive, identify, send

SUPERVISE = """
import json, sys
from pathlib import Path
from stack.layout import StackError, State
from stack.supervisor import Supervisor
from stack.units import Unit

state = State(Path(sys.argv[1]))
state.prepare()

def unit(name, program, needs=(), service=False, follows=""):
    there = state.root / f"{name}.there"
    ready = there.exists if service else None
    return Unit(name, [sys.executable, "-c", program, str(there)], {}, tuple(needs), ready, follows)

def changed(processes):
    print(json.dumps({name: identity.pid for name, identity in processes.items()}))

units = [unit(**one) for one in json.loads(sys.argv[2])]
supervisor = Supervisor(state, units, say=print, changed=changed, on_ready=lambda: print("ready"))
try:
    supervisor.run()
except StackError as error:
    print(error)
supervisor.stop()
print("stopped")
"""
SERVE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
FAIL_ONCE = (
    "import pathlib, sys; tried = pathlib.Path(sys.argv[1]); first = not tried.exists(); tried.touch(); sys.exit(first)"
)


class Supervised:
    """A supervisor at work, and what it says."""

    def __init__(self, folder: Path, units: list[dict[str, Any]]) -> None:
        command = [sys.executable, "-u", "-c", SUPERVISE, str(folder / "state"), json.dumps(units)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.said: list[str] = []
        self.pids: dict[str, int] = {}

    def hears(self, text: str) -> str:
        """The next line that holds `text`."""
        if self.process.stdout is None:
            raise RuntimeError("no output")
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if line.startswith("{"):
                self.pids = json.loads(line)
            if text in line:
                return line
        raise AssertionError(f"never said {text!r}, but: {self.said}")

    def stops(self) -> None:
        self.process.terminate()
        self.hears("stopped")
        self.process.wait(10)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def begin(*units: dict[str, Any]) -> Supervised:
        started.append(Supervised(tmp_path, list(units)))
        return started[-1]

    yield begin
    for one in started:
        one.process.kill()
        one.process.communicate()


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while identify(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return identify(pid) is None


def test_units_begin_in_the_order_of_their_needs(supervise: Callable[..., Supervised]) -> None:
    running = supervise(
        {"name": "last", "program": SERVE, "service": True, "needs": ["step"]},
        {"name": "step", "program": "", "needs": ["first"]},
        {"name": "first", "program": SERVE, "service": True},
    )
    running.hears("ready")
    up = [line for line in running.said if " is up " in line]
    assert [line.split()[0] for line in up] == ["first", "last"]
    running.stops()


def test_a_service_that_dies_is_started_again(supervise: Callable[..., Supervised]) -> None:
    running = supervise({"name": "web", "program": SERVE, "service": True})
    running.hears("ready")
    first = running.pids["web"]
    send(identify(first) or Identity(0, 0, ""), signal.SIGKILL)
    running.hears("web ended with status -9")
    running.hears("web is up")
    assert running.pids["web"] != first
    running.stops()


def test_a_step_that_failed_is_tried_again(supervise: Callable[..., Supervised]) -> None:
    running = supervise({"name": "migrate", "program": FAIL_ONCE})
    running.hears("migrate ended with status 1: again in")
    running.hears("ready")
    running.stops()


def test_a_step_that_follows_a_service_is_repeated_with_it(supervise: Callable[..., Supervised]) -> None:
    running = supervise(
        {"name": "hsm", "program": SERVE, "service": True},
        {"name": "unseal", "program": "", "needs": ["hsm"], "follows": "hsm"},
    )
    running.hears("ready")
    send(identify(running.pids["hsm"]) or Identity(0, 0, ""), signal.SIGKILL)
    running.hears("hsm is up")
    running.hears('"unseal"')
    running.stops()


def test_it_gives_up_on_what_never_comes_up_and_shows_its_log(supervise: Callable[..., Supervised]) -> None:
    running = supervise({"name": "web", "program": "import sys; sys.exit('the port is taken')", "service": True})
    running.hears("web ended with status 1. The end of its log:")
    running.hears("the port is taken")
    running.hears("stopped")


def test_a_stop_ends_the_children_of_children_too(supervise: Callable[..., Supervised]) -> None:
    fork = f"import os, sys\npid = os.fork()\nif pid: open(sys.argv[1] + '.pid', 'w').write(str(pid))\n{SERVE}"
    running = supervise({"name": "web", "program": fork, "service": True})
    running.hears("ready")
    state = Path(running.process.args[4])  # type: ignore[index]
    grandchild = int((state / "web.there.pid").read_text())
    running.stops()
    assert gone(running.pids["web"])
    assert gone(grandchild)


def test_children_end_with_a_killed_supervisor(supervise: Callable[..., Supervised]) -> None:
    running = supervise({"name": "web", "program": SERVE, "service": True})
    running.hears("ready")
    running.process.kill()
    assert gone(running.pids["web"])


def test_a_process_id_that_somebody_else_has_now_is_never_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        now = identify(process.pid)
        assert now is not None
        send(Identity(now.pid, now.began - 1, now.boot), signal.SIGKILL)
        time.sleep(0.1)
        assert alive(now)
        process.kill()


def test_a_service_that_ends_while_the_others_are_stopped_is_taken_for_stopped(
    supervise: Callable[..., Supervised],
) -> None:
    tell = "import os, pathlib, sys; pathlib.Path(sys.argv[1] + '.pid').write_text(str(os.getpid()))"
    end_the_other = (
        "import os, pathlib, signal, sys, time\n"
        "def stop(*_):\n"
        "    other = pathlib.Path(sys.argv[1]).with_name('first.there.pid')\n"
        "    os.kill(int(other.read_text()), signal.SIGKILL)\n"
        "    time.sleep(0.3)\n"
        "    sys.exit()\n"
        f"signal.signal(signal.SIGTERM, stop)\n{SERVE}"
    )
    running = supervise(
        {"name": "first", "program": f"{tell}; {SERVE}", "service": True},
        {"name": "second", "program": end_the_other, "service": True, "needs": ["first"]},
    )
    running.hears("ready")
    running.stops()
    assert running.process.returncode == 0
