"""The customer's command, as a process of its own in a customer's folder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack.layout import PROJECT


def started(home: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "strongroom", *map(str, arguments)],
        env={"STRONGROOM_HOME": str(home), "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def run(home: Path, *arguments: object, refused: str = "", said: str = "") -> Any:
    """What a command prints as JSON. `refused`: the code that it must be refused with; `said`: what it is told, a
    passphrase for instance."""
    out, errors = (process := started(home, *arguments, "--json")).communicate(said, timeout=120)
    answer = json.loads(out) if out else {}
    assert answer.get("code", "") == refused if isinstance(answer, dict) else not refused, (out, errors)
    assert process.returncode == (1 if refused else 0), (out, errors)
    return answer
