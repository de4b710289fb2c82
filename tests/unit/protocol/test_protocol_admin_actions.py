"""Counting a quorum, with a clock in hand."""

import msgspec
import pytest

from strongroom.protocol import action_table, jws
from strongroom.protocol import admin_actions as aa
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json
from tests.support.hardware import Card
from tests.support.refusals import refused

OPENED, EXPIRES = 1_000_000, 1_600_000
THRESHOLDS = {"domain": 2, "security": 2, "partition": 2}
REQUESTER, BOB, CAROL, DAN = (Card(name, "partition") for name in ("alice", "bob", "carol", "dan"))
DORA = Card("dora", "domain")


def enrolled(*cards: Card, epoch: int = 1) -> list[aa.Officer]:
    return [
        aa.Officer(
            name=card.name,
            officer_class=card.officer_class,  # type: ignore[arg-type]
            credential=public_credential(card.signing),
            enrolled_epoch=epoch,
        )
        for card in cards
    ]


OFFICERS = enrolled(REQUESTER, BOB, CAROL, DORA)


def action(**changes: object) -> bytes:
    body = action_table.DefinePartition(tenant="acme", label="main", owner=public_credential(Card("o", "").signing))
    opened = aa.AdminAction(
        officer_class="partition",
        action="partition.define",
        body=body,
        world="wd_1",
        device="dev_1",
        nonce="n" * 32,
        officer_epoch=1,
        requester=REQUESTER.fingerprint,
        opened_at=OPENED,
        expires_at=EXPIRES,
    )
    return canonical_json(msgspec.structs.replace(opened, **changes))


def count(given: bytes, *cards: Card, now: int = OPENED, officers: list[aa.Officer] = OFFICERS) -> list[str]:
    approvals = [card.approve(given) for card in cards]
    return sorted(one.name for one in aa.count_approvals(given, approvals, officers, THRESHOLDS, now))


def test_k_distinct_officers_of_the_class_are_a_quorum() -> None:
    assert count(action(), BOB, CAROL) == ["bob", "carol"]


@pytest.mark.parametrize(("now", "expired"), [(OPENED, False), (EXPIRES - 1, False), (EXPIRES, True), (2**40, True)])
def test_it_expires_at_the_second_that_it_names(now: int, expired: bool) -> None:
    if expired:
        with refused("action-expired"):
            count(action(), BOB, CAROL, now=now)
    else:
        assert count(action(), BOB, CAROL, now=now)


def test_too_few_repeated_and_the_requesters_own_are_no_quorum() -> None:
    for cards in ((), (BOB,), (BOB, BOB, BOB)):
        with refused("quorum-not-met"):
            count(action(), *cards)
    with refused("requester-cannot-approve"):
        count(action(), REQUESTER, BOB, CAROL)


def test_a_requester_of_another_class_does_not_count_towards_this_one() -> None:
    given = action(requester=DORA.fingerprint)
    assert count(given, BOB, CAROL) == ["bob", "carol"]
    with refused("officer-unknown"):
        count(given, DORA, BOB)


def test_an_invalid_approval_spoils_even_a_sufficient_set() -> None:
    given = action()
    good = [BOB.approve(given), CAROL.approve(given)]
    for bad in (DAN.approve(given), DORA.approve(given), BOB.approve(action(nonce="m" * 32)), "nonsense"):
        with refused("officer-unknown", "action-altered", "statement-malformed"):
            aa.count_approvals(given, [*good, bad], OFFICERS, THRESHOLDS, OPENED)


def test_a_card_enrolled_after_the_action_was_opened_does_not_count() -> None:
    officers = [*enrolled(REQUESTER, BOB), *enrolled(CAROL, epoch=2)]
    with refused("officer-unknown"):
        count(action(), BOB, CAROL, officers=officers)


def test_a_requester_who_is_no_officer_any_more_leaves_no_quorum() -> None:
    with refused("requester-cannot-approve"):
        count(action(), BOB, CAROL, officers=enrolled(BOB, CAROL))


@pytest.mark.parametrize(
    "change",
    [
        {"world": "wd_2"}, {"device": "dev_2"}, {"officer_epoch": 2}, {"expires_at": 2**40}, {"opened_at": 1},
        {"nonce": "m" * 32}, {"requester": BOB.fingerprint}, {"action": "partition.destroy"},
    ],
)  # fmt: skip
def test_approvals_are_for_every_member_of_the_action(change: dict[str, object]) -> None:
    given = action()
    approvals = [CAROL.approve(given), DAN.approve(given)]
    altered = canonical_json(msgspec.structs.replace(aa.read_action(given), **change))
    with refused("action-altered"):
        aa.count_approvals(altered, approvals, enrolled(REQUESTER, BOB, CAROL, DAN), THRESHOLDS, OPENED)


@pytest.mark.parametrize("bytes_", [b"", b"{}", b"null", b"\xff", b'{"v":1}'])
def test_bytes_that_are_no_action_are_altered(bytes_: bytes) -> None:
    with refused("action-altered"):
        aa.read_action(bytes_)


def test_a_request_is_for_this_world_and_a_known_action() -> None:
    body = action_table.DefinePartition(tenant="acme", label="main", owner=public_credential(BOB.signing))
    request = aa.ActionRequest(action="partition.define", body=body, world="wd_1", nonce="n", created_at=1)
    found, officer = aa.check_request(jws.sign(request, BOB.signing), OFFICERS, "wd_1")
    assert (found, officer.name) == (request, "bob")
    for changes in ({"world": "wd_2"}, {"action": "key.export"}):
        with refused("malformed"):
            aa.check_request(jws.sign(msgspec.structs.replace(request, **changes), BOB.signing), OFFICERS, "wd_1")
    with refused("officer-unknown"):
        aa.check_request(jws.sign(request, DAN.signing), OFFICERS, "wd_1")


def test_what_an_approver_is_shown_holds_the_owner_and_the_tenant() -> None:
    words = str(aa.describe(aa.read_action(action())))
    assert "acme" in words
    assert aa.read_action(action()).requester in words
