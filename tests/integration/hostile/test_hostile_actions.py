"""A portal with the device's socket in its hands alters, replays, reorders, duplicates and withholds every action."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.action_table import ACTIONS, Body, ChangeOfficers, RotateVendorKey, action_name
from strongroom.protocol.admin_actions import ActionRequest, Approval, action_digest, read_action
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.log import WORLD_LOG
from tests.support.hardware import Card, now
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice
from tests.support.wanted_actions import MINE, RULES, WANTED, approved, class_of, decide


@pytest.fixture(params=WANTED)
def name(request: pytest.FixtureRequest) -> str:
    """Each action of the table."""
    return str(request.param)


@pytest.fixture
def wanted(name: str, world: SealedDevice) -> tuple[Body, Body]:
    return WANTED[name](world)


@pytest.fixture
def body(wanted: tuple[Body, Body]) -> Body:
    return wanted[0]


@pytest.fixture
def cards(world: SealedDevice, body: Body) -> list[Card]:
    """Cards of the action's class: the requester's, the second officer's, the third's, and the second's other one."""
    return world.of(class_of(body))


@pytest.fixture
def action(world: SealedDevice, body: Body, cards: list[Card]) -> bytes:
    return world.open(cards[0], body)


@pytest.fixture(scope="module")
def elsewhere(world: SealedDevice) -> Iterator[SealedDevice]:
    """Another world, of the same officers with the same cards."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as own:
        made = SealedDevice(Path(own), workers=1)
        made.cards = [Card(one.name, one.officer_class, signing=one.signing) for one in world.cards]
        try:
            made.bring_up()
            yield made
        finally:
            made.kill()


class Unmoved:
    """Whether the device did nothing: its log of the world stands where it stood."""

    def __init__(self, device: SealedDevice) -> None:
        self.device, self.before = device, device.entries(WORLD_LOG)["admin"]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            assert self.device.entries(WORLD_LOG)["admin"] == self.before
            assert self.device.status().state == "operational"


def test_there_is_an_attack_on_every_action_of_the_table() -> None:
    assert set(WANTED) == set(ACTIONS)


def test_an_altered_action_is_not_carried_out(
    world: SealedDevice, wanted: tuple[Body, Body], cards: list[Card], action: bytes
) -> None:
    opened = read_action(action)
    changes: list[dict[str, Any]] = [
        {"body": wanted[1], "action": action_name(wanted[1])},
        {"officer_class": "partition" if opened.officer_class != "partition" else "domain"},
        {"requester": cards[2].fingerprint},
        {"expires_at": opened.expires_at + 1},
        {"officer_epoch": opened.officer_epoch + 1},
        {"nonce": opened.nonce[::-1]},
        {"world": "wd_other"},
    ]
    with Unmoved(world):
        for change in changes:
            mine = canonical_json(msgspec.structs.replace(opened, **change))
            for approvals in (approved(cards, action), approved(cards, mine)):
                with refused("action-unknown"):
                    world.execute(mine, approvals)


def test_approvals_that_are_too_few_repeated_or_of_one_officer_carry_nothing_out(
    world: SealedDevice, cards: list[Card], action: bytes
) -> None:
    _, second, third, twin = cards[:4]
    with Unmoved(world):
        for too_few in (
            [],
            [third.approve(action)],
            [third.approve(action)] * 5,
            [third.approve(action), third.approve(action)],
            [second.approve(action), twin.approve(action)],
        ):
            with refused("quorum-not-met"):
                world.execute(action, too_few)


def test_the_requesters_own_approval_does_not_count(world: SealedDevice, body: Body, cards: list[Card]) -> None:
    first, second, third, twin = cards[:4]
    by_first, by_second = world.open(first, body), world.open(second, body)
    with Unmoved(world):
        with refused("requester-cannot-approve"):
            world.execute(by_first, [first.approve(by_first), second.approve(by_first)])
        # Nor with the other card.
        with refused("requester-cannot-approve"):
            world.execute(by_second, [twin.approve(by_second), third.approve(by_second)])


def test_approvals_of_strangers_of_other_classes_or_forged_do_not_count(
    world: SealedDevice, cards: list[Card], action: bytes
) -> None:
    good = cards[1].approve(action)
    other = next(card for card in world.cards if card.officer_class != cards[0].officer_class)
    by_me = jws.sign(Approval(action_digest=action_digest(action), approved_at=now()), MINE)
    in_anothers_name = ".".join([cards[2].approve(action).split(".")[0], *by_me.split(".")[1:]])
    with Unmoved(world):
        for code, forged in (
            ("officer-unknown", by_me),
            ("officer-unknown", other.approve(action)),
            ("signature-invalid", in_anothers_name),
            ("statement-malformed", world.request(cards[2], RotateVendorKey())),
        ):
            with refused(code):
                world.execute(action, [good, forged])


def test_approvals_of_one_action_do_not_serve_for_another_of_the_same_kind(
    world: SealedDevice, body: Body, cards: list[Card], action: bytes
) -> None:
    other = world.open(cards[0], body)
    with Unmoved(world):
        for mixed in (approved(cards, other), [cards[1].approve(action), cards[2].approve(other)]):
            with refused("action-altered"):
                world.execute(action, mixed)


def test_a_refusal_is_no_approval(world: SealedDevice, cards: list[Card], action: bytes) -> None:
    no = Approval(action_digest=action_digest(action), decision="decline", approved_at=now())
    with Unmoved(world), refused("quorum-not-met"):
        world.execute(action, [cards[1].approve(action), jws.sign(no, cards[2].signing)])


def test_an_action_of_another_world_or_asked_for_in_another_is_nothing_here(
    world: SealedDevice, elsewhere: SealedDevice, name: str
) -> None:
    there = WANTED[name](elsewhere)[0]
    cards = elsewhere.of(class_of(there))
    foreign, request = elsewhere.open(cards[0], there), elsewhere.request(cards[0], there)
    with Unmoved(world):
        with refused("action-unknown"):
            world.execute(foreign, approved(cards, foreign))
        with refused("malformed"):
            world.line().call(c.OpenAction(request=request), c.OpenActionReply)


def test_a_request_is_nobodys_but_the_cards_that_signed_it(world: SealedDevice, body: Body, cards: list[Card]) -> None:
    signed = world.request(cards[0], body)
    head, said, signature = signed.split(".")
    mine = jws.sign(jws.read_unverified(signed, ActionRequest), MINE)
    with Unmoved(world):
        for code, forged in (
            ("officer-unknown", mine),
            ("signature-invalid", ".".join([head, said, mine.split(".")[2]])),
            ("signature-invalid", ".".join([world.request(cards[1], body).split(".")[0], said, signature])),
        ):
            with refused(code):
                world.line().call(c.OpenAction(request=forged), c.OpenActionReply)


def test_a_card_that_was_enrolled_afterwards_does_not_count_and_the_action_is_over(
    world: SealedDevice, cards: list[Card], action: bytes
) -> None:
    new = Card("newcomer", cards[0].officer_class)
    decide(world, "domain", ChangeOfficers(enrol=[new.enrolment()], thresholds=RULES))
    try:
        with Unmoved(world):
            for approvals in ([cards[1].approve(action), new.approve(action)], approved(cards, action)):
                with refused("action-expired"):
                    world.execute(action, approvals)
    finally:
        decide(world, "domain", ChangeOfficers(retire=[new.fingerprint], thresholds=RULES))
        world.take_parts()


def test_carried_out_again_nothing_is_done_again(world: SealedDevice, cards: list[Card], action: bytes) -> None:
    result = world.execute(action, approved(cards, action))
    if world.status().state == "sealed":
        world.unseal()
    with Unmoved(world):
        for approvals in (approved(cards, action), [], approved(cards, action)[::-1]):
            assert world.execute(action, approvals) == result


def test_after_its_time_an_action_is_over_however_many_approve(world: SealedDevice, tmp_path: Path) -> None:
    """The last one here: the device's clock stays ahead."""
    bodies = [make(world)[0] for make in WANTED.values()]
    opened = [(world.of(class_of(body)), world.open(world.of(class_of(body))[0], body)) for body in bodies]
    world.stop()
    world.turn_clock(8 * 24 * 3600, tmp_path)
    world.start()
    world.unseal()
    with Unmoved(world):
        for cards, action in opened:
            with refused("action-expired"):
                world.execute(action, approved(cards, action))
