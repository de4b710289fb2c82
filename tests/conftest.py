"""What all tests share: one whole running stack, and what becomes of browser tests where there is no browser."""

import os
from collections.abc import Iterator

import pytest

from tests.support.browser import chromium
from tests.support.stack import Stack, running_stack

_left_out = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A whole stack, started once by the code of `bin/up`. Tests that stop or kill parts of it start their own."""
    with running_stack() as running:
        yield running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    browser_tests = [item for item in items if item.get_closest_marker("browser")]
    if chromium() or not browser_tests:
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"{len(browser_tests)} browser tests cannot run: there is no Chromium on the PATH.")
    config.stash[_left_out] = len(browser_tests)
    config.hook.pytest_deselected(items=browser_tests)
    items[:] = [item for item in items if item not in browser_tests]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(_left_out, 0):
        terminalreporter.section("left out")
        terminalreporter.line(
            f"{count} browser tests, because there is no Chromium on the PATH. Install it to run them."
        )
