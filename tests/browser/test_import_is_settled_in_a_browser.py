"""The tab closes between sending and receipt: Alice's browser still compares the receipt with what was sent."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Route, expect

from strongroom.protocol.encoding import from_b64u
from tests.support.command import run
from tests.support.importing import PATIENCE, Importing, pem, spellings

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]

KEPT = """async (name) => {
    const finished = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const database = await finished(indexedDB.open(name));
    const all = await finished(database.transaction("kept").objectStore("kept").getAll());
    database.close();
    return JSON.stringify([all, { ...localStorage }, { ...sessionStorage }]);
}"""


def unsettled(alice: Importing) -> Any:
    return alice.step("Sent from here earlier")


def cut_off(alice: Importing, after: Callable[[Route], object] = lambda route: route.abort()) -> None:
    """From now on no answer to an import reaches the page; `after` may let it reach the portal."""
    alice.page.route("**/api/v1/imports", after)


def arrives(route: Route) -> None:
    route.fetch()
    route.abort()


def send_and_leave(alice: Importing, name: str) -> Any:
    """Sent, no answer, and the page is gone; gives the key and what the page's terms were."""
    key = ec.generate_private_key(ec.SECP256R1())
    alice.choose(pem(key), name, "sign")
    alice.sealed()
    terms = json.loads(alice.page.locator("#clear-terms").text_content() or "")
    alice.send()
    expect(alice.refusal).to_contain_text("does not answer", timeout=PATIENCE)
    expect(alice.page.locator("#left")).to_contain_text("This was sent")
    alice.hears_the_truth()
    alice.open()
    return key, terms


def test_an_import_whose_answer_was_lost_is_settled_and_its_receipt_compared(importing: Importing) -> None:
    page, name = importing.page, f"lost-{os.urandom(4).hex()}"
    cut_off(importing, arrives)
    key, terms = send_and_leave(importing, name)
    expect(unsettled(importing)).to_contain_text(f"{name}, version 1")
    importing.look()
    # 1. What was kept meanwhile is neither key nor terms.
    kept = page.evaluate(KEPT, "strongroom acme").encode()
    assert name.encode() in kept
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    for words in (secret, terms["salt"].encode(), from_b64u(terms["salt"])):
        assert not any(one in kept for one in spellings(words))
    # 2. Meanwhile the name is not used again.
    importing.ask()
    expect(importing.step("The key and its terms")).to_be_visible(timeout=PATIENCE)
    importing.requests.clear()
    importing.choose(pem(key), name, "sign")
    importing.encrypt()
    importing.nothing_left("its receipt has not been seen", "name-taken")
    # 3. Asked, the portal gives the receipt, which is for exactly what was sent.
    page.get_by_role("button", name="Ask what became of it").click()
    expect(page.get_by_text("Its receipt is for exactly what this browser sent")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#unsettled-list")).to_be_hidden()
    expect(page.get_by_role("link", name="to the key")).to_be_focused()
    importing.look()
    # 4. So says the key's page.
    page.get_by_role("link", name="to the key").click()
    expect(page.locator("#compared-list")).to_contain_text("It is the receipt that was checked here")
    importing.look()


def test_the_keys_page_compares_what_this_page_never_heard(importing: Importing) -> None:
    page, name = importing.page, f"unheard-{os.urandom(4).hex()}"
    cut_off(importing, arrives)
    send_and_leave(importing, name)
    with importing.reader.stack.tenant("acme").connect() as connection:
        key_id = connection.portal.get(f"keys/{name}", dict[str, Any])["key_id"]
        foreign = next(
            one["key_id"]
            for one in connection.portal.get("keys", list[dict[str, Any]])
            if one["name"] != name and one["key_type"] == "EC-P256"
        )
        other = connection.portal.get(f"keys/{foreign}/receipt", dict[str, str])["receipt"]
    # 1. A receipt for something else is called one.
    importing.reader.hears_from("keys/*/receipt*", lambda one: one.update(receipt=other))
    importing.reader.open(f"/keys/{key_id}/")
    expect(page.locator("#compared-list")).to_contain_text("The receipt is not for what was sent")
    importing.look()
    # 2. The right one is, and it is kept: another one later is found out.
    importing.hears_the_truth()
    importing.reader.open(f"/keys/{key_id}/")
    expect(page.locator("#compared-list")).to_contain_text("It is for exactly what was sent.")
    importing.reader.hears_from("keys/*/receipt*", lambda one: one.update(receipt=other))
    importing.reader.open(f"/keys/{key_id}/")
    expect(page.locator("#compared-list")).to_contain_text("Another receipt was checked here")


def test_what_never_arrived_is_forgotten_and_imported_again(importing: Importing) -> None:
    page, name = importing.page, f"gone-{os.urandom(4).hex()}"
    cut_off(importing)
    key, _ = send_and_leave(importing, name)
    page.get_by_role("button", name="Ask what became of it").click()
    expect(importing.refusal).to_contain_text("The portal knows nothing of", timeout=PATIENCE)
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("forgotten here")).to_be_visible()
    expect(page.locator("#unsettled h2")).to_be_focused()
    importing.ready()
    importing.choose(pem(key), name, "sign")
    importing.sealed()
    importing.sent_and_received()


def test_the_file_of_what_is_sent_has_the_command_compare(importing: Importing, tmp_path: Path) -> None:
    name = f"saved-{os.urandom(4).hex()}"
    importing.choose(pem(ec.generate_private_key(ec.SECP256R1())), name, "sign")
    importing.sealed()
    envelope, receipt = tmp_path / "envelope.json", tmp_path / "receipt.jws"
    envelope.write_bytes(importing.saved("Save what you send"))
    terms = importing.saved("Save the terms")
    importing.sent_and_received()
    receipt.write_bytes(importing.saved("Save the receipt"))
    assert importing.saved("Save your terms") == terms
    shown = run(importing.home.path, "receipt", "verify", str(receipt), "--envelope", str(envelope))
    assert (shown["receipt"]["name"], shown["compared"]) == (name, True)
    # It is an envelope of the command's in everything: sent again, it gets the same receipt.
    again = run(importing.home.path, "submit", str(envelope))
    assert again["receipt"]["key_id"] == shown["receipt"]["key_id"]
