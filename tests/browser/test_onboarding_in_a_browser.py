"""From an invitation to the first signature in the browser, typing nothing but what the pages say."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from stack.layout import PROJECT
from stack.otp import next_code
from stack.people import Person
from strongroom.client import account
from strongroom.client.connection import connect
from strongroom.client.home import Home, TrustFiles
from strongroom.officer import actions
from tests.support.command import run
from tests.support.reader import Reader
from tests.support.stack import Stack

# One-time codes serve once, in their half minute: officers and the newcomer wait for several.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PASSWORD = "a password for the umbrella"


def create_tenant(stack: Stack, slug: str, address: str) -> str:
    """As the provider does it on its host; the link that the mail has."""
    raw = Path(f"/proc/{stack.access['processes']['web']}/environ").read_bytes().decode()
    environment = dict(one.split("=", 1) for one in raw.split("\0") if "=" in one)
    subprocess.run(
        [sys.executable, "manage.py", "create_tenant", slug, "Umbrella", "--invite", address, "--url", stack.url],
        cwd=PROJECT,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    mails = [one.read_text() for one in stack.state.folder("mail").iterdir() if address in one.read_text()]
    assert len(mails) == 1
    found = re.search(rf"{re.escape(stack.url)}(/invitation/\S+)", mails[0])
    assert found is not None
    return found.group(1)


def home_for(stack: Stack, slug: str, folder: Path) -> Home:
    """A configuration folder with the trust files that Acme got out of band as well."""
    acme = stack.tenant("acme").home
    trust = {
        name: (acme.path / "trust" / file).read_bytes()
        for name, file in (
            ("manufacturer_roots", "manufacturer-roots.pem"),
            ("manufacturer_tls", "manufacturer-tls.pem"),
            ("provider_validation", "provider-validation.json"),
            ("provider_tls", "provider-tls.pem"),
        )
    }
    home = Home(folder)
    home.configure(msgspec.structs.replace(acme.config(), tenant=slug, partition=""), TrustFiles(**trust))
    return home


def now(page: Page) -> str:
    return page.locator("li.now > b").inner_text()


def told(page: Page) -> list[str]:
    """The lines that the step of now says to type."""
    return page.locator("li.now pre code").inner_text().splitlines()


def define(stack: Stack, owner: str) -> None:
    """What the provider's officers do with what was asked for."""
    connection, card = stack.officer("partition1")
    with connection:
        asked = next(one for one in actions.partition_requests(connection) if one.owner.fingerprint == owner)
        wanted = actions.define_partition(asked)
        opened = actions.request_action(connection, card, wanted, int(time.time()), partition_request=asked.request)
    for username in ("partition2", "partition3"):
        connection, card = stack.officer(username)
        with connection:
            opened = actions.approve(connection, card, opened, stack.code(username), int(time.time()))
    assert opened.state == "executed"


def accept(reader: Reader, link: str) -> Person:
    """A user name and a password, then an authenticator, whose key can be typed as well as scanned."""
    page = reader.page
    assert reader.open(link) == 200
    page.get_by_label("User name").fill("albert")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    albert = Person(username="albert", password=PASSWORD, otp_seed=page.locator("code").first.inner_text())
    page.get_by_label("One-time code").fill(next_code(reader.stack.state, albert))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Go on to the overview").click()
    return albert


def do(reader: Reader, home: Home, step: str, only: str = "") -> None:
    """Type what the overview says for this step, which it must be at now; of several ways `only` the one with that."""
    reader.open("/")
    assert now(reader.page) == step
    for line in told(reader.page):
        if only in line:
            run(home.path, *shlex.split(line)[1:])


def test_from_an_invitation_to_the_first_signature(browser: Browser, stack: Stack, tmp_path: Path) -> None:
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        page = reader.page
        # 1. In by the link of the mail.
        albert = accept(reader, create_tenant(stack, "umbrella", "albert@umbrella.example"))
        expect(page.get_by_text("You are its owner.")).to_be_visible()
        # 2. The command, configured and logged in as the overview says.
        home = home_for(stack, "umbrella", tmp_path / "home")
        configure, login, _ = told(page)
        assert f"--url {stack.url}/ --tenant umbrella" in configure
        assert login == "strongroom login albert"
        with connect(home, "nobody") as connection:
            account.login(connection, "albert", PASSWORD, next_code(stack.state, albert))
        # 3. On one's own machine, line by line; and what the officers do.
        do(reader, home, "Enrol a client device", only="enrol")
        do(reader, home, "Ask for a partition")
        do(reader, home, "The provider's officers define it")
        define(stack, home.credential("owner").fingerprint)
        do(reader, home, "Give your device its rights")
        do(reader, home, "Import or make a key", only="keys make")
        # 4. An API client in the browser, and its right by the owner.
        reader.open("/")
        page.get_by_role("link", name="Make an API client").click()
        page.get_by_label("Name").fill("first-program")
        page.get_by_role("button", name="Make client").click()
        do(reader, home, "Give it the right to sign")
        sign_here(reader)
        assert reader.complaints == []


def sign_here(reader: Reader) -> None:
    """The signature, on the key's page; then it is in the log and the chart, and nothing more is to be done."""
    page = reader.page
    reader.open("/")
    page.get_by_role("link", name="Sign on the key's page").click()
    page.get_by_label("Text").fill("the first")
    page.get_by_role("button", name="Sign it now").click()
    assert len(page.locator("#outcome").inner_text()) > 80
    expect(page.get_by_role("button", name="Copy").first).to_be_visible()
    deadline = time.monotonic() + 30
    while page.locator("li.now").count() or not page.locator("svg.chart").count():
        assert time.monotonic() < deadline
        reader.open("/")
    expect(page.get_by_text("1 done in the last day")).to_be_visible()
