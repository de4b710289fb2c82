"""Nobody is kept out: axe-core finds nothing on any page, wide and narrow, light and dark."""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from playwright.sync_api import Browser, expect

from strongroom.client import callbacks
from tests.support.accessibility import Look
from tests.support.addresses import addresses, links_to
from tests.support.importing import Importing, pem
from tests.support.listener import listening
from tests.support.reader import Reader
from tests.support.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def support(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """Someone of the provider's support, logged in."""
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(stack.people.support[0].username)
        yield reader


def every_page(reader: Reader, look: Look, role: str) -> None:
    """The pages of a role; of those that show one of many things the first that a page leads to."""
    links: list[str] = []
    looked_at = set()
    plain = [one for one in addresses(role) if "{" not in one]
    for address in plain:
        links += look.at(reader, address)
    for address in addresses(role):
        if "{" in address:
            (first, *_) = [*links_to(address, [one for one in links if one not in plain]), ""]
            assert first, f"no page leads to {address}"
            looked_at.add(first)
            links += look.at(reader, first)
    assert looked_at


def test_every_page_of_an_owner(alice: Reader, look: Look) -> None:
    acme = alice.stack.tenant("acme")
    acme.import_key("seen-by-axe", b"\x07" * 32, usages=["encrypt"])
    with listening() as listener, acme.connect("person") as connection:
        callbacks.ping(connection, callbacks.create(connection, listener.url).id)
        every_page(alice, look, "owner")


def test_every_page_of_a_partition_officer(officer: Reader, look: Look) -> None:
    every_page(officer, look, "partition")


def test_every_page_of_support(support: Reader, look: Look) -> None:
    every_page(support, look, "support")


def test_the_steps_of_an_import(importing: Importing, look: Look) -> None:
    page, reader = importing.page, importing.reader
    # 1. A refusal, then the key and its terms, with everything open.
    key = ec.generate_private_key(ec.SECP256R1())
    lock = BestAvailableEncryption(b"open sesame")
    importing.choose(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock), "seen-by-axe-too")
    importing.unlock("wrong")
    expect(importing.refusal).to_be_visible()
    look.here(reader)
    importing.unlock("open sesame")
    page.get_by_label("As the next version").check()
    page.locator("#usages").get_by_label("sign", exact=True).check()
    page.locator("#import").evaluate("one => one.querySelectorAll('details').forEach((each) => { each.open = true })")
    look.here(reader)
    page.get_by_label("As the next version").uncheck()
    # 2. What leaves, and the receipt.
    importing.sealed()
    look.here(reader)
    page.route("**/api/v1/imports", lambda route: route.abort())
    importing.send()
    expect(importing.refusal).to_be_visible()
    importing.hears_the_truth()
    importing.sent_and_received()
    look.here(reader)
    # 3. What has none yet.
    importing.ready()
    importing.choose(pem(key), "seen-by-axe-thrice", "sign")
    importing.sealed()
    page.route("**/api/v1/imports", lambda route: route.abort())
    importing.send()
    expect(importing.refusal).to_be_visible()
    importing.hears_the_truth()
    importing.open()
    expect(importing.step("Sent from here earlier")).to_be_visible()
    look.here(reader)
    page.get_by_role("button", name="Forget it").click()


def test_the_steps_of_a_key_that_the_device_makes(importing: Importing, look: Look) -> None:
    page, reader = importing.page, importing.reader
    for key_type in ("HMAC", "RSA", "EC-P256"):
        importing.asks_to_make(key_type, "made-before-axe", "hash")
        look.here(reader)
    page.get_by_label("As the next version").check()
    expect(importing.refusal).to_be_visible()
    page.locator("#key").evaluate("one => one.querySelectorAll('details').forEach((each) => { each.open = true })")
    look.here(reader)
    page.get_by_label("As the next version").uncheck()
    importing.sealed()
    look.here(reader)
    importing.sent_and_received()
    look.here(reader)


def test_what_is_no_page(alice: Reader, look: Look) -> None:
    look.at(alice, "/nowhere/")
    look.at(alice, "/keys/nothing/")
    alice.complaints.clear()


def test_login(stranger: Reader, look: Look) -> None:
    look.at(stranger, "/login/")


def test_the_reference_of_the_api_with_everything_unfolded(stranger: Reader, look: Look) -> None:
    look.at(stranger, "/api/docs/")
    stranger.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    look.here(stranger)
