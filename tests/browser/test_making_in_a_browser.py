"""Alice has the device make keys, in Chromium: her terms leave sealed, the receipt says made, and the keys are used."""

import base64
import json
import os
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from playwright.sync_api import Route, expect

from strongroom.client import imports
from strongroom.client.making import to_be_made
from strongroom.protocol import jws
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt, read_terms
from tests.support.command import run
from tests.support.importing import PATIENCE, Importing, pem, spellings

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]


@pytest.fixture
def alice(importing: Importing) -> Importing:
    return importing


@pytest.fixture
def name() -> str:
    return f"made-{os.urandom(4).hex()}"


def receipt_of(alice: Importing) -> Receipt:
    return jws.read_unverified(alice.saved("Save the receipt").decode(), Receipt)


def use_on_its_page(alice: Importing, client: str, text: str) -> bytes:
    """What comes of a text on the key's page, to which the receipt leads."""
    page = alice.page
    page.get_by_role("link", name="To the key").click()
    expect(page.get_by_text("made in the device: nobody outside ever had it")).to_be_visible()
    page.get_by_label("As API client").select_option(label=client)
    page.get_by_label("Text").fill(text)
    page.locator("#try button").click()
    return base64.b64decode(page.locator("#outcome").inner_text())


def test_a_signing_key_is_made_and_signs_and_only_sealed_terms_have_left(
    alice: Importing, name: str, tmp_path: Path
) -> None:
    page, stack = alice.page, alice.reader.stack
    # 1. Asked for, with its terms; the command beside would do the same.
    alice.asks_to_make("EC-P256", name, "sign", "verify", authorisation="token", not_after="90d")
    expect(page.locator("#command")).to_have_text(
        f"strongroom keys make {name} --type EC-P256 --usage sign --usage verify --mode token --not-after 90d"
    )
    expect(page.get_by_label("Key file", exact=True)).to_be_hidden()
    alice.look()
    alice.sealed()
    expect(page.locator("#sealed")).to_contain_text("EC-P256, which the device is to make")
    # 2. Nothing of a key is in what leaves, and no byte of the terms.
    alice.sent_and_received()
    alice.look()
    (sent,) = alice.sent()
    assert json.loads(sent.post_data or "")["material"] == ""
    terms = read_terms(alice.saved("Save your terms"))
    assert (terms.authorisation, terms.usages, terms.size) == ("token", ["sign", "verify"], None)
    assert not any(one in request for request in alice.everything_sent() for one in spellings(terms.salt.encode()))
    # 3. The receipt says that it was made; its public key is shown and saved; the evidence is the command's own.
    receipt = receipt_of(alice)
    assert (receipt.name, receipt.key_type, receipt.origin) == (name, "EC-P256", "made")
    expect(page.locator("#receipt-facts")).to_contain_text("made in the device: nobody outside ever had it")
    expect(page.locator("#public-key")).to_have_text(receipt.public_key)
    assert alice.saved("Save the public key").decode() == receipt.public_key
    page.get_by_role("button", name="Make the evidence file").click()
    expect(page.get_by_role("link", name="Save the evidence file")).to_be_visible(timeout=PATIENCE)
    file = tmp_path / "evidence.json"
    file.write_bytes(alice.saved("Save the evidence file"))
    assert run(alice.home.path, "evidence", "verify", str(file))["holds"]
    # 4. It signs, on its page.
    stack.tenant("acme").new_client(f"{name}-signs", ["sign"])
    signature = use_on_its_page(alice, f"{name}-signs", "a hundred boxes of paper")
    key = load_pem_public_key(receipt.public_key.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(signature, b"a hundred boxes of paper", ec.ECDSA(hashes.SHA256()))
    assert alice.reader.complaints == []


def test_a_data_key_is_made_and_encrypts(alice: Importing, name: str) -> None:
    tenant = alice.reader.stack.tenant("acme")
    alice.asks_to_make("AES-256", name, "encrypt", "decrypt", authorisation="token")
    alice.sealed()
    alice.sent_and_received()
    receipt = receipt_of(alice)
    assert (receipt.key_type, receipt.origin, receipt.public_key) == ("AES-256", "made", "")
    expect(alice.page.locator("#receipt-facts")).to_contain_text(receipt.check_value)
    expect(alice.page.get_by_role("link", name="Save the public key")).to_be_hidden()
    token = tenant.new_client(f"{name}-encrypts", ["encrypt", "decrypt"])
    sealed = use_on_its_page(alice, f"{name}-encrypts", "for Alice's eyes")
    answer = httpx.post(
        f"{alice.reader.stack.url}/api/v1/keys/{receipt.key_id}/decrypt",
        json={"payload": base64.b64encode(sealed).decode()},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert base64.b64decode(answer.json()["result"]) == b"for Alice's eyes"


@pytest.mark.parametrize(
    ("key_type", "selected", "size"),
    [
        ("RSA", {"made_bits": "2048"}, 2048),
        ("HMAC", {"made_bytes": "64"}, 64),
        ("EC-secp256k1", {}, None),
        ("ML-DSA-65", {}, None),
        ("AES-192", {}, None),
    ],
)
def test_every_type_is_made_also_those_that_browsers_do_not_know(
    alice: Importing, name: str, key_type: str, selected: dict[str, str], size: int | None
) -> None:
    alice.asks_to_make(key_type, name, "hash", **selected)
    alice.sealed()
    alice.sent_and_received()
    assert receipt_of(alice).key_type == key_type
    assert read_terms(alice.saved("Save your terms")).size == size


def test_a_size_that_no_key_has_is_refused(alice: Importing, name: str) -> None:
    alice.asks_to_make("HMAC", name, "hash", made_bytes="8")
    alice.encrypt()
    alice.nothing_left("an HMAC key 16 to 1024 bytes", "key-weak")


def test_what_a_key_can_follows_its_type_and_a_file_chosen_before_stays_here(alice: Importing, name: str) -> None:
    page = alice.page
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), name, "sign")
    alice.asks_to_make("AES-256", name)
    offered = page.locator("#usages label").all_inner_texts()
    assert "encrypt" in [one.strip() for one in offered]
    assert "sign" not in [one.strip() for one in offered]
    expect(page.locator("#certified")).to_be_hidden()
    page.locator("#usages").get_by_label("wrap", exact=True).check()
    alice.sealed()
    expect(page.locator("#sealed")).to_contain_text("AES-256, which the device is to make")
    # Back to the file: discarded, and never sent.
    page.get_by_role("button", name="Discard it").click()
    expect(page.locator("#made-type")).to_be_focused()
    assert alice.sent() == []


