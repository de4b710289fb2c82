"""A portal that defines partitions of its own, with colluding officers and without: never unnoticed by the customer."""

from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.access import AccessList
from strongroom.protocol.action_table import ChangeOfficers
from strongroom.protocol.admin_actions import ActionRequest, Approval, action_digest, read_action
from strongroom.protocol.commands import OpenAction, OpenActionReply
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json, from_b64u
from strongroom.protocol.log import WORLD_LOG
from tests.support.client import Client, now
from tests.support.hardware import Card
from tests.support.hostile import HostilePortal
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice
from tests.support.security_keys import SoftwareKey
from tests.support.wanted_actions import decide

MINE = Ed25519PrivateKey.generate()
OWNER = public_credential(MINE)


# --- with K officers who collude ---


def given_as_alices(alice: Client, portal: HostilePortal) -> str:
    """Colluding officers define a partition whose owner is the portal's; Alice is told that it is hers."""
    partition = portal.device.define_partition(OWNER)
    alice.home.use_partition(partition)
    return partition


@pytest.mark.usefixtures("_nothing_leaves")
def test_a_partition_whose_owner_is_the_portals_is_noticed_before_anything_is_encrypted(
    alice: Client, portal: HostilePortal
) -> None:
    given_as_alices(alice, portal)
    with refused("owner-mismatch"):
        alice.import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
@pytest.mark.parametrize(
    ("owners", "hidden"),
    [("portal", "owner-mismatch"), ("portal and alice", "owner-mismatch"), ("alice", "validation-failed")],
)
def test_so_is_one_on_whose_access_list_the_portal_has_put_alice_or_that_it_has_handed_over_to_her(
    alice: Client, portal: HostilePortal, owners: str, hidden: str
) -> None:
    kept = jws.read_unverified(alice.home.kept("access", alice.partition), AccessList)
    partition = given_as_alices(alice, portal)
    named = {"portal": [OWNER], "portal and alice": [OWNER, *kept.owners], "alice": kept.owners}[owners]
    mine = msgspec.structs.replace(kept, partition=partition, owners=named, version=1, previous="")
    portal.honest("access-update", {"partition": partition, "document": jws.sign(mine, MINE)})
    with refused("not-the-owner"):
        alice.import_key("payments")
    # Nor if the list is kept from her.
    portal.alters("access", lambda _: {"version": 0, "document": "", "owners": kept.owners})
    with refused(hidden):
        alice.import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
def test_so_is_one_in_the_place_of_which_alices_own_partition_attests(alice: Client, portal: HostilePortal) -> None:
    own = alice.partition
    given_as_alices(alice, portal)
    portal.does["attestation"] = lambda body: portal.honest("attestation", body | {"partition": own})
    portal.does["access"] = lambda body: portal.honest("access", body | {"partition": own})
    with refused("wrong-partition"):
        alice.import_key("payments")
    portal.alters("access", lambda _: {"version": 0, "document": ""})
    with refused("validation-failed"):
        alice.import_key("payments")


@pytest.mark.usefixtures("_nothing_leaves")
def test_an_officer_whose_browser_was_tricked_gains_the_portal_a_partition_that_alice_refuses(
    alice: Client, portal: HostilePortal, device: SealedDevice
) -> None:
    first, second, third = device.of("partition")
    key = SoftwareKey(second.name)
    rules = {"domain": 2, "security": 2, "partition": 2}
    decide(device, "domain", ChangeOfficers(enrol=[key.enrolment()], thresholds=rules))
    # The page shows the definition that Alice asked for; what the security key signs is the portal's own.
    action = device.open_action(first, OWNER)
    partition = device.execute(action, [key.approve(action), third.approve(action)])
    alice.home.use_partition(partition)
    with refused("owner-mismatch"):
        alice.import_key("payments")
    # Not even with her own attested in its place.
    portal.does["access"] = lambda _: {"version": 0, "document": "", "owners": [alice.home.credential("owner")]}
    with refused("owner-mismatch"):
        alice.import_key("payments")


def test_what_officers_defined_stands_in_the_partitions_log_with_every_approval(
    alice: Client, device: SealedDevice
) -> None:
    defined = alice.verify_log().lanes["admin"][0]
    assert defined.event == "action:execute"
    assert defined.details["result"] == alice.partition
    action = read_action(from_b64u(str(defined.details["action"])))
    assert action.body.owner == alice.home.credential("owner")
    approvers = defined.details["approvers"]
    assert isinstance(approvers, list)
    assert set(approvers) <= {card.fingerprint for card in device.of("partition")}
    assert len(approvers) == 2


