"""When a stack does not start, it says why; and `bin/down` leaves nothing."""

import os
import subprocess
from pathlib import Path

from stack.layout import PROJECT
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


def test_a_second_start_on_a_running_state_says_where_the_first_is(stack: Stack) -> None:
    refused = run("up", "--state", str(stack.state.root))
    assert refused.returncode == 1
    assert stack.url in refused.stderr


def test_a_port_in_use_is_named(stack: Stack, tmp_path: Path) -> None:
    taken = stack.url.rsplit(":", 1)[1]
    refused = run("up", "--state", str(tmp_path / "state"), "--port", taken)
    assert refused.returncode == 1
    assert f"Port {taken} is in use" in refused.stderr


def test_down_without_a_stack_says_so(tmp_path: Path) -> None:
    answered = run("down", "--state", str(tmp_path / "state"))
    assert answered.returncode == 0
    assert "no stack" in answered.stdout
