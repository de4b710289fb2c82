"""When a stack does not start, it says why; and `bin/down` leaves nothing."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from stack.layout import PROJECT, State
from tests.support.stack import Stack


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROJECT / "bin" / script, *arguments],
        env=os.environ | environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        cwd="/",
    )


@pytest.fixture
def fresh() -> Iterator[State]:
    """A state for a stack that is begun in the test. Not below pytest's own folder, as `running_stack` says."""
    with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
        yield State(Path(folder).resolve() / "state")


def begin(state: State) -> subprocess.Popen[str]:
    """`bin/up` at work, in a session of its own."""
    command = [PROJECT / "bin/up", "--state", state.root, "--port", "0"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")


def test_production_refuses_a_development_stack(tmp_path: Path) -> None:
    refused = run("up", "--state", str(tmp_path / "state"), STRONGROOM_ENV="production")
    assert refused.returncode == 1
    assert "STRONGROOM_ENV is production" in refused.stderr
    assert not (tmp_path / "state").exists()


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    refused = run("up", "--state", str(tmp_path))
    assert refused.returncode == 1
    assert "no Strongroom state" in refused.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["letter.txt"]


def test_each_worker_has_a_name_of_its_own_and_answers_to_it(stack: Stack) -> None:
    """Under one name, what is asked of one is answered by whichever has it."""
    app = Celery(broker=f"redis+socket://{stack.state.valkey_socket}")
    names = [name for answer in app.control.ping(timeout=5, limit=2) for name in answer]
    assert sorted(name.partition("@")[0] for name in names) == ["bulk", "worker"]


def test_a_second_start_on_a_running_state_says_where_the_first_is(stack: Stack) -> None:
    refused = run("up", "--state", str(stack.state.root))
    assert refused.returncode == 1
    assert stack.url in refused.stderr


def test_a_second_detached_start_says_nothing_else(stack: Stack) -> None:
    refused = run("up", "--detach", "--state", str(stack.state.root))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.splitlines() == [
        f"A stack already runs on {stack.state.root}, at {stack.url}. Stop it with: bin/down --state {stack.state.root}"
    ]


@pytest.mark.parametrize("state", ["/etc/passwd", "/etc/passwd/x", "/proc/x"])
@pytest.mark.parametrize("more", [[], ["--detach"]], ids=str)
def test_what_can_be_no_state_folder_is_named_in_one_sentence(state: str, more: list[str]) -> None:
    refused = run("up", "--state", state, *more)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"{state} cannot be a state folder")


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_what_can_be_no_port_is_named_in_one_sentence(tmp_path: Path, port: str) -> None:
    refused = run("up", "--state", str(tmp_path / "state"), f"--port={port}")
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"{port} is no port")
    assert not (tmp_path / "state").exists()


def test_a_port_in_use_is_named(stack: Stack, tmp_path: Path) -> None:
    taken = stack.url.rsplit(":", 1)[1]
    refused = run("up", "--state", str(tmp_path / "state"), "--port", taken)
    assert refused.returncode == 1
    assert f"Port {taken} is in use" in refused.stderr


def test_down_without_a_stack_says_so(tmp_path: Path) -> None:
    answered = run("down", "--state", str(tmp_path / "state"))
    assert answered.returncode == 0
    assert "no stack" in answered.stdout


@pytest.mark.parametrize("after", [0.1, 0.3, 0.6, 1.0])
def test_an_early_interrupt_leaves_no_traceback_and_nothing_running(fresh: State, after: float) -> None:
    starting = begin(fresh)
    time.sleep(after)
    starting.send_signal(signal.SIGINT)
    said, _ = starting.communicate(timeout=60)
    # Python itself, interrupted before our first line is run, says so in its own way.
    assert f'File "{PROJECT}/' not in said
    assert run("down", "--state", str(fresh.root)).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_the_middle_of_the_first_start_is_orderly_and_leaves_no_runtime_folder(
    fresh: State, number: signal.Signals
) -> None:
    starting = begin(fresh)
    for line in starting.stdout or []:
        if "manufacturer is up" in line:
            break
    assert fresh.runtime.is_dir()
    starting.send_signal(number)
    said, _ = starting.communicate(timeout=60)
    assert starting.returncode == 0, said
    assert not fresh.runtime.exists()
    assert not fresh.postgres_runtime.exists()


def test_down_removes_the_runtime_folders_of_a_killed_start_and_nobody_elses(fresh: State) -> None:
    fresh.prepare()
    fresh.prepare_runtime()
    (fresh.runtime / "hsm.sock").touch()
    fresh.postgres_runtime.rmdir()
    (elsewhere := fresh.root / "elsewhere").mkdir()
    (elsewhere / "letter.txt").write_text("mine")
    fresh.postgres_runtime.symlink_to(elsewhere)
    try:
        assert run("down", "--state", str(fresh.root)).returncode == 0
        assert not fresh.runtime.exists()
        assert (elsewhere / "letter.txt").read_text() == "mine"
    finally:
        fresh.postgres_runtime.unlink()
