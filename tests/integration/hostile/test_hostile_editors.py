"""A portal between an editor's security key and the device: what it cannot do, what it can, and how that is noticed."""

import time
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import access, proof
from strongroom.client.in_force import InForce
from strongroom.protocol import jws
from strongroom.protocol.access import Principal, device_principal, read_list
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.mechanisms import Usage
from tests.support.client import CLIENT, Client
from tests.support.customer import OPERATIONS
from tests.support.hostile import HostilePortal
from tests.support.refusals import refused
from tests.support.security_keys import SoftwareKey

MINE = Ed25519PrivateKey.generate()
MY_DEVICE = Principal(
    principal=device_principal(public_credential(MINE)),
    rights=["import", *OPERATIONS],  # type: ignore[list-item]
    credential=public_credential(MINE),
)


@pytest.fixture
def key(alice: Client) -> SoftwareKey:
    """Bob's security key, which Alice lets change who is listed."""
    found = SoftwareKey("bob")
    access.put_in_force(alice.connection, int(time.time()), editors=access.add_editor(found.editor("Bob's")))
    return found


def in_force(alice: Client) -> InForce:
    return access.in_force(alice.connection, alice.partition)


def put(portal: HostilePortal, alice: Client, document: str) -> None:
    portal.honest("access-update", {"partition": alice.partition, "document": document})


def without_client(alice: Client) -> list[Principal]:
    return [one for one in in_force(alice).principals if one.principal != f"client:{CLIENT}"]


# --- an honest one ---


def test_what_an_editor_changes_is_believed_shown_and_built_upon(
    alice: Client, portal: HostilePortal, key: SoftwareKey, tmp_path: Path
) -> None:
    fresh = alice.copied(tmp_path / "fresh", without="access")
    put(portal, alice, key.edit(in_force(alice).document, without_client(alice)))
    # 1. By whoever saw the list before, and by a folder that never saw one.
    for client in (alice, fresh):
        now = in_force(client)
        assert [one.principal for one in now.principals] == [alice.device]
        assert now.signed_by == f"security key {key.credential.fingerprint} (Bob's)"
        client.import_key(f"from-{client.home.path.name}")
    # 2. The evidence of a key that was imported under it holds.
    kept = proof.save(alice.connection, f"from-{alice.home.path.name}", int(time.time()))
    assert proof.verify(kept, alice.home.manufacturer_roots()).holds
    # 3. The owner's next list follows it, and leaves the key its say.
    after = alice.change_access(access.allow(f"client:{CLIENT}", ["sign"]))
    assert [one.label for one in after.editors] == ["Bob's"]
    assert after.signed_by == f"owner {alice.home.credential('owner').fingerprint}"
    signers = [(one.says.version, one.by_security_key) for one in alice.verify_log().lists]
    assert signers == [(1, False), (2, False), (3, True), (4, False)]


# --- what it cannot do ---


def test_a_list_that_it_rewrites_is_refused(alice: Client, portal: HostilePortal, key: SoftwareKey) -> None:
    signed = key.edit(in_force(alice).document, without_client(alice))
    listed = msgspec.structs.replace(read_list(signed), principals=[MY_DEVICE])
    rewritten = msgspec.json.decode(signed) | {"payload": b64u(canonical_json(listed))}
    with refused("signature-invalid"):
        put(portal, alice, canonical_json(rewritten).decode())


def test_a_key_of_its_own_is_none(alice: Client, portal: HostilePortal, key: SoftwareKey) -> None:
    mine, current = SoftwareKey("mallory"), in_force(alice).document
    with refused("not-an-editor"):
        put(portal, alice, mine.edit(current, [MY_DEVICE]))
    made_up = jws.sign(msgspec.structs.replace(read_list(current), editors=[mine.editor("Bob's")]), MINE)
    with refused("access-list-conflict"):
        put(portal, alice, mine.edit(made_up, [MY_DEVICE]))


@pytest.mark.usefixtures("_nothing_leaves")
def test_a_list_that_it_makes_up_is_not_shown_as_the_one_in_force(
    alice: Client, portal: HostilePortal, key: SoftwareKey
) -> None:
    mine, current = SoftwareKey("mallory"), in_force(alice)
    made_up = jws.sign(msgspec.structs.replace(read_list(current.document), editors=[mine.editor()]), MINE)
    for document, code in (
        (mine.edit(current.document, [MY_DEVICE]), "not-an-editor"),
        (mine.edit(made_up, [MY_DEVICE]), "not-the-owner"),
    ):
        portal.does["access"] = lambda _, shown=document: {"version": current.version + 1, "document": shown}
        with refused(code):
            alice.import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
def test_a_list_that_the_key_signed_and_the_device_never_got_is_not_in_force(
    alice: Client, portal: HostilePortal, key: SoftwareKey
) -> None:
    current = in_force(alice)
    signed = key.edit(current.document, [*current.principals, MY_DEVICE])
    portal.does["access"] = lambda _: {"version": current.version + 1, "document": signed}
    with refused("validation-failed"):
        alice.import_key("payments")


def test_what_a_key_signed_serves_once_and_not_after_the_owner_changed_the_list(
    alice: Client, portal: HostilePortal, key: SoftwareKey
) -> None:
    kept_back = key.edit(in_force(alice).document, [*in_force(alice).principals, MY_DEVICE])
    alice.change_access(access.remove(f"client:{CLIENT}"))
    with refused("access-list-conflict"):
        put(portal, alice, kept_back)


@pytest.mark.usefixtures("_nothing_leaves")
def test_a_key_that_was_taken_off_is_not_shown_to_have_a_say_still(
    alice: Client, portal: HostilePortal, key: SoftwareKey, tmp_path: Path
) -> None:
    named = in_force(alice)
    fresh = alice.copied(tmp_path / "fresh", without="access")
    off = access.remove_editor(key.credential.fingerprint)
    last = access.put_in_force(alice.connection, int(time.time()), editors=off)
    late = msgspec.structs.replace(read_list(named.document), version=last.version + 1, principals=[MY_DEVICE])
    shown = {"version": late.version, "document": key.sign_list(named.document, canonical_json(late))}
    portal.does["access"] = lambda _: shown
    with refused("access-list-conflict"):
        alice.import_key("payments")
    # A folder that has seen no list has the device's word.
    with refused("validation-failed"):
        fresh.import_key("payments")


# --- what it can, and how that ends ---


def test_what_it_has_a_key_sign_blindly_is_seen_in_the_log_and_undone(
    alice: Client, portal: HostilePortal, key: SoftwareKey
) -> None:
    alice.import_key("payments")
    # Bob believes that he takes the API client off; the page lists a device of the provider's.
    put(portal, alice, key.edit(in_force(alice).document, [*without_client(alice), MY_DEVICE]))
    # 1. It cannot be kept from the owner, neither in the list nor in the log.
    assert MY_DEVICE in in_force(alice).principals
    (added,) = [one for one in alice.verify_log().lists if one.by_security_key]
    assert (added.label, MY_DEVICE in added.says.principals) == ("Bob's", True)
    # 2. The owner undoes it and takes the key its say, and the portal's device may do nothing.
    alice.change_access(access.remove(MY_DEVICE.principal))
    off = access.remove_editor(key.credential.fingerprint)
    access.put_in_force(alice.connection, int(time.time()), editors=off)
    with refused("not-an-editor"):
        put(portal, alice, key.edit(in_force(alice).document, [MY_DEVICE]))
    assert alice.operate(Usage.HASH, "payments", b"hello").result
