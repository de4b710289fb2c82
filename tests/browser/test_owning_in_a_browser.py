"""Alice's browser makes an owner credential, asks for a partition with it, and signs who may do what in it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace
from playwright.sync_api import Browser, Route, expect

from stack.customers import log_in
from strongroom.client.connection import connect
from strongroom.protocol.access import AccessList, Principal
from strongroom.protocol.credentials import PublicCredential, public_credential
from tests.support.accessibility import Look
from tests.support.command import run
from tests.support.importing import PATIENCE, altered, pem, spellings
from tests.support.newcomers import define
from tests.support.owning import PASSPHRASE, Owned, Owning, folder_of
from tests.support.reader import Reader
from tests.support.security_keys import SoftwareKey
from tests.support.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.needs("npm"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def owning(browser: Browser, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owning]:
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(stack.people.admins["acme"].username)
        yield Owning(reader, Path(tmp_path_factory.mktemp("saved")))


@pytest.fixture(scope="module")
def owned(owning: Owning, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Owned:
    """Asked for in the browser, and defined by the provider's officers."""
    owning.open_request()
    owner = owning.make_and_keep()
    device = owning.enrol()
    reference = owning.ask_for("of the browser")
    define(stack, owner.fingerprint)
    acme = stack.tenant("acme")
    home = folder_of(owning, acme.home, "acme", tmp_path_factory.mktemp("home"))
    log_in(stack.state, acme.admin, home)
    with connect(home, "person") as connection:
        home.use_partition(connection.portal.get(f"partitions/{reference}", dict[str, Any])["partition"])
    owning.reader.complaints.clear()
    return Owned(owning, reference, device, owner, home)


@pytest.fixture(autouse=True)
def nothing_is_altered_afterwards(owning: Owning) -> Iterator[None]:
    owning.requests.clear()
    yield
    owning.page.unroute_all(behavior="wait")


def asked_for(owning: Owning) -> list[str]:
    return [one.url for one in owning.requests if one.method == "POST" and "/api/v1/" in one.url]


def test_nothing_is_asked_for_before_the_credential_was_saved(owning: Owning, look: Look) -> None:
    page = owning.page
    owning.open_request()
    expect(page.get_by_text("Its scripts come from the provider")).to_be_visible()
    look.here(owning.reader)
    # 1. A passphrase that is one.
    owning.make("short", "short")
    expect(owning.refusal).to_contain_text("shorter than 12 characters")
    owning.make(PASSPHRASE, PASSPHRASE + "!")
    expect(owning.refusal).to_contain_text("The passphrases differ.")
    look.here(owning.reader)
    # 2. Made, and not kept: both files come first, then the word that they are safe.
    owning.make()
    expect(page.get_by_role("heading", name="Save it now")).to_be_focused(timeout=PATIENCE)
    look.here(owning.reader)
    expect(page.get_by_label("I have saved both")).to_be_disabled()
    owning.save("owner.pem")
    expect(page.get_by_label("I have saved both")).to_be_disabled()
    owning.save("owner.json")
    expect(page.get_by_label("I have saved both")).to_be_enabled()
    owning.press("Keep it in this browser, and go on")
    expect(owning.step("This browser's own key")).to_be_hidden()
    expect(page.get_by_role("button", name="Ask for it")).to_be_hidden()
    # 3. Whoever leaves now has nothing here, and begins again.
    owning.open_request()
    expect(page.get_by_role("button", name="Make the owner credential")).to_be_visible()
    assert asked_for(owning) == []
    assert owning.reader.complaints == []


def test_the_saved_file_is_the_credential_under_its_passphrase(owning: Owning, owned: Owned, look: Look) -> None:
    key = load_pem_private_key((owning.files / "owner.pem").read_bytes(), PASSPHRASE.encode())
    assert isinstance(key, Ed25519PrivateKey)
    assert public_credential(key) == owned.owner
    with pytest.raises(ValueError, match="password"):
        load_pem_private_key((owning.files / "owner.pem").read_bytes(), PASSPHRASE.encode() + b"!")
    # The page knows it again, and leads on.
    owning.open_request()
    expect(owning.page.get_by_label("Label of the partition")).to_be_visible()
    expect(owning.page.locator("#owner-facts")).to_contain_text(owned.owner.fingerprint)
    look.here(owning.reader)
    owning.look()


