"""Alice imports keys in Chromium: encrypted there, refused where anything does not agree, usable afterwards."""

import base64
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser, expect

from strongroom.protocol import jws
from strongroom.protocol.encoding import b64u
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import read_terms
from tests.support.command import run
from tests.support.importing import PATIENCE, Importing, altered, pem, spellings
from tests.support.reader import Reader

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm")]


@pytest.fixture
def alice(importing: Importing) -> Importing:
    return importing


def test_a_key_is_imported_used_and_proved_and_its_bytes_never_left(alice: Importing, tmp_path: Path) -> None:
    page, stack = alice.page, alice.reader.stack
    key = ec.generate_private_key(ec.SECP256R1())
    # 1. Chosen, with its terms; encrypted; nothing has left yet.
    alice.choose(pem(key), "from-a-browser", "sign", "verify", authorisation="token", not_after="90d")
    expect(page.get_by_text("Read as PKCS#8 in PEM: EC-P256.")).to_be_visible()
    expect(page.locator("#vouched")).to_contain_text(f"the provider (“{alice.home.config().provider}”)")
    expect(page.locator("#command")).to_have_text(
        "strongroom import my-key.pem --name from-a-browser --usage sign --usage verify --mode token --not-after 90d"
    )
    alice.look()
    alice.encrypt()
    expect(alice.step("What will leave this browser")).to_be_visible(timeout=PATIENCE)
    alice.look()
    expect(page.get_by_label("Key file", exact=True)).to_have_value("")
    expect(page.get_by_text("this page has forgotten it")).to_be_visible()
    assert alice.sent() == []
    shown = page.locator("#body").text_content()
    # 2. Sent: exactly what was shown; the receipt holds.
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)
    alice.look()
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
    alice.reader.hears_from("trust", exchange)
    alice.encrypt()
    alice.nothing_left("signature does not hold", "signature-invalid")


def test_an_attestation_that_was_altered_is_refused(alice: Importing) -> None:
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    alice.reader.hears_from(
        "partitions/*/attestation", lambda one: one.update(attestation=altered(one["attestation"], boot_epoch=7))
    )
    alice.encrypt()
    alice.nothing_left("signature does not hold", "signature-invalid")


def test_an_attestation_to_another_question_is_refused(alice: Importing) -> None:
    old: list[str] = []

    def replay(answer: Any) -> None:
        old.append(answer["attestation"])
        answer["attestation"] = old[0]

    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    alice.reader.hears_from("partitions/*/attestation", replay)
    alice.ask()
    expect(alice.page.get_by_text("All agree.")).to_be_visible(timeout=PATIENCE)
    alice.encrypt()
    alice.nothing_left("answers another question", "nonce-mismatch")


@pytest.mark.parametrize("path", ["validation", "validation/manufacturer"])
def test_a_validators_word_that_was_altered_is_refused(alice: Importing, path: str) -> None:
    alice.choose(pem(ec.generate_private_key(ec.SECP256R1())), "never-sent", "sign")
    alice.reader.hears_from(path, lambda one: one.update(statement=altered(one["statement"], expires_at=2**40)))
    alice.encrypt()
    alice.nothing_left("does not vouch", "signature-invalid")


def test_another_owners_partition_is_refused(alice: Importing) -> None:
    other = alice.reader.stack.tenant("globex").home.path / "owner.json"
    alice.page.get_by_role("button", name="Change").click()
    alice.trust(owner=other)
    alice.ask()
    alice.nothing_left("owner")
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
    alice.reader.hears_from("imports", lambda one: one.update(receipt=altered(one["receipt"], name="another")))
    alice.send()
    expect(alice.refusal).to_contain_text("signature does not hold", timeout=PATIENCE)
    expect(alice.step("The device has it")).to_be_hidden()
    # What another import got, signed as it should be, is no receipt for this one either.
    alice.page.unroute_all(behavior="wait")
    with alice.reader.stack.tenant("acme").connect() as connection:
        foreign = connection.portal.get("keys", list[dict[str, Any]])[0]["key_id"]
        token = connection.portal.get(f"keys/{foreign}/receipt", dict[str, Any])["receipt"]
    alice.reader.hears_from("imports", lambda one: one.update(receipt=token))
    alice.send()
    expect(alice.refusal).to_contain_text("not for what was sent", timeout=PATIENCE)
    # The same header again gets the same answer, and now nobody alters it.
    alice.page.unroute_all(behavior="wait")
    alice.send()
    expect(alice.step("The device has it")).to_be_visible(timeout=PATIENCE)


def test_a_file_that_is_no_key_gets_a_sentence(alice: Importing) -> None:
    alice.choose(b"a shopping list, which is long enough to be no key", "never-sent")
    expect(alice.refusal).to_contain_text("no key that the browser reads")
    foreign = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    alice.choose(foreign, "never-sent", file="id_ecdsa")
    expect(alice.refusal).to_contain_text("ssh-keygen -p -m PKCS8 -f id_ecdsa")
    expect(alice.refusal).to_contain_text("strongroom import id_ecdsa --name never-sent --usage sign")
    alice.encrypt()
    alice.nothing_left("key-unparsable")


def test_the_list_of_keys_leads_here_and_the_receipt_to_the_key(alice: Importing) -> None:
    alice.reader.open("/keys/")
    alice.page.get_by_role("link", name=re.compile("^Import or make a key")).first.click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("Import or make a key")


def test_without_scripts_the_page_offers_the_command(browser: Browser, importer: Reader) -> None:
    with browser.new_context(java_script_enabled=False, storage_state=importer.page.context.storage_state()) as context:
        plain = Reader(context.new_page(), importer.stack)
        assert plain.open("/keys/import/") == 200
        expect(plain.page.get_by_text("This page needs its scripts")).to_be_visible()
        expect(plain.page.get_by_text("strongroom import KEY.pem")).to_be_visible()
