"""Officers' approvals in the device's log: anyone counts them again, by the log and the manufacturer's root alone."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from strongroom.client.approvals import check_actions, check_succession
from strongroom.protocol.action_table import Body, ChangeOfficers, RotateVendorKey, UpdateLimits
from strongroom.protocol.encoding import canonical_json, from_b64u
from strongroom.protocol.log import WORLD_LOG, Entry
from tests.support.hardware import Card
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice

RULES = {"domain": 2, "security": 2, "partition": 2}


@pytest.fixture(scope="module")
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def decide(device: SealedDevice, officer_class: str, body: Body) -> None:
    first, second, third = device.of(officer_class)[:3]
    action = device.open(first, body)
    device.execute(action, [second.approve(action), third.approve(action)])


@pytest.fixture(scope="module")
def log(device: SealedDevice) -> list[Entry]:
    """Three actions, and between them another set of officers."""
    decide(device, "security", RotateVendorKey())
    changed = ChangeOfficers(enrol=[Card("partition4", "partition").enrolment()], thresholds=RULES)
    decide(device, "domain", changed)
    decide(device, "security", UpdateLimits(action_hours=48, destruction_hours=200))
    return device.verified_log(WORLD_LOG)["admin"]


def altered(log: list[Entry], **details: Any) -> list[Entry]:
    """The log, with details of its first executed action exchanged."""
    place = next(n for n, one in enumerate(log) if one.event == "action:execute")
    entry = msgspec.structs.replace(log[place], details=log[place].details | details)
    return [*log[:place], entry, *log[place + 1 :]]


def executed(log: list[Entry]) -> list[Entry]:
    return [one for one in log if one.event == "action:execute"]


def test_each_actions_approvals_hold_over_the_officers_of_its_time(device: SealedDevice, log: list[Entry]) -> None:
    decided = check_actions(log, [device.factory.root])
    check_succession(decided)
    assert [one.action.action for one in decided] == ["vendor-key.rotate", "officers.change", "limits.update"]
    assert [one.roster.epoch for one in decided] == [1, 1, 2]
    assert {one.name for one in decided[0].approvers} == {"security2", "security3"}
    assert decided[0].name_of(decided[0].action.requester) == "security1"


def test_a_missing_approval_is_found(device: SealedDevice, log: list[Entry]) -> None:
    approvals = executed(log)[0].details["approvals"]
    assert isinstance(approvals, list)
    with refused("quorum-not-met"):
        check_actions(altered(log, approvals=approvals[:1]), [device.factory.root])
    with refused("quorum-not-met"):
        check_actions(altered(log, approvals=[approvals[0], approvals[0]]), [device.factory.root])


def test_an_altered_approval_is_found(device: SealedDevice, log: list[Entry]) -> None:
    first, second = executed(log)[0].details["approvals"]  # type: ignore[misc]
    head, payload, _ = second.split(".")
    forged = f"{head}.{payload}.{first.split('.')[2]}"
    with refused("signature-invalid"):
        check_actions(altered(log, approvals=[first, forged]), [device.factory.root])


def test_an_approval_of_another_action_is_found(device: SealedDevice, log: list[Entry]) -> None:
    others = executed(log)[2].details["approvals"]
    with refused("action-altered"):
        check_actions(altered(log, approvals=others), [device.factory.root])


def test_another_action_under_the_same_approvals_is_found(device: SealedDevice, log: list[Entry]) -> None:
    from strongroom.protocol.admin_actions import read_action

    raw = from_b64u(str(executed(log)[0].details["action"]))
    other = canonical_json(msgspec.structs.replace(read_action(raw), nonce="another"))
    text = base64.urlsafe_b64encode(other).rstrip(b"=").decode()
    with refused("action-altered"):
        check_actions(altered(log, action=text), [device.factory.root])


def test_a_roster_of_another_time_or_another_root_is_found(device: SealedDevice, log: list[Entry]) -> None:
    later = executed(log)[2].details["roster"]
    with refused("officer-unknown"):
        check_actions(altered(log, roster=later), [device.factory.root])
    from tests.support.hardware import Factory

    with refused("certificate-invalid"):
        check_actions(log, [Factory().root])


def test_officers_who_changed_without_an_action_are_found(device: SealedDevice, log: list[Entry]) -> None:
    decided = check_actions(log, [device.factory.root])
    with refused("officer-unknown"):
        check_succession([decided[0], decided[2]])