def test_no_byte_of_the_credential_or_its_passphrase_is_sent(browser: Browser, stack: Stack, tmp_path: Path) -> None:
    with browser.new_context() as context:
        reader = Reader(context.new_page(), stack)
        reader.log_in(stack.people.admins["acme"].username)
        bob = Owning(reader, tmp_path)
        bob.open_request()
        owner = bob.make_and_keep()
        bob.enrol()
        bob.ask_for("never defined")
        key = load_pem_private_key((tmp_path / "owner.pem").read_bytes(), PASSPHRASE.encode())
        secret = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        locked = b"".join((tmp_path / "owner.pem").read_bytes().splitlines()[1:-1])
        requests = list(bob.everything_sent())
        for words in (secret, PASSPHRASE.encode(), locked[:64]):
            assert not any(one in request for request in requests for one in spellings(words))
        # While what was sent is found.
        assert any(owner.x.encode() in request for request in requests)
        # Nor can a script have it from where the browser keeps it.
        kept = reader.page.evaluate(
            """async () => {
              const asked = indexedDB.open("strongroom acme");
              const database = await new Promise((done) => { asked.onsuccess = () => done(asked.result); });
              const read = database.transaction("kept").objectStore("kept").get("owner");
              const { privateKey } = await new Promise((done) => { read.onsuccess = () => done(read.result); });
              const tried = (form) => crypto.subtle.exportKey(form, privateKey).catch((one) => one.name);
              return [privateKey.type, privateKey.extractable, await tried("pkcs8"), await tried("jwk")];
            }"""
        )
        assert kept == ["private", False, "InvalidAccessError", "InvalidAccessError"]
        assert reader.complaints == []


def test_the_first_list_is_signed_in_the_browser_and_the_command_goes_on(
    owning: Owning, owned: Owned, look: Look
) -> None:
    acme = owning.reader.stack.tenant("acme")
    # 1. Put together; before it signs the browser wants to know whom to believe.
    owning.change(owned.reference, owned.device, "import", "sign", "verify")
    expect(owning.step("Whom you trust")).to_be_visible()
    look.here(owning.reader)
    owning.trust(acme.home)
    # 2. What it says, it has read from the very document.
    assert owning.words == [f"This browser ({owned.device}) is listed, and may import, sign, verify."]
    look.here(owning.reader)
    owning.look()
    assert owned.in_force().version == 0
    # 3. In force, and the command takes it for what it is.
    owning.signed()
    look.here(owning.reader)
    first = owned.in_force()
    assert (first.version, first.signed_by) == (1, f"owner {owned.owner.fingerprint}")
    assert [(one.principal, one.rights) for one in first.principals] == [(owned.device, ["import", "sign", "verify"])]
    # 4. The saved owner.pem signs the next, with the command; and the browser the one after.
    said = run(owned.home.path, "access", "allow", "client:cl_command", "--rights", "sign", said=PASSPHRASE + "\n")
    assert said["version"] == 2
    name = owned.another_client("signed-in-the-browser")
    owning.change(owned.reference, name, "sign")
    assert len(owning.words) == 1
    assert re.fullmatch(rf"{name} \(client:\w+\) is listed, and may sign\.", owning.words[0])
    owning.signed()
    assert owned.in_force().version == 3
    lists = run(owned.home.path, "log", "verify")["access_lists"]
    assert [one["signed_by"] for one in lists] == [f"owner {owned.owner.fingerprint[:13]}…"] * 3
    assert owning.reader.complaints == []


# --- a portal that lies ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(owned: Owned) -> Owned:
    """With a list in force, which this browser has seen."""
    owning = owned.owning
    owning.change(owned.reference, owned.another_client("before-the-lies"), "sign")
    expect(owning.page.locator("#anchors, #anchors-kept").filter(visible=True)).to_be_visible()
    if owning.page.locator("#anchors").is_visible():
        owning.trust(owning.reader.stack.tenant("acme").home)
    assert owning.words
    owning.signed()
    return owned


def asks(listed: Owned, name: str) -> None:
    """Alice has it put together that an API client may sign."""
    listed.owning.change(listed.reference, listed.another_client(name), "sign")


