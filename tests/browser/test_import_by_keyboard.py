"""Whoever has no mouse, or does not see the page, imports or makes a key as well: on a narrow screen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, Page, expect

from tests.support.importing import PATIENCE, Importing, pem
from tests.support.reader import Reader
from tests.support.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]

LISTEN = """() => {
    window.heard = [];
    const listen = new MutationObserver((changes) => {
        for (const { target } of changes) {
            const place = target.closest("[role=status], [role=alert]");
            if (place && place.textContent) window.heard.push(place.textContent.trim());
        }
    });
    listen.observe(document.querySelector("#import"), { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture
def alice(browser: Browser, stack: Stack) -> Iterator[Importing]:
    """Alice at a narrow screen, in a browser that was never here."""
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(stack.people.admins["acme"].username)
        importing = Importing(reader)
        importing.open()
        importing.page.evaluate(LISTEN)
        yield importing
        importing.leave()


def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} cannot be reached")


def choose(page: Page, selector: str, *files: Path | tuple[str, bytes]) -> None:
    """Files, by the key that opens the browser's own dialogue."""
    tab_to(page, selector)
    # Listening goes to the page by another way than keys do, which may overtake it: what `tab_to` asks waits for it.
    with page.expect_file_chooser() as chooser:
        page.locator(f"{selector}:focus").count()
        page.keyboard.press("Enter")
    given = [
        {"name": one[0], "mimeType": "text/plain", "buffer": one[1]}
        if isinstance(one, tuple)
        else {"name": one.name, "mimeType": "text/plain", "buffer": one.read_bytes()}
        for one in files
    ]
    chooser.value.set_files(given)  # type: ignore[arg-type]


def press(page: Page, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Enter")


def to_the_key(alice: Importing) -> None:
    """Steps 1 to 3, by keyboard."""
    page, keyboard, trust = alice.page, alice.page.keyboard, alice.home.path / "trust"
    # 1. Whom to trust.
    tab_to(page, "#provider")
    keyboard.type(alice.home.config().provider)
    choose(page, "#roots", trust / "manufacturer-roots.pem")
    choose(page, "#validation", trust / "provider-validation.json")
    choose(page, "#owner", alice.home.path / "owner.json")
    press(page, "#anchors button")
    # 2. This browser's key: the heading has the focus, and what follows is the next stop.
    expect(page.locator("#own-key h2")).to_be_focused(timeout=PATIENCE)
    press(page, "#device-new button")
    # 3. Who vouches; the browser is not listed yet, and what is to be done has the focus.
    expect(page.locator("#vouch h2")).to_be_focused(timeout=PATIENCE)
    press(page, "#ask")
    expect(page.locator("#not-listed h3")).to_be_focused(timeout=PATIENCE)
    alice.allow()
    for _ in range(3):
        keyboard.press("Shift+Tab")
        if page.locator("#ask:focus").count():
            break
    keyboard.press("Enter")
    expect(page.locator("#key h2")).to_be_focused(timeout=PATIENCE)


def test_from_the_anchors_to_the_receipt_by_keyboard_alone(alice: Importing) -> None:
    page, keyboard = alice.page, alice.page.keyboard
    to_the_key(alice)
    # 4. The key and its terms.
    choose(page, "#key-file", ("k.pem", pem(ec.generate_private_key(ec.SECP256R1()))))
    expect(page.get_by_text("Read as PKCS#8 in PEM: EC-P256.")).to_be_visible()
    tab_to(page, "#key-name")
    keyboard.type("by-keyboard")
    tab_to(page, "input[name=usage][value=sign]")
    keyboard.press("Space")
    press(page, "#terms button")
    # 5. and 6. Sent, and the receipt.
    expect(page.locator("#leaves h2")).to_be_focused(timeout=PATIENCE)
    press(page, "#send")
    expect(page.locator("#receipt h2")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#receipt-facts")).to_contain_text("by-keyboard")
    alice.look()
    # What was under way was said as it went on.
    heard = page.evaluate("window.heard")
    for words in (
        "Asking the device about the partition…",
        "Asking the manufacturer about the vendor-key…",
        "Asking the provider about the provider-key…",
        "Encrypting…",
        "Sending, and waiting for the device's receipt…",
    ):
        assert words in heard


def test_a_key_is_made_in_the_device_by_keyboard_alone(alice: Importing) -> None:
    page, keyboard = alice.page, alice.page.keyboard
    to_the_key(alice)
    # The radio button's arrow leads from the file to the device, and the type to what follows from it.
    tab_to(page, "#origin-imported")
    keyboard.press("ArrowDown")
    expect(page.locator("#origin-made")).to_be_focused()
    expect(page.locator("#key-file")).to_be_hidden()
    tab_to(page, "#made-type")
    keyboard.type("HMAC")
    tab_to(page, "#made-bytes")
    keyboard.press("Control+A")
    keyboard.type("48")
    tab_to(page, "#key-name")
    keyboard.type("made-by-keyboard")
    tab_to(page, "input[name=usage][value=hash]")
    keyboard.press("Space")
    press(page, "#terms button")
    expect(page.locator("#leaves h2")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#sealed")).to_contain_text("HMAC, which the device is to make")
    press(page, "#send")
    expect(page.locator("#receipt h2")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#receipt-facts")).to_contain_text("made in the device")
    alice.look()


def test_after_a_refusal_the_focus_is_where_it_was(alice: Importing) -> None:
    page = alice.page
    tab_to(page, "#provider")
    page.keyboard.type("provider")
    choose(page, "#roots", ("roots.pem", b"nothing"))
    choose(page, "#validation", ("validation.json", b"{}"))
    choose(page, "#owner", ("owner.json", b"{}"))
    press(page, "#anchors button")
    expect(alice.refusal).to_contain_text("The file holds no certificate in PEM.")
    expect(page.locator("#anchors button")).to_be_focused()
    assert any("The file holds no certificate in PEM." in one for one in page.evaluate("window.heard"))


def test_where_a_third_party_must_vouch_the_page_leads_to_the_command(alice: Importing) -> None:
    page = alice.page
    policy = b'{"require": ["manufacturer", "validator:watch"]}'
    page.get_by_label("Policy and validators").set_input_files(
        {"name": "policy.json", "mimeType": "application/json", "buffer": policy}
    )
    alice.trust()
    expect(page.locator("#anchors-facts")).to_contain_text("manufacturer, provider, validator:watch")
    alice.make_key()
    expect(alice.step("Who vouches")).to_be_visible()
    alice.requests.clear()
    alice.ask()
    alice.nothing_left("validator:watch must vouch too", "strongroom import KEY.pem", "validation-failed")
    assert [one for one in alice.requests if "/api/v1/" in one.url] == []
    # It is kept: the page does not forget it when it is loaded again.
    alice.open()
    alice.ask()
    alice.nothing_left("validator:watch must vouch too")
