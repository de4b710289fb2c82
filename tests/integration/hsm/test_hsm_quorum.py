"""A partition is defined by K distinct officers of the class over exactly the bytes that the device opened; once."""

import threading
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.admin_actions import ActionRequest, Approval, action_digest, count_approvals, read_action
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from tests.support.hardware import Card
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, now


@pytest.fixture
def owner() -> PublicCredential:
    return public_credential(Ed25519PrivateKey.generate())


@pytest.fixture
def action(hsm: SealedDevice, owner: PublicCredential) -> bytes:
    """An action that the first partition officer asked for."""
    return hsm.open_action(hsm.of("partition")[0], owner)


@pytest.fixture
def approvals(hsm: SealedDevice, action: bytes) -> list[str]:
    """Enough of them: the other two officers'."""
    return [card.approve(action) for card in hsm.of("partition")[1:]]


def partitions(device: SealedDevice) -> int:
    return len([one for one in device.entries("")["admin"] if b'"action:execute"' in one])


def test_an_action_is_opened_only_for_an_enrolled_card(hsm: SealedDevice, owner: PublicCredential) -> None:
    with refused("officer-unknown"):
        hsm.open_action(Card("mallory", "partition"), owner)


def test_a_request_that_was_altered_opens_nothing(hsm: SealedDevice, owner: PublicCredential) -> None:
    head, body, signature = hsm.action_request(hsm.of("partition")[0], owner).split(".")
    altered = b64u(from_b64u(body).replace(b'"acme"', b'"mine"'))
    with refused("signature-invalid"):
        hsm.line().call(c.OpenAction(request=f"{head}.{altered}.{signature}"), c.OpenActionReply)


def test_a_request_for_another_world_opens_nothing(hsm: SealedDevice, owner: PublicCredential) -> None:
    card = hsm.of("partition")[0]
    request = jws.read_unverified(hsm.action_request(card, owner), ActionRequest)
    for changes in ({"world": "wd_other"}, {"action": "partition.destroy"}):
        members = {name: getattr(request, name) for name in request.__struct_fields__} | changes
        with refused("malformed"):
            token = jws.sign(ActionRequest(**members), card.signing)
            hsm.line().call(c.OpenAction(request=token), c.OpenActionReply)


def test_a_request_replayed_opens_no_second_action(hsm: SealedDevice, owner: PublicCredential) -> None:
    command = c.OpenAction(request=hsm.action_request(hsm.of("partition")[0], owner))
    first = hsm.line().call(command, c.OpenActionReply)
    assert hsm.line().call(command, c.OpenActionReply) == first


def test_two_officers_define_a_partition_for_exactly_the_owner_in_the_action(
    hsm: SealedDevice, owner: PublicCredential, action: bytes, approvals: list[str]
) -> None:
    partition = hsm.execute(action, approvals)
    shown = hsm.line().call(c.ShowAccess(partition=partition), c.ShowAccessReply)
    assert (shown.owners, shown.version, shown.document) == ([owner], 0, "")


