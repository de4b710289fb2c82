"""Alice imports new versions of a key in Chromium, under the command's rules."""

import os
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import expect

from strongroom.protocol import jws
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt
from tests.support.command import run
from tests.support.importing import PATIENCE, Importing, altered, pem

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]


def fresh() -> bytes:
    return pem(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def first(importing: Importing) -> Receipt:
    """A key of the command's, which only signs and verifies, until a year from now."""
    name = f"renewed-{os.urandom(4).hex()}"
    return importing.reader.stack.tenant("acme").import_key(name, fresh(), usages=["sign", "verify"])


def renew(importing: Importing, first: Receipt) -> None:
    """From the key's page to the step of the key, which is filled in for it."""
    importing.reader.open(f"/keys/{first.key_id}/")
    importing.page.get_by_role("link", name="Import or make a new version").click()
    expect(importing.page.get_by_role("heading", level=1)).to_have_text(f"Import or make a new version of {first.name}")
    importing.ask()
    expect(importing.step("The key and its terms")).to_be_visible(timeout=PATIENCE)
    expect(importing.page.get_by_text("Becomes version 2. Version 1 is the newest: EC-P256")).to_be_visible()
    importing.requests.clear()


def test_a_new_version_comes_from_the_keys_page(importing: Importing, first: Receipt, tmp_path: Path) -> None:
    renew(importing, first)
    importing.choose(fresh(), first.name, "sign")
    assert re.search(r"--name \S+ --new-version --usage sign$", importing.page.locator("#command").inner_text())
    importing.look()
    importing.sealed()
    expect(importing.page.locator("#sealed")).to_contain_text(f"{first.name}, version 2")
    importing.sent_and_received()
    receipt = jws.read_unverified(importing.saved("Save the receipt").decode(), Receipt)
    assert (receipt.key_id, receipt.version) == (first.key_id, 2)
    assert receipt.public_key != first.public_key
    # The command goes on from there, and this page from what the command did.
    (tmp_path / "third.pem").write_bytes(fresh())
    command = ["import", str(tmp_path / "third.pem"), "--name", first.name, "--usage", "sign", "--new-version"]
    assert run(importing.home.path, *command)["receipt"]["version"] == 3
    importing.ready()
    importing.choose(fresh(), first.name, "sign")
    importing.page.get_by_label("As the next version").check()
    expect(importing.page.get_by_text("Becomes version 4.")).to_be_visible()
    importing.sealed()
    importing.sent_and_received()
    assert jws.read_unverified(importing.saved("Save the receipt").decode(), Receipt).version == 4


def terms_of(importing: Importing, first: Receipt) -> bytes:
    return (importing.home.path / "terms" / f"{first.terms_digest}.json").read_bytes()


def test_looser_terms_are_named_with_the_command_by_which_the_owner_consents(
    importing: Importing, first: Receipt
) -> None:
    renew(importing, first)
    importing.choose(fresh(), first.name, "sign", "derive", authorisation="token")
    importing.gives_terms_before(terms_of(importing, first))
    importing.encrypt()
    consents = f"strongroom import my-key.pem --name {first.name} --new-version"
    importing.nothing_left("Looser than in version 1: usages, authorisation.", consents, "--owner-consent")
    importing.look()
    # Others are not those of that version.
    importing.gives_terms_before(Terms(salt=new_salt(), key_type=first.key_type, usages=["sign"]).encode())
    importing.encrypt()
    importing.nothing_left("not the terms of version 1", "terms-refused")
    # Terms that are no looser need nobody.
    importing.choose(fresh(), first.name, authorisation="signed")
    importing.page.locator("#usages").get_by_label("derive", exact=True).uncheck()
    importing.gives_terms_before(terms_of(importing, first))
    importing.sealed()
    importing.sent_and_received()


def test_without_the_earlier_terms_the_device_finds_them_looser(importing: Importing, first: Receipt) -> None:
    renew(importing, first)
    importing.choose(fresh(), first.name, "sign", authorisation="token")
    importing.sealed()
    importing.send()
    expect(importing.refusal).to_contain_text("The device finds these terms looser", timeout=PATIENCE)
    expect(importing.refusal).to_contain_text("--new-version --usage sign --mode token --owner-consent")
    # It is known that nothing came of it: nothing waits for a receipt.
    importing.reader.open("/keys/import/")
    expect(importing.step("Whom you trust")).to_be_visible()
    expect(importing.step("Sent from here earlier")).to_be_hidden()


def test_another_type_is_looser_by_the_receipt_alone(importing: Importing, first: Receipt) -> None:
    renew(importing, first)
    importing.choose(pem(Ed25519PrivateKey.generate()), first.name, "sign")
    importing.encrypt()
    importing.nothing_left("Looser than in version 1: key_type", "--owner-consent")


def test_a_false_word_on_the_version_before_is_refused(importing: Importing, first: Receipt) -> None:
    renew(importing, first)
    importing.choose(fresh(), first.name, "sign")
    importing.reader.hears_from("keys/*/receipt", lambda one: one.update(receipt=altered(one["receipt"], version=8)))
    importing.encrypt()
    importing.nothing_left("signature does not hold", "signature-invalid")
    importing.hears_the_truth()
    other = importing.reader.stack.tenant("acme").import_key(f"{first.name}-other", fresh(), usages=["sign"])
    with importing.reader.stack.tenant("acme").connect() as connection:
        token = connection.portal.get(f"keys/{other.key_id}/receipt", dict[str, str])["receipt"]
    importing.reader.hears_from("keys/*/receipt", lambda one: one.update(receipt=token))
    importing.encrypt()
    importing.nothing_left("receipt of another key", "receipt-mismatch")


def test_a_name_that_is_taken_leads_to_the_next_version(importing: Importing, first: Receipt) -> None:
    importing.choose(fresh(), first.name, "sign")
    importing.sealed()
    importing.send()
    expect(importing.refusal).to_contain_text("make this its next version", timeout=PATIENCE)
    # What this browser itself imported it refuses before anything is encrypted.
    name = f"{first.name}-again"
    importing.ready()
    importing.choose(fresh(), name, "sign")
    importing.sealed()
    importing.sent_and_received()
    importing.ready()
    importing.requests.clear()
    importing.choose(fresh(), name, "sign")
    importing.encrypt()
    importing.nothing_left("by a receipt that this browser checked", "name-taken")