# --- without them ---


@pytest.fixture
def action(device: SealedDevice) -> bytes:
    """An action that an honest officer has opened for a customer."""
    return device.open_action(device.of("partition")[0], public_credential(Ed25519PrivateKey.generate()))


def open_signed(device: SealedDevice, request: str) -> bytes:
    return device.line().call(OpenAction(request=request), OpenActionReply).action


def test_the_portal_cannot_open_an_action(device: SealedDevice) -> None:
    with refused("officer-unknown"):
        device.open_action(Card("portal", "partition"), OWNER)


def test_the_portal_cannot_alter_what_an_officer_asks_for(device: SealedDevice) -> None:
    head, body, signature = device.action_request(device.of("partition")[0], OWNER).split(".")
    request = msgspec.json.decode(from_b64u(body), type=ActionRequest)
    mine = msgspec.structs.replace(request, body=msgspec.structs.replace(request.body, tenant="globex"))
    body = jws.sign(mine, MINE).split(".")[1]
    with refused("signature-invalid"):
        open_signed(device, f"{head}.{body}.{signature}")


def replaced_owner(action: bytes) -> bytes:
    read = read_action(action)
    return canonical_json(msgspec.structs.replace(read, body=msgspec.structs.replace(read.body, owner=OWNER)))


def test_an_action_approved_for_a_customer_cannot_be_carried_out_for_the_portals_owner(
    device: SealedDevice, action: bytes
) -> None:
    approvals = [card.approve(action) for card in device.of("partition")[1:]]
    with refused("action-unknown"):
        device.execute(replaced_owner(action), approvals)


def test_approvals_serve_for_no_other_action(device: SealedDevice, action: bytes) -> None:
    approvals = [card.approve(action) for card in device.of("partition")[1:]]
    mine = device.open_action(device.of("partition")[0], OWNER)
    with refused("action-altered"):
        device.execute(mine, approvals)


def test_an_action_carried_out_is_not_carried_out_again(device: SealedDevice, action: bytes) -> None:
    approvals = [card.approve(action) for card in device.of("partition")[1:]]
    partition = device.execute(action, approvals)
    before = device.entries(WORLD_LOG)["admin"]
    assert device.execute(action, approvals) == partition
    assert device.entries(WORLD_LOG)["admin"] == before


Approvals = Callable[[SealedDevice, bytes], list[str]]
TOO_FEW: list[tuple[str, Approvals]] = [
    ("quorum-not-met", lambda _, action: []),
    ("quorum-not-met", lambda device, action: [device.of("partition")[1].approve(action)]),
    ("quorum-not-met", lambda device, action: [device.of("partition")[1].approve(action)] * 2),
    ("requester-cannot-approve", lambda device, action: [one.approve(action) for one in device.of("partition")[:2]]),
    ("officer-unknown", lambda device, action: [one.approve(action) for one in device.of("security")]),
    ("officer-unknown", lambda _, action: [Card(f"portal{n}", "partition").approve(action) for n in (1, 2)]),
    ("signature-invalid", lambda device, action: [in_the_name_of(device.of("partition")[1], action)]),
]


def in_the_name_of(card: Card, action: bytes) -> str:
    """An approval that says it is by an officer, which the portal has signed."""
    mine = jws.sign(Approval(action_digest=action_digest(action), approved_at=now()), MINE).split(".")
    return ".".join([card.approve(b"another action").split(".")[0], *mine[1:]])


@pytest.mark.parametrize(("code", "approvals"), TOO_FEW)
def test_without_enough_officers_nothing_is_defined(
    device: SealedDevice, action: bytes, code: str, approvals: Approvals
) -> None:
    before = device.entries(WORLD_LOG)["admin"]
    with refused(code):
        device.execute(action, approvals(device, action))
    assert device.entries(WORLD_LOG)["admin"] == before


@pytest.mark.parametrize("wanted", ["access.update", "key.export", "partition.change-owner", "officers.replace"])
def test_no_officer_can_ask_for_an_access_list_an_owner_or_a_key(device: SealedDevice, wanted: str) -> None:
    card = device.of("partition")[0]
    request = jws.read_unverified(device.action_request(card, OWNER), ActionRequest)
    with refused("malformed"):
        open_signed(device, jws.sign(msgspec.structs.replace(request, action=wanted), card.signing))
