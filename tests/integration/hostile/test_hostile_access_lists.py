"""A portal that would change, keep back or put back an access list: the device refuses, or the owner notices."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import access
from strongroom.client.in_force import InForce
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest, device_principal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tests.support.client import CLIENT, Client
from tests.support.customer import OPERATIONS
from tests.support.hostile import Body, HostilePortal
from tests.support.refusals import refused

MINE = Ed25519PrivateKey.generate()
MY_DEVICE = Principal(
    principal=device_principal(public_credential(MINE)),
    rights=["import", *OPERATIONS],  # type: ignore[list-item]
    credential=public_credential(MINE),
)


def put(portal: HostilePortal, alice: Client, document: str) -> None:
    portal.honest("access-update", {"partition": alice.partition, "document": document})


def in_force(alice: Client) -> str:
    return alice.home.kept("access", alice.partition)


def following(alice: Client, *principals: Principal) -> AccessList:
    """The list that would follow the one in force."""
    last = jws.read_unverified(in_force(alice), AccessList)
    return msgspec.structs.replace(
        last, version=last.version + 1, previous=access_list_digest(in_force(alice)), principals=list(principals)
    )


def remove_client(alice: Client) -> InForce:
    return alice.change_access(access.remove(f"client:{CLIENT}"))


# --- the device ---


def test_a_list_that_the_portal_signs_is_refused(alice: Client, portal: HostilePortal) -> None:
    with refused("not-the-owner"):
        put(portal, alice, jws.sign(following(alice, MY_DEVICE), MINE))


def test_a_list_that_the_portal_signs_in_the_owners_name_is_refused(alice: Client, portal: HostilePortal) -> None:
    head = in_force(alice).split(".")[0]
    with refused("signature-invalid"):
        put(portal, alice, ".".join([head, *jws.sign(following(alice, MY_DEVICE), MINE).split(".")[1:]]))


def test_a_member_added_to_the_owners_own_list_or_taken_off_is_refused(alice: Client, portal: HostilePortal) -> None:
    head, _, signature = in_force(alice).split(".")
    for principals in ([MY_DEVICE], []):
        body = jws.sign(following(alice, *principals), MINE).split(".")[1]
        with refused("signature-invalid"):
            put(portal, alice, f"{head}.{body}.{signature}")


def test_a_client_device_of_the_owner_is_not_the_owner(alice: Client, portal: HostilePortal) -> None:
    with refused("not-the-owner"):
        put(portal, alice, jws.sign(following(alice, MY_DEVICE), alice.device_key))


def test_the_owners_list_for_another_partition_is_refused(alice: Client, portal: HostilePortal) -> None:
    second = portal.device.define_partition(alice.home.credential("owner"))
    document = jws.sign(msgspec.structs.replace(following(alice, MY_DEVICE), partition=second), alice.owner_key)
    with refused("wrong-partition"):
        put(portal, alice, document)


def test_an_earlier_list_of_the_owner_is_not_put_in_force_again(alice: Client, portal: HostilePortal) -> None:
    earlier = in_force(alice)
    remove_client(alice)
    with refused("access-list-conflict"):
        put(portal, alice, earlier)
    assert portal.honest("access", {"partition": alice.partition})["document"] == in_force(alice)


def test_no_other_statement_passes_for_a_list_even_by_the_owners_key(alice: Client, portal: HostilePortal) -> None:
    alice.import_key("payments")
    header = portal.seen("import")[0]["header"]
    with refused("not-the-owner"):
        put(portal, alice, header)
    with refused("statement-malformed"):
        put(portal, alice, jws.sign(jws.read_unverified(header, ImportHeader), alice.owner_key))


# --- the owner ---


def test_a_list_that_is_kept_from_the_device_is_not_believed_to_be_in_force(
    alice: Client, portal: HostilePortal
) -> None:
    before = in_force(alice)
    portal.does["access-update"] = lambda body: {"version": 2, "document": body["document"], "owners": []}
    with refused("validation-failed"):
        remove_client(alice)
    assert in_force(alice) == before
    # Once the portal passes it on, it is.
    del portal.does["access-update"]
    assert remove_client(alice).version == 2


def test_a_list_that_is_kept_back_cannot_take_the_place_of_the_owners_next(
    alice: Client, portal: HostilePortal
) -> None:
    kept_back: list[str] = []

    def keep(body: Body) -> Body:
        kept_back.append(body["document"])
        raise Refused("unavailable")

    portal.does["access-update"] = keep
    credential = public_credential(Ed25519PrivateKey.generate())
    with refused("unavailable"):
        alice.change_access(access.allow(device_principal(credential), ["sign"], credential=credential))
    # Alice thinks better of it; the portal puts her first thought in force and says that it was the second.
    portal.does["access-update"] = lambda _: portal.honest(
        "access-update", {"partition": alice.partition, "document": kept_back[0]}
    )
    with refused("validation-failed"):
        remove_client(alice)


@pytest.mark.usefixtures("_nothing_leaves")
def test_an_older_list_is_not_shown_as_the_one_in_force(alice: Client, portal: HostilePortal) -> None:
    earlier = portal.honest("access", {"partition": alice.partition})
    remove_client(alice)
    portal.does["access"] = lambda _: earlier
    with refused("access-list-conflict"):
        alice.import_key("payments")
    with refused("access-list-conflict"):
        remove_client(alice)


@pytest.mark.usefixtures("_nothing_leaves")
def test_an_older_list_is_noticed_also_in_a_folder_that_has_never_seen_a_newer_one(
    alice: Client, portal: HostilePortal, tmp_path: Path
) -> None:
    earlier = portal.honest("access", {"partition": alice.partition})
    remove_client(alice)
    portal.does["access"] = lambda _: earlier
    with refused("validation-failed"):
        alice.copied(tmp_path / "new", without="access").import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
def test_a_list_that_the_portal_makes_up_is_not_shown_as_the_one_in_force(alice: Client, portal: HostilePortal) -> None:
    document = jws.sign(following(alice, MY_DEVICE), MINE)
    portal.does["access"] = lambda _: {"version": 2, "document": document}
    with refused("not-the-owner"):
        alice.import_key("payments")
    in_her_name = ".".join([in_force(alice).split(".")[0], *document.split(".")[1:]])
    portal.does["access"] = lambda _: {"version": 2, "document": in_her_name}
    with refused("signature-invalid"):
        alice.import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
def test_the_list_of_another_partition_of_the_owner_is_not_shown_as_this_ones(
    alice: Client, portal: HostilePortal
) -> None:
    second = portal.device.define_partition(alice.home.credential("owner"))
    elsewhere = msgspec.structs.replace(following(alice, MY_DEVICE), partition=second)
    portal.does["access"] = lambda _: {"version": 2, "document": jws.sign(elsewhere, alice.owner_key)}
    with refused("wrong-partition"):
        alice.import_key("payments")


def test_every_list_that_was_in_force_stands_in_the_log(alice: Client) -> None:
    first = in_force(alice)
    remove_client(alice)
    logged = [one for one in alice.verify_log().lanes["admin"] if one.event == "access:update"]
    assert [one.details["document"] for one in logged] == [first, in_force(alice)]


def test_whoever_is_taken_off_is_refused_at_once(alice: Client) -> None:
    alice.import_key("payments")
    assert alice.operate(Usage.HASH, "payments", b"hello").result
    alice.change_access(access.remove(alice.device))
    with refused("device-not-listed"):
        alice.operate(Usage.HASH, "payments", b"hello")
