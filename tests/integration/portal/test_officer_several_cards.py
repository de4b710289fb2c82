"""An officer's cards: any of them asks, approves and unseals, all of them count once, and a lost one is retired."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from strongroom.protocol import commands, jws
from strongroom.protocol.action_table import Body, ChangeOfficers, UpdateLimits
from strongroom.protocol.admin_actions import Withdrawal
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.officers import Officer
from tests.support.pages import text, visitor
from tests.support.portal import code_of
from tests.support.sealed import Card, SealedDevice, nonce, now

RULES = {"domain": 2, "security": 2, "partition": 2}
LIMITS = UpdateLimits(action_hours=100, destruction_hours=168)

Change = Callable[..., dict[str, Any]]
Give = Callable[[Officer], Officer]


def settle() -> int:
    from portal.quorum.tasks import settle_open_actions

    return settle_open_actions()


def opened(officer: Officer, device: SealedDevice, body: Body) -> dict[str, Any]:
    response = officer.open_rotation(device.world, body)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture
def change(officers: dict[str, Officer], device: SealedDevice) -> Iterator[Change]:
    """Has the domain officers change officers, asked for by one of another class; the action as it then is."""

    def carry_out(*, approvers: tuple[str, ...] = ("domain1", "domain2"), **body: Any) -> dict[str, Any]:
        wanted = ChangeOfficers(**({"thresholds": RULES} | body))
        action = opened(officers["partition1"], device, wanted)
        for name in approvers:
            action = officers[name].approve(action).json()
        assert action["state"] == "executed", action
        device.take_parts()
        return action

    yield carry_out
    # What was open has ended with the last change: nobody else's tests find it open.
    settle()


@pytest.fixture
def second(change: Change, device: SealedDevice) -> Iterator[Give]:
    """Gives an officer a second card, until the test is over: the same person with that one."""
    given: list[Card] = []

    def give(officer: Officer) -> Officer:
        card = Card(officer.card.name, officer.card.officer_class)
        given.append(card)
        device.cards.append(card)
        change(enrol=[card.enrolment()])
        return Officer(card, officer.user, officer.authenticator)

    yield give
    for card in given:
        device.cards.remove(card)
        change(retire=[card.fingerprint])


def test_the_page_of_officers_counts_people_and_not_cards(officers: dict[str, Officer], second: Give) -> None:
    given = second(officers["partition2"])
    page = text(visitor(given.user).get("/officer/officers/"))
    assert given.card.fingerprint in page
    assert "Partition officers: 2 of 3 decide" in page


def test_either_card_approves_and_the_officer_counts_once(
    officers: dict[str, Officer], second: Give, device: SealedDevice, asked: dict[str, Any]
) -> None:
    first, other = officers["partition2"], second(officers["partition2"])
    action = officers["partition1"].open(device.world, asked).json()
    assert [one["card"] for one in other.approve(action).json()["approvals"]] == [other.card.fingerprint]
    again = first.approve(action).json()
    assert ([one["card"] for one in again["approvals"]], again["state"]) == ([other.card.fingerprint], "open")
    # Nor does the device count both, for whoever goes past the portal.
    both = [first.sign_approval(action), other.sign_approval(action)]
    with pytest.raises(Refused, match="quorum-not-met"):
        device.execute(base64.b64decode(action["action"]), both)
    assert officers["partition3"].approve(action).json()["state"] == "executed"


def test_either_card_asks_and_the_other_does_not_approve_it(
    officers: dict[str, Officer], second: Give, device: SealedDevice, asked: dict[str, Any]
) -> None:
    first, other = officers["partition2"], second(officers["partition2"])
    action = other.open(device.world, asked).json()
    assert action["requested_by"] == "partition2"
    assert code_of(first.approve(action)) == "requester-cannot-approve"
    said = Withdrawal(action_digest=action["digest"], withdrawn_at=now())
    taken = {"withdrawal": jws.sign(said, other.card.signing)}
    answer = other.portal.post(f"officer/actions/{action['id']}/withdrawal", json=taken)
    assert answer.json()["state"] == "withdrawn"


def test_either_card_unseals_and_both_are_one_part(
    officers: dict[str, Officer], second: Give, device: SealedDevice
) -> None:
    first, other = officers["security1"], second(officers["security1"])
    device.restart_sealed()
    try:
        # Sealed as it is, the newest parts are there for who has not fetched them.
        parts = officers["domain1"].portal.get("officer/parts").json()
        assert {one.fingerprint for one in device.of("security")} <= set(parts["parts"])
        for giver in (other, first):
            given = give_part(giver, device)
            assert (given["progress"], given["given"]) == (1, ["security1"])
        assert give_part(officers["security3"], device)["state"] == "operational"
    finally:
        if device.status().state == "sealed":
            device.unseal()


def give_part(officer: Officer, device: SealedDevice) -> dict[str, Any]:
    """What `strongroom officer unseal` sends."""
    mine = nonce()
    begun = officer.portal.post("officer/unseal/begin", json={"nonce": mine}).json()["endorsement"]
    key = verify_statement(begun, Endorsement, [device.factory.root], "device", now())[0]
    info = commands.unseal_part_info(device.world, officer.card.fingerprint, key.key_id)
    sealed = RecipientPublicKey.from_text(key.public_key).seal(officer.card.part, info)
    body = {"key_id": key.key_id, "card": officer.card.fingerprint, "part": b64u(sealed), "otp": officer.code()}
    response = officer.portal.post("officer/unseal/parts", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_lost_card_is_retired_and_its_officer_goes_on_with_the_other(
    officers: dict[str, Officer], second: Give, change: Change, device: SealedDevice
) -> None:
    lost, other = officers["security2"], second(officers["security2"])
    change(retire=[lost.card.fingerprint])
    try:
        shown = visitor(lost.user).get("/officer/security-keys/").content.decode()
        assert other.card.fingerprint in shown
        assert lost.card.fingerprint not in shown
        assert code_of(lost.open_rotation(device.world, LIMITS)) == "officer-unknown"
        action = opened(officers["security1"], device, LIMITS)
        assert code_of(lost.approve(action)) == "officer-unknown"
        assert other.approve(action).status_code == 201
    finally:
        change(enrol=[lost.card.enrolment()])
    # What was open then has ended with the change.
    settle()
    shown = officers["domain1"].portal.get(f"officer/actions/{action['id']}").json()
    assert (shown["state"], shown["result"]) == ("expired", "action-expired")
    page = visitor(officers["domain1"].user).get(f"/officer/actions/{action['id']}/").content.decode()
    assert "The action has expired. Request it again." in page


def test_a_login_ends_with_the_last_card_and_begins_again_with_the_next(
    officers: dict[str, Officer], change: Change, device: SealedDevice, asked: dict[str, Any]
) -> None:
    officer = officers["partition3"]
    change(retire=[officer.card.fingerprint])
    assert code_of(officer.portal.get("officer/actions")) == "forbidden"
    new = Card("partition3", "partition")
    change(enrol=[new.enrolment()])
    device.cards[device.cards.index(officer.card)] = officer.card = new
    action = officers["partition1"].open(device.world, asked).json()
    assert officer.approve(action).status_code == 201


def test_a_change_that_raises_k_is_known_to_have_been_made_although_its_answer_was_lost(
    officers: dict[str, Officer], change: Change, device: SealedDevice
) -> None:
    from portal.quorum.models import Approval, OfficerProfile

    action = opened(officers["partition1"], device, ChangeOfficers(thresholds=RULES | {"domain": 3}))
    approvals = {name: officers[name].sign_approval(action) for name in ("domain1", "domain2")}
    for name, statement in approvals.items():
        profile = OfficerProfile.objects.using("provider").get(user_id=officers[name].user.pk)
        Approval.objects.using("provider").create(
            action_id=action["id"], officer_id=profile.pk, statement=statement, otp_step=0
        )
    epoch = device.execute(base64.b64decode(action["action"]), list(approvals.values()))
    try:
        settle()
        shown = officers["domain1"].portal.get(f"officer/actions/{action['id']}").json()
        assert (shown["state"], shown["result"]) == ("executed", epoch)
    finally:
        change(approvers=("domain1", "domain2", "domain3"))
