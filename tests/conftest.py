"""What all tests share: one whole running stack, and what becomes of tests whose programs are not on this machine."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.support.browser import chromium
from tests.support.stack import Stack, running_stack

_left_out = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole stack, started once by the code of `bin/up`. Tests that stop or kill parts of it start their own."""
    with running_stack() as running:
        yield running


def pytest_configure() -> None:
    """A run in a shell's background ignores ctrl-C, and so would the commands that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    absent = {item: names for item in items if (names := _absent(item))}
    if not absent:
        return
    programs = sorted({name for names in absent.values() for name in names})
    told = [f"{sum(name in one for one in absent.values())} tests: there is no {name} on the PATH" for name in programs]
    if "chromium" in programs:
        told.append(
            "Pages in a browser: install chromium (Debian: apt-get install chromium), then: bin/test -m browser"
        )
    if os.environ.get("CI") == "true":
        raise pytest.UsageError("\n".join(told))
    config.stash[_left_out] = told
    config.hook.pytest_deselected(items=list(absent))
    items[:] = [item for item in items if item not in absent]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if told := config.stash.get(_left_out, []):
        terminalreporter.section("LEFT OUT, install what is missing to run them", red=True)
        for line in told:
            terminalreporter.line(line)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes, which are often keys, stand in no test's name; and names are the same in each process that runs tests."""
    return argname if isinstance(val, bytes) and len(val) > 8 else None


def _absent(item: pytest.Item) -> list[str]:
    """The programs that a test needs (`@pytest.mark.needs(…)`, or a browser) and that are not here."""
    needed = [name for mark in item.iter_markers("needs") for name in mark.args]
    browser = ["chromium"] if item.get_closest_marker("browser") and not chromium() else []
    return [name for name in needed if not shutil.which(name)] + browser
