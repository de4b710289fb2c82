"""Alice imports keys in Chromium: encrypted there, refused where anything does not agree, usable afterwards."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, Route, expect

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import read_terms
from tests.support.command import run
from tests.support.importing import Importing, spellings
from tests.support.reader import Reader
from tests.support.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]

SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
PATIENCE = 20_000


@pytest.fixture(scope="module")
def reader(browser: Browser, stack: Stack) -> Iterator[Reader]:
    """Alice, logged in, in a browser that keeps its device key for all tests here."""
    with browser.new_context() as context:
        found = Reader(context.new_page(), stack)
        found.log_in(stack.people.admins["acme"].username)
        yield found


@pytest.fixture
def alice(reader: Reader) -> Iterator[Importing]:
    """Alice on the page, whose browser may import; afterwards nothing that she had altered on the way is."""
    importing = Importing(reader)
    importing.ready()
    importing.requests.clear()
    reader.complaints.clear()
    yield importing
    reader.page.unroute_all(behavior="wait")
    importing.leave()


def pem(key: Any) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return data


def look(importing: Importing) -> None:
    """Nothing is cut off on any screen."""
    page = importing.page
    for width, scheme in SCREENS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"cut off at {width}"


def altered(token: str, **members: Any) -> str:
    """A signed statement with other members under the old signature."""
    header, payload, signature = token.split(".")
    said = json.loads(from_b64u(payload)) | members
    return f"{header}.{b64u(canonical_json(said))}.{signature}"


def on_the_way(importing: Importing, path: str, change: Callable[[Any], None]) -> None:
    """Have `change` alter what the portal answers at a path of the interface."""

    def alter(route: Route) -> None:
        response = route.fetch()
        answer = response.json()
        change(answer)
        route.fulfill(response=response, json=answer)

    importing.page.route(f"**/api/v1/{path}", alter)


def nothing_left(importing: Importing, *said: str) -> None:
    """The page says why it does not go on, and no sealed payload has left."""
    expect(importing.refusal).to_be_visible(timeout=PATIENCE)
    for words in said:
        expect(importing.refusal).to_contain_text(words)
    expect(importing.refusal).to_contain_text("Nothing was encrypted or sent.")
    expect(importing.step("What will leave this browser")).to_be_hidden()
    assert importing.sent() == []


def test_a_key_is_imported_used_and_proved_and_its_bytes_never_left(alice: Importing, tmp_path: Path) -> None:
    page, stack = alice.page, alice.reader.stack
    key = ec.generate_private_key(ec.SECP256R1())
    # 1. Chosen, with its terms; encrypted; nothing has left yet.
    alice.choose(pem(key), "from-a-browser", "sign", "verify", authorisation="token", not_after="90d")
    expect(page.get_by_text("Read as PKCS#8 in PEM: EC-P256.")).to_be_visible()
    expect(page.locator("#command")).to_have_text(
        "strongroom import my-key.pem --name from-a-browser --usage sign --usage verify --mode token --expires 90d"
    )
    look(alice)
    alice.encrypt()
    expect(alice.step("What will leave this browser")).to_be_visible(timeout=PATIENCE)
    look(alice)
    assert alice.sent() == []
    shown = page.locator("#body").text_content()
    # 2. Sent: exactly what was shown; the receipt holds.
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)
    look(alice)
    (sent,) = alice.sent()
    assert sent.post_data == shown
    receipt = jws.read_unverified(alice.saved("Save the receipt").decode(), Receipt)
    assert (receipt.name, receipt.key_type) == ("from-a-browser", "EC-P256")
    terms = read_terms(alice.saved("Save your terms"))
    assert (terms.authorisation, terms.usages) == ("token", ["sign", "verify"])
    # 3. Its evidence is the command's own.
    page.get_by_role("button", name="Make the evidence file").click()
    file = tmp_path / "evidence.json"
    expect(page.get_by_role("link", name="Save the evidence file")).to_be_visible(timeout=PATIENCE)
    file.write_bytes(alice.saved("Save the evidence file"))
    assert run(alice.home.path, "evidence", "verify", str(file))["holds"]
    # 4. It signs.
    token = stack.tenant("acme").new_client("uses-what-came-by-browser", ["sign"])
    message = b"a hundred boxes of paper"
    answer = httpx.post(
        f"{stack.url}/api/v1/keys/{receipt.key_id}/sign",
        json={"payload": base64.b64encode(message).decode()},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, answer.text
    key.public_key().verify(base64.b64decode(answer.json()["result"]), message, ec.ECDSA(hashes.SHA256()))
    # 5. In no request is a byte of the key or of the terms, while the search finds what is there.
    requests = list(alice.everything_sent())
    assert len(requests) >= 8
    secret = key.private_numbers().private_value.to_bytes(32, "big")
    for words in (secret, pem(key), base64.b64decode(b"".join(pem(key).splitlines()[1:-1])), terms.salt.encode()):
        assert not any(one in request for request in requests for one in spellings(words))
    assert any(one in request for request in requests for one in spellings(receipt.import_id.encode()))
    assert alice.reader.complaints == []


@pytest.mark.parametrize("kind", ["RSA", "Ed25519", "AES-256", "HMAC"])
def test_other_kinds_of_keys_come_too(alice: Importing, kind: str) -> None:
    raw = os.urandom(32)
    keys: dict[str, tuple[bytes, str, dict[str, str]]] = {
        "RSA": (pem(rsa.generate_private_key(65537, 2048)), "sign", {}),
        "Ed25519": (pem(Ed25519PrivateKey.generate()), "sign", {}),
        "AES-256": (raw.hex().encode() + b"\n", "encrypt", {"key_type": "AES-256", "key_encoding": "hex"}),
        "HMAC": (raw, "hash", {"key_type": "HMAC", "key_encoding": "raw"}),
    }
    data, usage, selected = keys[kind]
    alice.choose(data, f"browser-{kind}", usage, **selected)
    alice.encrypt()
    expect(alice.step("What will leave this browser")).to_be_visible(timeout=PATIENCE)
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)
    assert not any(one in request for request in alice.everything_sent() for one in spellings(raw))


def test_a_provider_key_that_was_exchanged_is_refused(alice: Importing) -> None:
    def exchange(answer: Any) -> None:
        for device in answer["devices"]:
            device["provider_keys"] = [
                altered(one, public_key=b64u(os.urandom(1216))) for one in device["provider_keys"]
            ]

    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    on_the_way(alice, "trust", exchange)
    alice.encrypt()
    nothing_left(alice, "signature does not hold", "signature-invalid")


def test_an_attestation_that_was_altered_is_refused(alice: Importing) -> None:
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    on_the_way(
        alice, "partitions/*/attestation", lambda one: one.update(attestation=altered(one["attestation"], boot_epoch=7))
    )
    alice.encrypt()
    nothing_left(alice, "signature does not hold", "signature-invalid")


def test_an_attestation_to_another_question_is_refused(alice: Importing) -> None:
    old: list[str] = []

    def replay(answer: Any) -> None:
        old.append(answer["attestation"])
        answer["attestation"] = old[0]

    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    on_the_way(alice, "partitions/*/attestation", replay)
    alice.ask()
    expect(alice.page.get_by_text("All agree.")).to_be_visible(timeout=PATIENCE)
    alice.encrypt()
    nothing_left(alice, "answers another question", "nonce-mismatch")


@pytest.mark.parametrize("path", ["validation", "validation/manufacturer"])
def test_a_validators_word_that_was_altered_is_refused(alice: Importing, path: str) -> None:
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    on_the_way(alice, path, lambda one: one.update(statement=altered(one["statement"], expires_at=2**40)))
    alice.encrypt()
    nothing_left(alice, "does not vouch", "signature-invalid")


def test_another_owners_partition_is_refused(alice: Importing) -> None:
    other = alice.reader.stack.tenant("globex").home.path / "owner.json"
    alice.page.get_by_role("button", name="Change").click()
    alice.trust(owner=other)
    alice.ask()
    nothing_left(alice, "owner")
    alice.page.get_by_role("button", name="Change").click()
    alice.trust()
    alice.ask()
    expect(alice.step("The key and its terms")).to_be_visible(timeout=PATIENCE)


def test_a_private_key_among_the_anchors_is_refused(alice: Importing) -> None:
    alice.page.get_by_role("button", name="Change").click()
    alice.trust(owner=alice.home.path / "owner.pem")
    expect(alice.refusal).to_contain_text("give a private key to no page")
    expect(alice.step("This browser's own key")).to_be_hidden()


def test_a_receipt_for_something_else_is_refused(alice: Importing) -> None:
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "with-another-receipt", "sign")
    alice.encrypt()
    expect(alice.step("What will leave this browser")).to_be_visible(timeout=PATIENCE)
    on_the_way(alice, "imports", lambda one: one.update(receipt=altered(one["receipt"], name="another")))
    alice.send()
    expect(alice.refusal).to_contain_text("signature does not hold", timeout=PATIENCE)
    expect(alice.step("The device has it")).to_be_hidden()
    # What another import got, signed as it should be, is no receipt for this one either.
    alice.page.unroute_all(behavior="wait")
    with alice.reader.stack.tenant("acme").connect() as connection:
        foreign = connection.portal.get("keys", list[dict[str, Any]])[0]["key_id"]
        token = connection.portal.get(f"keys/{foreign}/receipt", dict[str, Any])["receipt"]
    on_the_way(alice, "imports", lambda one: one.update(receipt=token))
    alice.send()
    expect(alice.refusal).to_contain_text("not for what was sent", timeout=PATIENCE)
    # The same header again gets the same answer, and now nobody alters it.
    alice.page.unroute_all(behavior="wait")
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)


def test_a_file_that_is_no_key_gets_a_sentence(alice: Importing) -> None:
    alice.choose(b"a shopping list, which is long enough to be no key", "never-sent")
    expect(alice.refusal).to_contain_text("no key that the browser reads")
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    alice.choose(locked, "never-sent")
    expect(alice.refusal).to_contain_text("openssl pkcs8 -topk8")
    alice.encrypt()
    nothing_left(alice, "key-unparsable")


def test_by_keyboard_alone(alice: Importing) -> None:
    page, keyboard = alice.page, alice.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(60):
            keyboard.press("Tab")
            if page.locator(f"{selector}:focus").count():
                return
        raise AssertionError(f"{selector} cannot be reached")

    expect(page.locator("#key h2")).to_be_focused()
    # Listening goes to the page by another way than keys do, which may overtake it: what `tab_to` asks waits for it.
    with page.expect_file_chooser() as chooser:
        tab_to("#key-file")
        keyboard.press("Enter")
    chooser.value.set_files(
        {"name": "k.pem", "mimeType": "text/plain", "buffer": pem(ec.generate_private_key(ec.SECP256R1()))}
    )
    expect(page.get_by_text("Read as PKCS#8 in PEM: EC-P256.")).to_be_visible()
    tab_to("#key-name")
    keyboard.type("by-keyboard")
    tab_to("input[name=usage][value=sign]")
    keyboard.press("Space")
    tab_to("#terms button")
    keyboard.press("Enter")
    expect(page.locator("#leaves h2")).to_be_focused(timeout=PATIENCE)
    tab_to("#send")
    keyboard.press("Enter")
    expect(page.locator("#receipt h2")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#receipt-facts")).to_contain_text("by-keyboard")


def test_the_list_of_keys_leads_here_and_the_receipt_to_the_key(alice: Importing) -> None:
    alice.reader.open("/keys/")
    alice.page.get_by_role("link", name=re.compile("^Import a key")).first.click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("Import a key")


def test_without_scripts_the_page_offers_the_command(browser: Browser, reader: Reader) -> None:
    with browser.new_context(java_script_enabled=False, storage_state=reader.page.context.storage_state()) as context:
        plain = Reader(context.new_page(), reader.stack)
        assert plain.open("/keys/import/") == 200
        expect(plain.page.get_by_text("This page needs its scripts")).to_be_visible()
        expect(plain.page.get_by_text("strongroom import KEY.pem")).to_be_visible()