def test_one_approval_is_not_enough(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    for too_few in ([], approvals[:1], [approvals[0]] * 3):
        with refused("quorum-not-met"):
            hsm.execute(action, too_few)


def test_the_same_officer_with_two_cards_is_one(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    twin = Card("partition2", "partition")
    device.cards.append(twin)
    device.bring_up()
    first, second, third = device.of("partition")[:3]
    action = device.open_action(first, public_credential(Ed25519PrivateKey.generate()))
    with refused("quorum-not-met"):
        device.execute(action, [second.approve(action), twin.approve(action)])
    assert device.execute(action, [twin.approve(action), third.approve(action)])


def test_the_requester_cannot_approve_with_any_of_its_cards(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    twin = Card("partition1", "partition")
    device.cards.append(twin)
    device.bring_up()
    first, second, _ = device.of("partition")[:3]
    action = device.open_action(first, public_credential(Ed25519PrivateKey.generate()))
    for mine in (first, twin):
        with refused("requester-cannot-approve"):
            device.execute(action, [mine.approve(action), second.approve(action)])


@pytest.mark.parametrize("officer_class", ["domain", "security"])
def test_officers_of_another_class_do_not_count(
    hsm: SealedDevice, action: bytes, approvals: list[str], officer_class: str
) -> None:
    with refused("officer-unknown"):
        hsm.execute(action, [approvals[0], hsm.of(officer_class)[0].approve(action)])


def test_a_stranger_does_not_count(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    with refused("officer-unknown"):
        hsm.execute(action, [*approvals, Card("mallory", "partition").approve(action)])


def test_a_signature_under_anothers_name_does_not_count(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    head, body, _ = approvals[1].split(".")
    forged = f"{head}.{body}.{Card('mallory', 'partition').approve(action).split('.')[2]}"
    with refused("signature-invalid"):
        hsm.execute(action, [approvals[0], forged])


def test_no_altered_byte_of_the_action_is_accepted(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    for place in range(len(action)):
        altered = action[:place] + bytes([action[place] ^ 1]) + action[place + 1 :]
        with refused("action-unknown"):
            hsm.execute(altered, approvals)


def test_an_action_of_the_portals_own_making_is_not_carried_out_even_with_approvals(
    hsm: SealedDevice, action: bytes
) -> None:
    mine = action.replace(b'"acme"', b'"mine"')
    with refused("action-unknown"):
        hsm.execute(mine, [card.approve(mine) for card in hsm.of("partition")[1:]])


def test_approvals_of_another_action_do_not_count(
    hsm: SealedDevice, owner: PublicCredential, action: bytes, approvals: list[str]
) -> None:
    other = hsm.open_action(hsm.of("partition")[0], owner)
    with refused("action-altered"):
        hsm.execute(other, approvals)


def test_another_signed_statement_of_an_officer_is_no_approval(hsm: SealedDevice, owner: PublicCredential) -> None:
    first, second, third = hsm.of("partition")
    action = hsm.open_action(first, owner)
    with refused("statement-malformed"):
        hsm.execute(action, [third.approve(action), hsm.action_request(second, owner)])


def test_an_action_of_another_world_is_not_carried_out(
    hsm: SealedDevice, owner: PublicCredential, make_device: Callable[..., SealedDevice]
) -> None:
    other = make_device(workers=1)
    other.cards = hsm.cards
    other.start()
    other.manufacture()
    mine = [card.part for card in hsm.of("security")]
    other.ceremony()
    other.unseal()
    foreign = other.open_action(other.of("partition")[0], owner)
    for card, part in zip(hsm.of("security"), mine, strict=True):
        card.part = part
    with refused("action-unknown"):
        hsm.execute(foreign, [card.approve(foreign) for card in hsm.of("partition")[1:]])


def test_carried_out_again_it_is_the_same_partition_and_there_is_one(
    hsm: SealedDevice, action: bytes, approvals: list[str]
) -> None:
    before = partitions(hsm)
    first = hsm.execute(action, approvals)
    assert hsm.execute(action, approvals) == first
    assert hsm.execute(action, []) == first
    assert partitions(hsm) == before + 1


def test_carried_out_by_many_at_the_same_moment_there_is_one_partition(
    hsm: SealedDevice, action: bytes, approvals: list[str]
) -> None:
    before, found = partitions(hsm), []
    lines = [hsm.line() for _ in range(8)]
    begin = threading.Barrier(len(lines))

    def execute(line: object) -> None:
        begin.wait()
        found.append(line.call(c.ExecuteAction(action=action, approvals=approvals), c.ExecuteActionReply).result)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=execute, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(lines)
    assert len(set(found)) == 1
    assert partitions(hsm) == before + 1


def test_an_opened_action_outlives_a_kill(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.bring_up()
    first, second, third = device.of("partition")
    action = device.open_action(first, public_credential(Ed25519PrivateKey.generate()))
    device.kill()
    device.start()
    device.unseal()
    assert device.execute(action, [second.approve(action), third.approve(action)]).startswith("pt_")


def test_the_approvals_stand_in_the_partitions_own_log(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    partition = hsm.execute(action, approvals)
    [entry] = hsm.verified_log(partition)["admin"]
    kept = entry.details
    officers = hsm.line().call(c.ListOfficers(), c.ListOfficersReply)
    assert entry.event == "action:execute"
    assert from_b64u(str(kept["action"])) == action
    # Whoever has the log can count the quorum again.
    assert isinstance(kept["approvals"], list)
    assert len(count_approvals(action, kept["approvals"], officers.officers, officers.thresholds, now())) == 2


def test_an_action_tells_its_officers_everything_that_it_will_do(
    hsm: SealedDevice, owner: PublicCredential, action: bytes
) -> None:
    opened = read_action(action)
    assert canonical_json(opened) == action
    assert (opened.body.owner, opened.world, opened.device) == (owner, hsm.world, hsm.status().device)
    assert opened.expires_at - opened.opened_at == 7 * 24 * 3600


def test_a_flood_of_approvals_is_refused(hsm: SealedDevice, action: bytes, approvals: list[str]) -> None:
    for flood in (approvals * 51, [approvals[0], "x" * 20_000]):
        with refused("too-large"):
            hsm.execute(action, flood)


def test_an_approval_says_approve_and_nothing_else(hsm: SealedDevice, action: bytes) -> None:
    officer = hsm.of("partition")[1]
    head, body, signature = officer.approve(action).split(".")
    assert action_digest(action) in from_b64u(body).decode()
    refusal = b64u(from_b64u(body).replace(b'"approve"', b'"refuse"'))
    with refused("statement-malformed"):
        jws.read_unverified(f"{head}.{refusal}.{signature}", Approval)
