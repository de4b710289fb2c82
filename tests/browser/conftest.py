"""Readers of the portal's pages, in one Chromium on the shared stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.accessibility import Look, install_axe
from tests.support.browser import chromium
from tests.support.importing import Importing
from tests.support.reader import ARGUMENTS, Reader
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with its module, because its event loop is in the way of Django in other tests of this process."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def alice(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """Acme's Alice, logged in."""
    yield from _reader(browser, stack, stack.people.admins["acme"].username)


@pytest.fixture(scope="module")
def importer(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """Acme's Alice again, in a browser that keeps its device key for all tests of a module."""
    yield from _reader(browser, stack, stack.people.admins["acme"].username)


@pytest.fixture
def importing(importer: Reader) -> Iterator[Importing]:
    """Alice on the page of imports, whose browser may import; afterwards nothing that she had altered on the way is."""
    found = Importing(importer)
    found.ready()
    found.requests.clear()
    importer.complaints.clear()
    yield found
    importer.page.unroute_all(behavior="wait")
    found.leave()


@pytest.fixture(scope="module")
def officer(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """A partition officer, logged in."""
    yield from _reader(browser, stack, "partition3")


@pytest.fixture
def stranger(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """Nobody in particular."""
    with browser.new_context() as context:
        yield Reader(context.new_page(), stack)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return install_axe(Path(tmp_path_factory.mktemp("axe")))


@pytest.fixture
def look(axe: str) -> Iterator[Look]:
    """What is in somebody's way fails the test at its end."""
    looking = Look(axe)
    yield looking
    assert looking.found == []


def _reader(browser: Browser, stack: Stack, username: str) -> Iterator[Reader]:
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(username)
        yield reader