def stranger() -> PublicCredential:
    return public_credential(Ed25519PrivateKey.generate())


LISTS: dict[str, tuple[Callable[[AccessList], AccessList], str]] = {
    "another owner": (lambda one: replace(one, owners=[*one.owners, stranger()]), "changes the partition's owners"),
    "other owners": (lambda one: replace(one, owners=[stranger()]), "changes the partition's owners"),
    "a security key": (
        lambda one: replace(one, editors=[SoftwareKey("mallory").editor("hers")]),
        "changes the partition's owners or security keys",
    ),
    "another partition": (lambda one: replace(one, partition="pt_" + "a" * 32), "of another partition"),
    "a later version": (lambda one: replace(one, version=one.version + 1), "does not follow the one in force"),
    "after another list": (lambda one: replace(one, previous="0" * 64), "does not follow the one in force"),
    "the same as before": (lambda one: replace(one, principals=one.principals[:-1]), "changes nothing"),
    "somebody twice": (lambda one: replace(one, principals=[*one.principals, one.principals[-1]]), "twice"),
    "a device under another's name": (
        lambda one: replace(
            one,
            principals=[
                *one.principals,
                Principal(principal="device:of-alice", rights=["sign"], credential=stranger()),
            ],
        ),
        "with another device's key",
    ),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_nobody_asked_for_is_not_signed(listed: Owned, kind: str) -> None:
    change, sentence = LISTS[kind]
    listed.owning.serves(change)
    version = listed.in_force().version
    asks(listed, f"instead of {kind}")
    listed.owning.nothing_was_signed(sentence, "Nothing was signed.")
    assert listed.in_force().version == version


def test_whoever_is_added_on_the_way_stands_in_what_the_browser_says(listed: Owned) -> None:
    hers = stranger()
    principal = Principal(
        principal=f"device:{hers.fingerprint}", rights=["sign", "decrypt"], credential=hers, label="Alice's laptop"
    )
    listed.owning.serves(lambda one: replace(one, principals=[*one.principals, principal]))
    asks(listed, "with company")
    assert f"Alice's laptop (device:{hers.fingerprint}) is listed, and may sign, decrypt." in listed.owning.words
    assert len(listed.owning.words) == 2


def test_a_list_in_force_that_was_altered_is_refused(listed: Owned) -> None:
    def later(answer: Any) -> None:
        answer["version"] += 1
        answer["document"] = altered(answer["document"], version=answer["version"])

    listed.owning.reader.hears_from("partitions/*/access", later)
    asks(listed, "after an altered list")
    listed.owning.nothing_was_signed("signature does not hold", "signature-invalid")


def test_no_list_and_an_older_one_are_not_believed_once_there_was_one(listed: Owned) -> None:
    listed.owning.reader.hears_from("partitions/*/access", lambda one: one.update(document="", version=0))
    asks(listed, "after nothing")
    listed.owning.nothing_was_signed("was in force before", "access-list-conflict")


def test_an_attestation_that_was_altered_or_is_old_is_refused(listed: Owned) -> None:
    old: list[str] = []

    def replay(answer: Any) -> None:
        old.append(answer["attestation"])
        answer["attestation"] = old[0]

    listed.owning.reader.hears_from("partitions/*/attestation", replay)
    asks(listed, "with an old attestation")
    assert listed.owning.words
    listed.owning.sign()
    listed.owning.nothing_was_signed("answers another question", "nonce-mismatch")


def test_a_list_that_the_portal_keeps_to_itself_is_not_said_to_be_in_force(listed: Owned) -> None:
    owning = listed.owning
    asks(listed, "kept back")
    assert owning.words

    def keep(route: Route) -> None:
        if route.request.method == "PUT":
            return route.fulfill(json={"version": 99, "document": "", "owners": []})
        return route.continue_()

    owning.page.route("**/api/v1/partitions/*/access", keep)
    version = listed.in_force().version
    owning.sign()
    expect(owning.refusal).to_contain_text("Whether it is in force is not known", timeout=PATIENCE)
    expect(owning.page.get_by_role("heading", name="In force")).to_be_hidden()
    assert listed.in_force().version == version


def test_a_partition_of_another_owner_is_refused_whatever_the_portal_says(listed: Owned) -> None:
    owning, acme = listed.owning, listed.owning.reader.stack.tenant("acme")
    other, page = acme.home.partition(), owning.page
    # 1. As things are, the page says whose it is and offers nothing.
    owning.reader.open(f"/partitions/{other}/access/")
    expect(page.get_by_role("heading", name="The owner credential in this browser is not of this")).to_be_visible()
    expect(page.locator("#owner-other")).to_contain_text(acme.home.credential("owner").fingerprint)
    expect(page.get_by_role("button", name="Show what will change")).to_be_hidden()

    # 2. Where the portal calls the partition Alice's, its list is signed by nobody whom this browser knows.
    def claim(route: Route) -> None:
        response = route.fetch()
        body = re.sub(
            r"(&quot;owners&quot;:\[&quot;)[\w-]+", rf"\g<1>{listed.owner.fingerprint}", response.text(), count=1
        )
        route.fulfill(response=response, body=body)

    page.route("**/access/", claim)
    name = listed.another_client("of-the-other")
    owning.change(other, name, "sign")
    owning.nothing_was_signed("owner that is not known here", "not-the-owner")
    # 3. Where it says that there is no list yet, the device says whose the partition is.
    owning.reader.hears_from("partitions/*/access", lambda one: one.update(document="", version=0))
    owning.change(other, name, "sign")
    owning.nothing_was_signed("owner that is not you", "owner-mismatch")


# --- afterwards -----------------------------------------------------------------------------------------------------


def test_the_partition_is_handed_over_to_a_credential_that_no_page_saw(listed: Owned, tmp_path: Path) -> None:
    home, owning = listed.home.path, listed.owning
    fresh = run(tmp_path, "owner", "init")["fingerprint"]
    # 1. Both own it; nobody removes itself.
    mine = listed.owner.fingerprint
    said = run(home, "access", "owners", "add", tmp_path / "owner.json", said=PASSPHRASE + "\n")
    assert said["owners"] == sorted([mine, fresh])
    run(home, "access", "owners", "remove", mine, refused="conflict")
    run(home, "access", "owners", "remove", "nobody", refused="not-found")
    # 2. The other takes it.
    for file in ("owner.pem", "owner.json"):
        (home / file).write_bytes((tmp_path / file).read_bytes())
    said = run(home, "access", "owners", "remove", mine)
    assert said == {"version": said["version"], "signed_by": f"owner {fresh}", "owners": [fresh]}
    assert run(home, "access", "owners", "list") == said
    assert run(home, "log", "verify")["access_lists"][-1]["signed_by"] == f"owner {fresh[:13]}…"
    # 3. What the browser keeps is of no use any more, and the new owner goes on.
    run(home, "device", "enrol", "--name", "of-the-new-owner")
    device = f"device:{run(home, 'device', 'show')['fingerprint']}"
    run(home, "access", "allow", device, "--rights", "import")
    (tmp_path / "key.pem").write_bytes(pem(Ed25519PrivateKey.generate()))
    imported = run(home, "import", tmp_path / "key.pem", "--name", "of-the-new-owner", "--usage", "sign")
    assert imported["receipt"]["owner"] == fresh
    owning.reader.open(f"/partitions/{listed.reference}/access/")
    expect(owning.page.get_by_role("heading", name="The owner credential in this browser is not")).to_be_visible()


def test_what_the_browser_keeps_is_forgotten_after_a_question(listed: Owned, look: Look) -> None:
    owning, page = listed.owning, listed.owning.page
    owning.open_request()
    owning.press("Forget it in this browser")
    expect(page.get_by_role("heading", name="Forget the owner credential here?")).to_be_focused()
    look.here(owning.reader)
    owning.press("Keep it")
    expect(page.get_by_role("button", name="Forget it in this browser")).to_be_focused()
    owning.press("Forget it in this browser")
    page.get_by_role("button", name="Forget it", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Make the owner credential")).to_be_visible()
    owning.reader.open(f"/partitions/{listed.reference}/access/")
    expect(page.get_by_role("heading", name="Neither the owner credential nor a security key")).to_be_visible()
    expect(page.get_by_role("button", name="Show what will change")).to_be_hidden()
    assert (owning.files / "owner.pem").exists()
