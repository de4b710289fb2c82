"""From an invitation to the first signature, doing what the pages say: in the browser alone, and by the command."""

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from playwright.sync_api import Browser, Page, expect

from stack.otp import next_code
from strongroom.client.home import Home
from tests.support.command import run
from tests.support.importing import PATIENCE, Importing, pem, spellings
from tests.support.newcomers import PASSWORD, accept, create_tenant, define
from tests.support.owning import PASSPHRASE, Owning
from tests.support.reader import Reader
from tests.support.stack import Stack

# One-time codes serve once, in their half minute: officers and the newcomer wait for several.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def newcomer(browser: Browser, stack: Stack) -> Iterator[Reader]:
    with browser.new_context() as context:
        yield Reader(context.new_page(), stack)


def now(page: Page) -> str:
    return page.locator("li.now > b").inner_text()


def told(page: Page) -> list[str]:
    """The lines that the step of now says to type."""
    return page.locator("li.now pre code").inner_text().replace("\\\n", "").splitlines()


def leads(reader: Reader, step: str, link: str) -> None:
    """The overview is at this step, and this link leads to where it is done."""
    reader.open("/")
    assert now(reader.page) == step
    reader.page.locator("li.now").get_by_role("link", name=link).press("Enter")
    expect(reader.page.get_by_role("heading", level=1)).to_be_visible()


def do(reader: Reader, home: Path, step: str, only: str = "", said: str = "") -> None:
    """Type what the overview says for this step, which it must be at now; of several ways `only` the one with that.
    `said`: what the command asks for."""
    reader.open("/")
    assert now(reader.page) == step
    for line in told(reader.page):
        if only in line:
            run(home, *shlex.split(line)[1:], said=said)


def make_client(reader: Reader) -> None:
    leads(reader, "Make an API client", "Make an API client")
    reader.page.get_by_label("Name").fill("first-program")
    reader.page.get_by_role("button", name="Make client").click()


@pytest.mark.needs("npm")
def test_in_the_browser_alone(newcomer: Reader, stack: Stack, tmp_path: Path) -> None:
    page, owning = newcomer.page, Owning(newcomer, tmp_path)
    # What the newcomer was given by manufacturer and provider, as Acme was.
    given = stack.tenant("acme").home
    # 1. In by the link of the mail; the owner credential, this browser's key, the request.
    accept(newcomer, create_tenant(stack, "weyland", "wendy@weyland.example"), "wendy")
    leads(newcomer, "Enrol a client device", "Begin in this browser")
    owner = owning.make_and_keep()
    device = owning.enrol()
    leads(newcomer, "Ask for a partition", "Ask in this browser")
    owning.ask_for("main")
    # 2. The officers; then who may do what.
    leads(newcomer, "The provider's officers define it", "Look there")
    define(stack, owner.fingerprint)
    leads(newcomer, "Give your device its rights", "Sign it in this browser")
    owning.tick(device, "import", "sign", "verify")
    owning.trust(given)
    assert owning.words == [f"This browser ({device}) is listed, and may import, sign, verify."]
    owning.signed()
    # 3. A key of one's own. The page of imports knows the owner and whom to trust by now.
    leads(newcomer, "Import or make a key", "Import or make one in this browser")
    importing = Importing(newcomer)
    expect(page.locator("#anchors-facts")).to_contain_text(owner.fingerprint)
    importing.ask()
    expect(importing.step("The key and its terms")).to_be_visible(timeout=PATIENCE)
    key = ec.generate_private_key(ec.SECP256R1())
    importing.choose(pem(key), "first", "sign", "verify", authorisation="token")
    importing.sealed()
    importing.sent_and_received()
    # 4. An API client, its right, and the signature.
    make_client(newcomer)
    leads(newcomer, "Give it the right to sign", "Sign it in this browser")
    owning.tick("first-program", "sign", "verify")
    assert len(owning.words) == 1
    owning.signed()
    sign_here(newcomer)
    # 5. Neither the owner credential nor the key was in anything that was sent.
    made = load_pem_private_key((tmp_path / "owner.pem").read_bytes(), PASSPHRASE.encode())
    secrets = [
        made.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
        key.private_numbers().private_value.to_bytes(32, "big"),
        PASSPHRASE.encode(),
    ]
    requests = list(owning.everything_sent())
    assert not any(one in request for request in requests for words in secrets for one in spellings(words))
    assert any(owner.x.encode() in request for request in requests)
    assert newcomer.complaints == []


def test_by_the_command(newcomer: Reader, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, home = newcomer.page, tmp_path / "home"
    # 1. In by the link of the mail.
    albert = accept(newcomer, create_tenant(stack, "umbrella", "albert@umbrella.example"), "albert")
    expect(page.get_by_text("You are its owner.")).to_be_visible()
    # 2. The command, configured in the folder with the files, and logged in, as the overview says.
    acme = stack.tenant("acme").home
    monkeypatch.chdir(acme.path / "trust")
    configure, login, _ = told(page)
    config = acme.config()
    for word, value in (("PROVIDER", config.provider), ("MANUFACTURER_URL", config.manufacturer_url)):
        assert f" {word} " in configure
        configure = configure.replace(f" {word} ", f" {value} ")
    run(home, *shlex.split(configure)[1:])
    run(home, *shlex.split(login)[1:], said=f"{PASSWORD}\n{next_code(stack.state, albert)}\n")
    # 3. On one's own machine, line by line; and what the officers do.
    do(newcomer, home, "Enrol a client device", only="enrol")
    do(newcomer, home, "Ask for a partition")
    do(newcomer, home, "The provider's officers define it")
    define(stack, Home(home).credential("owner").fingerprint)
    do(newcomer, home, "Give your device its rights")
    do(newcomer, home, "Import or make a key", only="keys make")
    # 4. An API client in the browser, and its right by the owner.
    make_client(newcomer)
    do(newcomer, home, "Give it the right to sign")
    sign_here(newcomer)
    assert newcomer.complaints == []


def sign_here(reader: Reader) -> None:
    """The signature, on the key's page; then it is in the log and the chart, and nothing more is to be done."""
    page = reader.page
    leads(reader, "Sign", "Sign on the key's page")
    page.get_by_label("Text").fill("the first")
    page.get_by_role("button", name="Sign it now").click()
    assert len(page.locator("#outcome").inner_text()) > 80
    expect(page.get_by_role("button", name="Copy").first).to_be_visible()
    deadline = time.monotonic() + 30
    while page.locator("li.now").count() or not page.locator("svg.chart").count():
        assert time.monotonic() < deadline
        reader.open("/")
    expect(page.get_by_text("1 done in the last day")).to_be_visible()