# --- a portal that lies ----------------------------------------------------------------------------------------------


def token_of(alice: Importing, key_type: str) -> str:
    """The device's true receipt for another key that it made."""
    material = to_be_made(key_type)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=["hash"])  # type: ignore[list-item]
    tenant = alice.reader.stack.tenant("acme")
    with tenant.connect() as connection:
        made = imports.import_key(
            connection, material, f"other-{os.urandom(4).hex()}", terms, int(alice.page.evaluate("Date.now() / 1000"))
        )
        return connection.portal.get(f"keys/{made.receipt.key_id}/receipt", dict[str, str])["receipt"]


@pytest.mark.parametrize("of", ["another type", "an imported key"])
def test_a_receipt_of_another_type_or_of_an_imported_key_is_refused(alice: Importing, name: str, of: str) -> None:
    if of == "another type":
        token = token_of(alice, "EC-P384")
    else:
        tenant = alice.reader.stack.tenant("acme")
        imported = tenant.import_key(f"{name}-theirs", pem(ec.generate_private_key(ec.SECP256R1())), usages=["hash"])
        with tenant.connect() as connection:
            token = connection.portal.get(f"keys/{imported.key_id}/receipt", dict[str, str])["receipt"]
    alice.asks_to_make("EC-P256", name, "hash")
    alice.sealed()
    alice.reader.hears_from("imports", lambda one: one.update(receipt=token))
    alice.send()
    expect(alice.refusal).to_contain_text("not for what was sent", timeout=PATIENCE)
    expect(alice.refusal).to_contain_text("receipt-mismatch")
    expect(alice.step("The device has it")).to_be_hidden()
    alice.hears_the_truth()
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)


