"""Pages on which a security key changes a partition's access list: what they put together, and what comes of it."""

import html
import re
from typing import Any

import msgspec
import pytest

from strongroom.protocol.access import Editor, Principal, edit_challenge, read_list
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, read_json
from strongroom.protocol.security_keys import SecurityKey
from tests.support import portal
from tests.support.pages import Visitor, text, visitor
from tests.support.portal import Organisation
from tests.support.sealed import Customer, SealedDevice
from tests.support.security_keys import SoftwareKey
from tests.support.transports import make_envelope, post_import

ORIGIN = "http://localhost"


@pytest.fixture(scope="module")
def acme(device: SealedDevice) -> Organisation:
    """A tenant of this file's own: others have the partition that is the only one of theirs."""
    return portal.make_organisation("access", "dora")


@pytest.fixture(scope="module")
def dora(acme: Organisation, device: SealedDevice) -> Customer:
    """The tenant's partition, whose list may be spoilt."""
    return portal.make_customer(acme, device)


@pytest.fixture
def key(dora: Customer) -> SoftwareKey:
    """A security key that the owner lets change the list, on which device and client are."""
    found = SoftwareKey("alice", origin=ORIGIN)
    everyone = dora.access_list(dora.device_entry(["import", "sign"]), dora.client_entry(["sign", "verify"]))
    dora.put_access(msgspec.structs.replace(everyone, editors=[found.editor("Alice's")]))
    return found


@pytest.fixture(scope="module")
def alice(acme: Organisation) -> Visitor:
    return visitor(acme.owner)


class Page:
    """The page of a partition's access list."""

    def __init__(self, who: Visitor, customer: Customer) -> None:
        self.who, self.customer = who, customer
        self.path = f"/partitions/{customer.partition}/access/"

    def shown(self) -> tuple[str, dict[str, list[str]]]:
        """The digest of the list that the form follows, and the boxes that are ticked in it."""
        page = text(self.who.get(self.path))
        ticked: dict[str, list[str]] = {}
        for name, right in re.findall(r'name="(may:[^"]+)" value="(\w+)" checked', page):
            ticked.setdefault(name, []).append(right)
        found = re.search(r'name="following" value="(\w+)"', page)
        return found.group(1) if found else "", ticked

    def ask(self, following: str, boxes: dict[str, list[str]]) -> Any:
        """Send the form with these boxes ticked."""
        page = text(self.who.get(self.path))
        shown, had = (re.findall(rf'name="{name}" value="([^"]+)"', page) for name in ("shown", "had"))
        return self.who.post(self.path, **{"following": following, "shown": shown, "had": had, **boxes})

    def sign(self, asked: str, key: SoftwareKey, payload: bytes = b"", **spoiled: Any) -> Any:
        """Send what the page's script sends: the key's signature over what the page has it sign."""
        sent = re.search(r'name="payload" value="([\w-]+)"', asked)
        challenge = re.search(r'data-challenge="([\w-]+)"', asked)
        assert sent
        assert challenge
        assert from_b64u(challenge.group(1)) == edit_challenge(from_b64u(sent.group(1)))
        given = key.give(from_b64u(challenge.group(1)), **spoiled)
        again: dict[str, list[str]] = {}
        for name, value in re.findall(r'<input type="hidden" name="(had|off|may:[^"]+)" value="([^"]+)">', asked):
            again.setdefault(name, []).append(value)
        fields = again | given | {"credential_id": b64u(key.identifier), "payload": b64u(payload) or sent.group(1)}
        return self.who.post(f"{self.path}sign", page=self.path, **fields)

    def in_force(self) -> list[Principal]:
        from portal.pages.selectors import access_of
        from tenants.models import Partition

        found = access_of(Partition.objects.using("provider").get(partition_id=self.customer.partition))
        self.customer.document, self.customer.version = found.document, found.version
        return found.principals


@pytest.fixture
def page(alice: Visitor, dora: Customer) -> Page:
    return Page(alice, dora)


def test_what_is_ticked_is_what_the_key_signs_and_what_comes_into_force(
    page: Page, dora: Customer, key: SoftwareKey
) -> None:
    following, boxes = page.shown()
    device, client = dora.device_entry([]).principal, dora.client
    assert boxes == {f"may:{device}": ["import", "sign"], f"may:{client}": ["sign", "verify"]}
    boxes[f"may:{client}"] = ["sign", "encrypt"]
    asked = text(page.ask(following, boxes))
    assert f"({client}) may also encrypt, and may no longer verify." in asked
    assert page.sign(asked, key).status_code == 302
    listed = page.in_force()
    assert [(one.principal, one.rights) for one in listed] == [
        (device, ["import", "sign"]),
        (client, ["sign", "encrypt"]),
    ]
    assert listed[0] == dora.device_entry(["import", "sign"])
    assert "signed by the security key Alice's" in text(page.who.get(f"/partitions/{dora.partition}/"))


