"""Officers are enrolled, replaced and retired by the domain officers' quorum, and the unseal secret follows them."""

from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.action_table import ChangeOfficers, RotateVendorKey
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import CeremonyTranscript
from tests.support.hardware import Card
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, now

RULES = {"domain": 2, "security": 2, "partition": 2}


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def change(device: SealedDevice, body: ChangeOfficers) -> str:
    first, second, third = device.of("domain")
    action = device.open(first, body)
    return device.execute(action, [second.approve(action), third.approve(action)])


def test_a_lost_card_is_replaced_and_only_the_new_sharing_unseals(device: SealedDevice) -> None:
    kept, also_kept, lost = device.of("security")
    old_parts = {card.fingerprint: card.part for card in (kept, also_kept, lost)}
    new = Card(lost.name, "security")
    assert change(device, ChangeOfficers(enrol=[new.enrolment()], retire=[lost.fingerprint], thresholds=RULES)) == "2"
    shared = device.take_parts([kept, also_kept, new])
    assert shared is not None
    says, _ = verify_statement(shared.transcript, CeremonyTranscript, [device.factory.root], "device", now())
    assert says.officers[new.fingerprint] == "security"
    assert lost.fingerprint not in says.officers
    device.restart_sealed()
    # The lost card is nobody's; parts of before open nothing.
    for card in (lost, kept):
        with refused("unseal-part-refused"):
            device.give_part(card, old_parts[card.fingerprint])
        device.restart_sealed()
    device.give_part(kept)
    assert device.give_part(new).state == "operational"


def test_a_device_that_restarts_before_its_new_parts_were_fetched_still_gives_them_out(device: SealedDevice) -> None:
    first, second, lost = device.of("security")
    new = Card(lost.name, "security")
    change(device, ChangeOfficers(enrol=[new.enrolment()], retire=[lost.fingerprint], thresholds=RULES))
    device.kill()
    device.start()
    # What they had opens nothing any more: without the new ones every key would be lost.
    with refused("unseal-part-refused"):
        device.give_part(first)
    device.restart_sealed()
    device.take_parts([first, second, new])
    device.give_part(new)
    assert device.give_part(second).state == "operational"


def test_a_new_officer_counts_only_for_actions_opened_afterwards(device: SealedDevice) -> None:
    first, second, _ = device.of("security")
    before = device.open(first, RotateVendorKey())
    new = Card("security4", "security")
    change(device, ChangeOfficers(enrol=[new.enrolment()], thresholds=RULES))
    with refused("action-expired"):
        device.execute(before, [second.approve(before), new.approve(before)])
    action = device.open(first, RotateVendorKey())
    assert device.execute(action, [second.approve(action), new.approve(action)]).startswith("vk_")


def test_two_cards_of_one_officer_count_once(device: SealedDevice) -> None:
    first, second, _ = device.of("security")
    spare = Card(second.name, "security")
    change(device, ChangeOfficers(enrol=[spare.enrolment()], thresholds=RULES))
    action = device.open(first, RotateVendorKey())
    with refused("quorum-not-met"):
        device.execute(action, [second.approve(action), spare.approve(action)])
    # Nor do both cards' parts unseal alone.
    device.take_parts([first, second, spare])
    device.restart_sealed()
    assert device.give_part(second).progress == device.give_part(spare).progress == 1
    assert device.give_part(first).state == "operational"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"thresholds": RULES | {"security": 4}}, "quorum-rule-refused"),
        ({"thresholds": RULES | {"domain": 0}}, "quorum-rule-refused"),
        ({"thresholds": {"domain": 2}}, "quorum-rule-refused"),
        ({"thresholds": RULES, "retire": ["nobody"]}, "officer-unknown"),
    ],
)
def test_a_change_that_would_leave_no_quorum_is_not_even_opened(
    device: SealedDevice, changes: dict[str, object], code: str
) -> None:
    with refused(code):
        device.open(device.of("domain")[0], ChangeOfficers(**changes))  # type: ignore[arg-type]


def test_retiring_below_k_is_refused(device: SealedDevice) -> None:
    retired = [card.fingerprint for card in device.of("partition")[:2]]
    with refused("quorum-rule-refused"):
        device.open(device.of("domain")[0], ChangeOfficers(retire=retired, thresholds=RULES))


def test_a_retired_officer_can_neither_ask_nor_approve(device: SealedDevice) -> None:
    _, second, third = device.of("partition")
    change(device, ChangeOfficers(retire=[third.fingerprint], thresholds=RULES))
    owner = Card("owner", "").enrolment().credential
    with refused("officer-unknown"):
        device.open_action(third, owner)
    # Of the class only those are left who must approve: another officer asks.
    action = device.open_action(device.of("domain")[0], owner)
    with refused("officer-unknown"):
        device.execute(action, [second.approve(action), third.approve(action)])


def test_where_security_officers_stay_their_parts_do(device: SealedDevice) -> None:
    change(device, ChangeOfficers(enrol=[Card("partition4", "partition").enrolment()], thresholds=RULES))
    with pytest.raises(Refused):
        device.line().call(c.ListUnsealParts(), c.ListUnsealPartsReply)
    device.restart()
    assert device.status().state == "operational"


def test_where_all_of_a_class_must_approve_only_another_class_can_ask(device: SealedDevice) -> None:
    change(device, ChangeOfficers(thresholds=RULES | {"security": 3}))
    first, second, third = device.of("security")
    with refused("requester-cannot-approve"):
        device.open(first, RotateVendorKey())
    action = device.open(device.of("domain")[0], RotateVendorKey())
    approvals = [one.approve(action) for one in (first, second, third)]
    with refused("quorum-not-met"):
        device.execute(action, approvals[:2])
    assert device.execute(action, approvals).startswith("vk_")