def test_a_key_whose_receipt_was_lost_is_settled_only_as_one_that_was_made(alice: Importing, name: str) -> None:
    page = alice.page
    theirs = token_of(alice, "EC-P256")

    def arrives(route: Route) -> None:
        route.fetch()
        route.abort()

    alice.asks_to_make("EC-P256", name, "sign")
    alice.sealed()
    page.route("**/api/v1/imports", arrives)
    alice.send()
    expect(alice.refusal).to_contain_text("does not answer", timeout=PATIENCE)
    alice.hears_the_truth()
    alice.open()
    waiting = alice.step("Sent from here earlier")
    # Another key's receipt settles nothing; the true one does.
    alice.reader.hears_from("imports/*", lambda one: one.update(receipt=theirs))
    waiting.get_by_role("button", name="Ask what became of it").click()
    expect(alice.refusal).to_contain_text("not for what was sent", timeout=PATIENCE)
    alice.hears_the_truth()
    waiting.get_by_role("button", name="Ask what became of it").click()
    expect(waiting).to_contain_text("Its receipt is for exactly what this browser sent", timeout=PATIENCE)
    page.get_by_role("link", name="to the key").click()
    expect(page.locator("#compared-list")).to_contain_text("the receipt that was checked here")


# --- new versions ----------------------------------------------------------------------------------------------------


def test_the_next_version_of_a_key_that_was_made_is_another_that_is_made(alice: Importing, name: str) -> None:
    page = alice.page
    alice.asks_to_make("EC-P384", name, "sign")
    alice.sealed()
    alice.sent_and_received()
    first, terms = receipt_of(alice), alice.saved("Save your terms")
    # From the key's page, where the form is filled in for it.
    page.get_by_role("link", name="To the key").click()
    page.get_by_role("link", name="Import or make a new version").click()
    alice.ask()
    expect(page.get_by_text("Becomes version 2. Version 1 is the newest: EC-P384, made in the device")).to_be_visible(
        timeout=PATIENCE
    )
    expect(page.get_by_label("Let the device make one")).to_be_checked()
    expect(page.locator("#made-type")).to_have_value("EC-P384")
    expect(page.get_by_text(f"strongroom keys renew {name}")).to_be_visible()
    # Looser terms are named, with the command by which the owner consents.
    alice.requests.clear()
    alice.asks_to_make("EC-P384", name, "sign", "verify")
    alice.gives_terms_before(terms)
    alice.encrypt()
    consents = f"strongroom keys make {name} --type EC-P384 --new-version --usage sign --usage verify --owner-consent"
    alice.nothing_left("Looser than in version 1: usages.", consents)
    alice.look()
    page.locator("#usages").get_by_label("verify", exact=True).uncheck()
    alice.sealed()
    alice.sent_and_received()
    second = receipt_of(alice)
    assert (second.key_id, second.version, second.origin) == (first.key_id, 2, "made")
    assert second.public_key != first.public_key


def test_an_imported_key_is_followed_by_one_that_is_made(alice: Importing, name: str) -> None:
    tenant = alice.reader.stack.tenant("acme")
    first = tenant.import_key(name, pem(Ed25519PrivateKey.generate()), usages=["sign"])
    alice.reader.open(f"/keys/import/?version-of={first.key_id}")
    expect(alice.page.get_by_label("A key of mine, in a file")).to_be_checked(timeout=PATIENCE)
    alice.ask()
    expect(alice.page.get_by_text("Becomes version 2. Version 1 is the newest: Ed25519, since")).to_be_visible(
        timeout=PATIENCE
    )
    alice.asks_to_make(KeyType.ED25519, name, "sign")
    alice.sealed()
    alice.sent_and_received()
    assert (receipt_of(alice).version, receipt_of(alice).origin) == (2, "made")
