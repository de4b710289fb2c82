"""A portal that lies to officers: what it shows is not what it submits, and what is in force is not what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from typer.testing import CliRunner

from strongroom.cli.officer import app
from strongroom.officer.cards import write_card
from strongroom.protocol import jws
from strongroom.protocol.action_table import ACTIONS, Body, ChangeOfficers, SealDevice, UpdateLimits, action_name, words
from strongroom.protocol.admin_actions import ActionRequest, Approval, action_digest, read_action
from strongroom.protocol.certificates import to_x5c
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.statements import Roster
from tests.support.device import Device
from tests.support.hardware import Factory
from tests.support.hostile_officers import PIN, Officer, OfficersPortal
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice
from tests.support.wanted_actions import RULES, WANTED, class_of, decide


@pytest.fixture
def portal(world: SealedDevice) -> Iterator[OfficersPortal]:
    made = OfficersPortal(world)
    yield made
    made.close()


@pytest.fixture(params=WANTED)
def wanted(request: pytest.FixtureRequest, world: SealedDevice) -> tuple[Body, Body]:
    return WANTED[str(request.param)](world)


def of_class(people: dict[str, Officer], body: Body) -> tuple[Officer, Officer, Officer]:
    kind = class_of(body)
    return people[f"{kind}1"], people[f"{kind}2"], people[f"{kind}3"]


def another(action: bytes, body: Body) -> bytes:
    """The action as it would be if it were of another body: of the same requester, nonce and time."""
    changed = {"body": body, "action": action_name(body), "officer_class": ACTIONS[action_name(body)].officer_class}
    return canonical_json(msgspec.structs.replace(read_action(action), **changed))


def nothing_was_signed(portal: OfficersPortal) -> bool:
    return portal.seen("approval") == []


def test_left_alone_it_carries_out_what_officers_read_and_approve(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body], world: SealedDevice
) -> None:
    first, second, third = of_class(people, wanted[0])
    number = first.request(portal, wanted[0])
    assert second.approve(portal, number) == "open"
    assert third.approve(portal, number) == "executed"
    if world.status().state == "sealed":
        world.unseal()


def test_another_action_under_the_same_number_is_read_as_what_it_is_and_approved_as_nothing_else(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body], world: SealedDevice
) -> None:
    first, second, third = of_class(people, wanted[0])
    number = first.request(portal, wanted[0])
    true, false = portal.opened[int(number)], another(portal.opened[int(number)], wanted[1])
    portal.does["action"] = lambda _: portal.shown(false, int(number))
    portal.does["approval"] = lambda _: portal.shown(false, int(number))
    for officer in (second, third):
        officer.approve(portal, number)
    signed = [one["approval"] for one in portal.seen("approval")]
    assert {jws.read_unverified(one, Approval).action_digest for one in signed} == {action_digest(false)}
    with refused("action-altered"):
        world.execute(true, signed)
    with refused("action-unknown"):
        world.execute(false, signed)


def test_a_digest_of_other_bytes_than_are_shown_is_not_signed(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body]
) -> None:
    first, second, _ = of_class(people, wanted[0])
    number = first.request(portal, wanted[0])
    true, false = portal.opened[int(number)], another(portal.opened[int(number)], wanted[1])
    for shown, digest in ((true, false), (false, true)):
        portal.does["action"] = lambda _, s=shown, d=digest: portal.shown(s, 0, digest=action_digest(d))  # type: ignore[misc]
        with refused("action-altered"):
            second.approve(portal, number)
    assert nothing_was_signed(portal)


def test_the_command_shows_the_bytes_and_not_what_the_portal_says_of_them(
    portal: OfficersPortal, people: dict[str, Officer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = of_class(people, SealDevice())
    number = first.request(portal, SealDevice())
    harmless = {"name": "limits.update", "requested_by": "nobody", "result": "let actions be approved for longer"}
    portal.alters("action", lambda shown: shown | harmless)
    second.connection(portal).close()
    monkeypatch.setenv("STRONGROOM_HOME", str(second.home.path))
    write_card(tmp_path / "card", second.file)
    command = ["approve", number, "--card", str(tmp_path / "card")]
    asked = CliRunner().invoke(app, command, input="n\n")
    assert dict(words(SealDevice()))["What"] in " ".join(asked.stderr.split())
    assert "longer" not in asked.stderr
    assert "Requested by security1" in " ".join(asked.stderr.split())
    assert asked.exit_code == 1
    assert nothing_was_signed(portal)
    assert PIN not in asked.stderr


def test_another_action_than_was_asked_for_is_noticed_by_whoever_asked(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body]
) -> None:
    first, _, _ = of_class(people, wanted[0])
    portal.alters("open", lambda _: portal.shown(another(portal.opened[-1], wanted[1]), 0))
    with refused("action-altered"):
        first.request(portal, wanted[0])


def test_a_request_that_is_sent_twice_or_later_again_opens_one_action(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body]
) -> None:
    first, _, _ = of_class(people, wanted[0])
    first.request(portal, wanted[0])
    [sent] = portal.seen("open")
    for _ in range(2):
        portal.honest("open", sent)
    assert len(set(portal.opened)) == 1


def test_a_card_of_a_world_approves_nothing_of_another(
    portal: OfficersPortal, people: dict[str, Officer], wanted: tuple[Body, Body]
) -> None:
    first, second, _ = of_class(people, wanted[0])
    number = first.request(portal, wanted[0])
    elsewhere = canonical_json(msgspec.structs.replace(read_action(portal.opened[int(number)]), world="wd_other"))
    portal.does["action"] = lambda _: portal.shown(elsewhere, int(number))
    with refused("wrong-device"):
        second.approve(portal, number)
    assert nothing_was_signed(portal)


# --- what is in force ---


def test_a_list_of_officers_that_is_old_forged_or_of_another_device_is_refused(
    portal: OfficersPortal, people: dict[str, Officer], world: SealedDevice
) -> None:
    body = UpdateLimits(action_hours=100, destruction_hours=100)
    first, second, _ = of_class(people, body)
    old = portal.honest("world", {})
    decide(world, "domain", ChangeOfficers(thresholds=RULES))
    number = first.request(portal, body)
    true = portal.honest("world", {})
    roster = jws.read_unverified(true["roster"], Roster)
    lies: list[tuple[str, Any]] = [
        ("action-expired", old["roster"]),
        ("certificate-invalid", signed_by_another(roster)),
        ("signature-invalid", ".".join([*old["roster"].split(".")[:2], true["roster"].split(".")[2]])),
    ]
    for code, token in lies:
        portal.does["world"] = lambda _, t=token: true | {"roster": t}  # type: ignore[misc]
        with refused(code):
            second.approve(portal, number)
    assert nothing_was_signed(portal)


def signed_by_another(roster: Roster) -> str:
    """By a device that another manufacturer has certified."""
    other = Device()
    certificate = x509.load_pem_x509_certificate(Factory().certify(other.request.decode()).encode())
    return jws.sign(roster, other.identity, x5c=to_x5c(certificate))


def test_limits_and_thresholds_are_compared_with_the_devices_word_alone(
    portal: OfficersPortal, people: dict[str, Officer], world: SealedDevice
) -> None:
    decide(world, "security", UpdateLimits(action_hours=77, destruction_hours=99))
    portal.alters("world", lambda shown: shown | {"thresholds": {"domain": 1, "security": 1, "partition": 1}})
    body = UpdateLimits(action_hours=100, destruction_hours=100)
    first, second, _ = of_class(people, body)
    shown = second.read(portal, first.request(portal, body))
    assert "77 hours" in shown["Now"]
    body2 = ChangeOfficers(thresholds=RULES | {"domain": 3})
    first, second, _ = of_class(people, body2)
    assert second.read(portal, first.request(portal, body2))["domain officers"] == "now 2 of 3, then 3 of 3"


def test_who_asks_for_a_change_of_officers_keeps_the_thresholds_that_the_device_has(
    portal: OfficersPortal, people: dict[str, Officer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, third = of_class(people, ChangeOfficers(thresholds=RULES))
    portal.alters("world", lambda shown: shown | {"thresholds": {"domain": 1, "security": 1, "partition": 1}})
    first.connection(portal).close()
    monkeypatch.setenv("STRONGROOM_HOME", str(first.home.path))
    write_card(tmp_path / "card", first.file)
    retire = ["request-action", "officers.change", "--retire", third.card.face.fingerprint, "--yes"]
    CliRunner().invoke(app, [*retire, "--card", str(tmp_path / "card")], input=f"{PIN}\n")
    request = jws.read_unverified(portal.seen("open")[-1]["request"], ActionRequest)
    assert request.body == ChangeOfficers(retire=[third.card.face.fingerprint], thresholds=RULES)