def test_who_has_no_right_is_off_and_a_device_of_ones_own_comes_on_with_its_credential(
    page: Page, acme: Organisation, dora: Customer, key: SoftwareKey, fresh_name: str
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tenants import services

    credential = public_credential(Ed25519PrivateKey.generate())
    services.enrol_device(tenant=acme.tenant, name=fresh_name, credential=credential, actor="alice")
    following, boxes = page.shown()
    boxes["off"] = [dora.client]
    boxes[f"may:device:{credential.fingerprint}"] = ["verify"]
    asked = text(page.ask(following, boxes))
    assert f"({dora.client}) is taken off the list" in asked
    assert f"{fresh_name} (device:{credential.fingerprint}) is listed, and may verify." in asked
    assert page.sign(asked, key).status_code == 302
    added = Principal(
        principal=f"device:{credential.fingerprint}", rights=["verify"], credential=credential, label=fresh_name
    )
    assert page.in_force() == [dora.device_entry(["import", "sign"]), added]


def test_the_log_names_the_key_that_signed_and_the_owner(page: Page, dora: Customer, key: SoftwareKey) -> None:
    from portal.audit.services import copy_log

    following, boxes = page.shown()
    assert page.sign(text(page.ask(following, boxes | {"off": [dora.client]})), key).status_code == 302
    page.in_force()
    copy_log(wait=True)
    shown = text(page.who.get("/log/"))
    assert f'<span title="{key.credential.fingerprint}">security key Alice' in shown
    assert f'<span title="{public_credential(dora.owner).fingerprint}">the owner</span>' in shown


@pytest.mark.usefixtures("engine_keys")
def test_the_engine_opens_what_a_device_sent_that_the_key_listed_and_nothing_of_one_that_it_took_off(
    page: Page, acme: Organisation, dora: Customer, key: SoftwareKey, fresh_name: str
) -> None:
    device = dora.device_entry([]).principal
    following, boxes = page.shown()
    assert page.sign(text(page.ask(following, boxes | {"off": [dora.client]})), key).status_code == 302
    for name in ("first", "second"):
        envelope = make_envelope(acme, dora, ("engine", "HPKE-XWING"), f"{fresh_name}-{name}")
        answer = post_import(acme, dora, envelope)
        if name == "first":
            assert answer.status_code == 201, answer.text
            following, boxes = page.shown()
            assert page.sign(text(page.ask(following, boxes | {"off": [device]})), key).status_code == 302
    assert answer.json()["code"] == "device-not-listed"
    page.in_force()


def test_of_a_long_list_a_part_is_shown_and_found_and_the_rest_stays_as_it_is(
    page: Page, dora: Customer, key: SoftwareKey
) -> None:
    many = [Principal(principal=f"client:cl_many{n}", rights=["sign"], label=f"till {n}") for n in range(120)]
    dora.put_access(msgspec.structs.replace(dora.access_list(*many), editors=[key.editor("Alice's")]))
    shown = text(page.who.get(page.path))
    assert shown.count('name="off"') == 50
    assert "70 more are not shown, and stay as they are" in shown
    found = text(page.who.get(f"{page.path}?find=TILL+77"))
    assert re.findall(r'name="off" value="([^"]+)"', found) == ["client:cl_many77"]
    following = re.search(r'name="following" value="(\w+)"', found)
    assert following
    sent = {"following": following.group(1), "shown": "client:cl_many77", "off": "client:cl_many77"}
    asked = text(page.who.post(page.path, **sent))
    assert page.sign(asked, key).status_code == 302
    assert page.in_force() == [one for one in many if one.principal != "client:cl_many77"]


def test_whoever_changed_it_meanwhile_wins_and_the_page_says_what_to_do(
    page: Page, dora: Customer, key: SoftwareKey
) -> None:
    following, boxes = page.shown()
    del boxes[f"may:{dora.client}"]
    asked = text(page.ask(following, boxes))
    listed = dora.access_list(dora.client_entry(["hash"]))
    dora.put_access(msgspec.structs.replace(listed, editors=[key.editor("Alice's")]))
    for answer in (page.ask(following, boxes), page.sign(asked, key)):
        assert answer.status_code == 409
        assert "Below is the list that is in force now" in answer.content.decode()
    assert [one.principal for one in page.in_force()] == [dora.client]


def test_after_a_conflict_what_was_asked_for_is_ticked_and_what_others_changed_stays(
    page: Page, dora: Customer, key: SoftwareKey
) -> None:
    def rows(answer: Any) -> dict[str, tuple[set[str], bool, bool]]:
        """Of everybody the ticked rights, whether they are taken off, and whether that was asked for."""
        found = {}
        for row in re.findall(r"<tr>(.*?)</tr>", html.unescape(answer.content.decode()), re.DOTALL):
            if who := re.search(r'name="shown" value="([^"]+)"', row):
                ticked = re.findall(r'name="may:[^"]+" value="(\w+)" checked', row)
                off = bool(re.search(r'name="off" value="[^"]+" checked', row))
                found[who[1]] = (set(ticked), off, "you asked for this" in row)
        return found

    following, boxes = page.shown()
    device, client = dora.device_entry([]).principal, dora.client
    had = [f"{device} import,sign", f"{client} sign,verify"]
    boxes |= {"had": had, "off": [device], f"may:{client}": ["sign", "encrypt"]}
    asked = text(page.ask(following, boxes))
    # Meanwhile the client gets another right, and loses one that the form leaves alone.
    listed = dora.access_list(dora.device_entry(["import", "sign"]), dora.client_entry(["verify", "hash"]))
    dora.put_access(msgspec.structs.replace(listed, editors=[key.editor("Alice's")]))
    for answer in (page.ask(following, boxes), page.sign(asked, key)):
        assert answer.status_code == 409
        assert rows(answer)[device] == ({"import", "sign"}, True, True)
        assert rows(answer)[client] == ({"hash", "encrypt"}, False, True)
        assert [who for who, (*_, wanted) in rows(answer).items() if wanted] == [device, client]


def test_what_the_key_did_not_sign_changes_nothing(page: Page, dora: Customer, key: SoftwareKey) -> None:
    following, boxes = page.shown()
    before = page.in_force()
    asked = text(page.ask(following, boxes | {f"may:{dora.client}": ["sign"]}))
    other = canonical_json(read_list(key.edit(dora.document or "", [])))
    refusals = [
        (page.sign(asked, key, payload=other), "signature-invalid"),
        (page.sign(asked, key, said={"origin": "https://elsewhere.example"}), "security-key-refused"),
        (page.sign(asked, key, flags=0x01), "security-key-refused"),
        (page.sign(asked, SoftwareKey("mallory", origin=ORIGIN)), "not-an-editor"),
    ]
    for answer, code in refusals:
        assert code in answer.content.decode()
        assert "The list was not changed" in answer.content.decode()
        assert answer.status_code == 403 or code == "signature-invalid"
    assert page.in_force() == before


def test_nothing_is_signed_where_nothing_changes_or_a_right_is_unknown(page: Page, key: SoftwareKey) -> None:
    following, boxes = page.shown()
    assert page.ask(following, boxes).status_code == 302
    assert "Nothing is different" in text(page.who.get(page.path))
    boxes[next(iter(boxes))] = ["export"]
    assert page.ask(following, boxes).status_code == 400
    assert page.ask("", boxes).status_code == 400


def test_a_key_of_another_address_is_not_offered(page: Page, dora: Customer) -> None:
    elsewhere = SoftwareKey("alice", origin="http://localhost:9999")
    listed = dora.access_list(dora.client_entry(["sign"]))
    dora.put_access(msgspec.structs.replace(listed, editors=[Editor(key=elsewhere.credential, label="Alice's")]))
    shown = text(page.who.get(page.path))
    assert "Neither the owner credential nor a security key is here" in shown
    assert "Alice's at http://localhost:9999" in shown


def registration(new: SoftwareKey, flags: int = 0x45) -> dict[str, str]:
    identifier = len(new.identifier).to_bytes(2) + new.identifier
    return {
        "credential_id": b64u(new.identifier),
        "public_key": b64u(new.public),
        "authenticator_data": b64u(new.authenticator_data(flags=flags) + bytes(16) + identifier),
        "client_data": b64u(new.client_data("webauthn.create", b"any")),
    }


def test_a_registered_key_is_shown_as_what_the_owner_lets_and_is_kept_nowhere(alice: Visitor, dora: Customer) -> None:
    new, path = SoftwareKey("alice", origin=ORIGIN), f"/partitions/{dora.partition}/security-keys/"
    shown = text(alice.post(path, **registration(new)))
    word = re.search(r"strongroom access editors add ([\w-]+) --label", shown)
    assert word
    assert read_json(from_b64u(word.group(1)), SecurityKey) == new.credential
    assert new.credential.fingerprint in shown
    assert new.credential.fingerprint not in text(alice.get(path))
    passkey = alice.post(path, **registration(new, flags=0x5D))
    assert passkey.status_code == 403
    assert "a passkey that can be copied" in passkey.content.decode()


def test_who_is_not_an_admin_has_no_such_page(acme: Organisation, dora: Customer, key: SoftwareKey) -> None:
    from tests.support.pages import as_role

    auditor = as_role(acme.tenant, "auditor")
    path = f"/partitions/{dora.partition}/"
    assert auditor.get(f"{path}access/").status_code == 403
    assert "Change it in the browser" not in text(auditor.get(path))
    assert key.credential.fingerprint in text(auditor.get(path))
