"""The recipes in docs/recipes and the README: their commands as they are written there, run in a checkout's place."""

import os
import re
import subprocess
from pathlib import Path

from stack.layout import PROJECT
from tests.support.stack import Stack

FOLDER = PROJECT / "docs" / "recipes"
_HEADING = re.compile(r"^## ", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def steps(page: Path) -> dict[str, str]:
    """The commands under each heading of a page, by the heading's first word without a dot; `` for what precedes."""
    before, *sections = _HEADING.split(page.read_text())
    found = {"": before} | {section.split()[0].rstrip("."): section for section in sections}
    assert len(found) == len(sections) + 1, "two headings begin alike"
    return {name: "".join(_BLOCK.findall(text)) for name, text in found.items()}


def commands(page: str, *wanted: str) -> str:
    """The commands of a recipe: all of them, or those under the headings that begin so."""
    found = steps(FOLDER / page)
    return "".join(found[name] for name in wanted or found)


def script(page: str, name: str) -> str:
    """A script that a recipe has its reader write."""
    found = re.search(rf"^cat >{re.escape(name)} <<'END'\n(.*?)^END$", commands(page), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def checkout(folder: Path, stack: Stack) -> Path:
    """A folder that looks like a checkout whose stack is this one, for commands that begin in it."""
    for entry in PROJECT.iterdir():
        if entry.name not in {"var", ".git"}:
            (folder / entry.name).symlink_to(entry)
    (folder / "var").symlink_to(stack.state.root)
    return folder


def typed(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What became of commands that somebody typed in `folder`, if the shell ends at the first one that fails."""
    shell = ["timeout", "150", "bash", "-e", "-u", "-o", "pipefail", "-O", "expand_aliases", "-c", text]
    own = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
    return subprocess.run(
        shell, cwd=folder, env=own, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def succeeds(folder: Path, text: str) -> str:
    """The output of commands that must all succeed."""
    done = typed(folder, text)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
