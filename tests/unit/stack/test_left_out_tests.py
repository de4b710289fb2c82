"""Tests whose programs are not on this machine are left out, and the end of the run says so and how to run them."""

import os
import subprocess
import sys
from pathlib import Path

from stack.layout import PROJECT


def collected(path: Path, **told: str) -> subprocess.CompletedProcess[str]:
    """What pytest makes of the tests in a browser where the PATH leads nowhere else than to `path`."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/browser"]
    # The virtual environment's own folder goes without saying: it is where the interpreter is.
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"PATH": str(path)} | told
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_without_chromium_the_end_says_what_was_left_out_and_how_to_run_it(tmp_path: Path) -> None:
    done = collected(tmp_path)
    assert "LEFT OUT" in done.stdout
    assert "there is no chromium on the PATH" in done.stdout
    assert "apt-get install chromium" in done.stdout
    assert "bin/test -m browser" in done.stdout


def test_in_continuous_integration_nothing_is_left_out(tmp_path: Path) -> None:
    done = collected(tmp_path, CI="true")
    assert done.returncode == 4
    assert "there is no chromium on the PATH" in done.stderr


def test_with_it_nothing_is_said(tmp_path: Path) -> None:
    for name in ("chromium", "npm"):
        (tmp_path / name).touch(mode=0o755)
    done = collected(tmp_path)
    assert done.returncode == 0
    assert "LEFT OUT" not in done.stdout
