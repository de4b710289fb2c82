"""kill -9 while an action is carried out: it is done whole and once or not at all, and asked again it is done."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.action_table import ChangeOfficers, RotateVendorKey, SealDevice
from strongroom.protocol.statements import Endorsement
from tests.support.hardware import Card
from tests.support.sealed import SealedDevice

RULES = {"domain": 2, "security": 2, "partition": 2}
ROUNDS = 12


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def approved(device: SealedDevice, kind: str, body: RotateVendorKey | ChangeOfficers | SealDevice) -> c.ExecuteAction:
    first, second, third = device.of(kind)
    action = device.open(first, body)
    return c.ExecuteAction(action=action, approvals=[second.approve(action), third.approve(action)])


def ask(device: SealedDevice, command: c.ExecuteAction) -> str:
    return device.line().call(command, c.ExecuteActionReply).result


def ask_and_kill(device: SealedDevice, command: c.ExecuteAction, after: float | None) -> str:
    """Ask, and kill `after` seconds; None: a device that has stopped before. Its answer, or empty where none came."""
    line, answers = device.line(), []
    if after is None:
        os.kill(device.pid, signal.SIGSTOP)

    def wait() -> None:
        try:
            answers.append(line.call(command, c.ExecuteActionReply).result)
        except (OSError, EOFError):
            answers.append("")

    asker = threading.Thread(target=wait)
    asker.start()
    time.sleep(after or 0)
    device.kill()
    asker.join()
    return answers[0]


def moments(usual: float) -> list[float | None]:
    """When to kill: before it can begin, long after it has ended, and anywhere between."""
    return [None, 1.0, *(random.uniform(0, 1.5 * usual) for _ in range(ROUNDS))]  # noqa: S311


def vendor_keys(device: SealedDevice) -> set[str]:
    published = device.line().call(c.PublishKeys(), c.PublishKeysReply).vendor_keys
    return {jws.read_unverified(one, Endorsement).key_id for one in published}


def executions(device: SealedDevice) -> int:
    return [one.event for one in device.verified_log("")["admin"]].count("action:execute")


def test_a_rotation_that_is_cut_off_is_there_once_or_not_at_all(device: SealedDevice) -> None:
    command = approved(device, "security", RotateVendorKey())
    begun = time.monotonic()
    ask(device, command)
    outcomes = set()
    for number, after in enumerate(moments(time.monotonic() - begun), start=2):
        before, command = vendor_keys(device), approved(device, "security", RotateVendorKey())
        answered = ask_and_kill(device, command, after)
        device.start()
        device.unseal()
        found = vendor_keys(device) - before
        outcomes.add(bool(found))
        assert not answered or found == {answered}
        # Asked again: as it was done, or now.
        result = ask(device, command)
        assert vendor_keys(device) - before == {result}
        assert not found or found == {result}
        assert executions(device) == number
    assert outcomes == {True, False}


def test_a_change_of_officers_that_is_cut_off_leaves_one_sharing_that_unseals(device: SealedDevice) -> None:
    outcomes, kept = set(), device.of("security")[:2]
    for number, after in enumerate(moments(0.02), start=1):
        old, new = device.of("security")[2], Card("security3", "security")
        body = ChangeOfficers(enrol=[new.enrolment()], retire=[old.fingerprint], thresholds=RULES)
        command = approved(device, "domain", body)
        answered = ask_and_kill(device, command, after)
        device.start()
        # Sealed as it is, the device says which sharing is in force, and K cards open it.
        done = received(device, [*kept, new])
        outcomes.add(done)
        assert done or not answered
        device.unseal()
        assert device.status().state == "operational"
        assert ask(device, command) == str(number + 1)
        device.cards[device.cards.index(old)] = new
        assert received(device, [*kept, new])
        assert executions(device) == number
    device.restart()
    assert outcomes == {True, False}


def received(device: SealedDevice, cards: list[Card]) -> bool:
    """Whether the newest sharing is among these cards, which have their parts of it then."""
    shared = device.take_parts(cards)
    return shared is not None and shared.parts.keys() == {one.fingerprint for one in cards}


def test_a_device_that_was_sealed_and_killed_is_not_sealed_again_by_the_same_action(device: SealedDevice) -> None:
    command = approved(device, "security", SealDevice())
    assert ask_and_kill(device, command, 1.0) == "sealed"
    device.start()
    device.unseal()
    assert ask(device, command) == "sealed"
    assert device.status().state == "operational"
    assert executions(device) == 1
