"""Actions are taken back by whoever asked; officers seal the device, retire provider keys and set limits by quorum."""

import os
from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.action_table import Body, RetireProviderKey, RotateVendorKey, SealDevice, UpdateLimits
from strongroom.protocol.admin_actions import Approval, Withdrawal, action_digest, read_action
from strongroom.protocol.mechanisms import KeyType
from tests.support.hardware import Card
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, now


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def decide(device: SealedDevice, body: Body) -> str:
    first, second, third = device.of("security")
    action = device.open(first, body)
    return device.execute(action, [second.approve(action), third.approve(action)])


def withdraw(device: SealedDevice, card: Card, action: bytes) -> None:
    token = jws.sign(Withdrawal(action_digest=action_digest(action), withdrawn_at=now()), card.signing)
    device.line().call(c.WithdrawAction(withdrawal=token), c.Done)


def test_an_action_that_was_taken_back_is_never_carried_out(device: SealedDevice) -> None:
    first, second, third = device.of("security")
    action = device.open(first, RotateVendorKey())
    approvals = [second.approve(action), third.approve(action)]
    withdraw(device, first, action)
    withdraw(device, first, action)
    for _ in range(2):
        with refused("action-unknown"):
            device.execute(action, approvals)
        device.restart()
    assert [e.event for e in device.verified_log("")["admin"]].count("action:withdraw") == 1


def test_nobody_else_takes_an_action_back(device: SealedDevice) -> None:
    first, second, third = device.of("security")
    action = device.open(first, RotateVendorKey())
    for card in (second, Card("mallory", "security")):
        with refused("officer-unknown"):
            withdraw(device, card, action)
    assert device.execute(action, [second.approve(action), third.approve(action)])
    with refused("action-unknown"):
        withdraw(device, first, action)


def test_a_refusal_never_counts_as_an_approval(device: SealedDevice) -> None:
    first, second, third = device.of("security")
    action = device.open(first, RotateVendorKey())
    no = Approval(action_digest=action_digest(action), decision="decline", approved_at=now())
    with refused("quorum-not-met"):
        device.execute(action, [second.approve(action), jws.sign(no, third.signing)])


def test_a_sealed_device_does_nothing_until_officers_unseal_it(device: SealedDevice) -> None:
    alice = device.customer()
    key = alice.import_key(os.urandom(32), make_terms(KeyType.HMAC), "k").key_id
    line = device.line("operations")
    assert line.operate(alice.request(key, "hash", b"m")).code == ""
    assert decide(device, SealDevice()) == "sealed"
    assert (device.status().state, device.status().workers) == ("sealed", [])
    assert device.line("operations").operate(alice.request(key, "hash", b"m")).code == "hsm-sealed"
    with refused("hsm-sealed"):
        device.line().call(c.ListOfficers(), c.ListOfficersReply)
    device.unseal()
    assert device.line("operations").operate(alice.request(key, "hash", b"m")).code == ""


def test_a_provider_key_is_retired_without_a_successor(device: SealedDevice) -> None:
    alice = device.customer()
    published = device.line().call(c.PublishKeys(), c.PublishKeysReply).provider_keys
    key = alice.recipient("provider").key_id("pk_")
    assert decide(device, RetireProviderKey(key=key)) == key
    left = device.line().call(c.PublishKeys(), c.PublishKeysReply).provider_keys
    assert len(left) == len(published) - 1
    with refused("not-found"):
        device.open(device.of("security")[0], RetireProviderKey(key=key))


def test_limits_hold_within_bounds_that_no_quorum_moves(device: SealedDevice) -> None:
    assert decide(device, UpdateLimits(action_hours=1, destruction_hours=48)) == "1/48"
    action = read_action(device.open(device.of("security")[0], RotateVendorKey()))
    assert action.expires_at - action.opened_at == 3600
    for hours in ((0, 48), (1, 1), (10_000, 48), (1, 10_000)):
        with refused("malformed"):
            device.open(device.of("security")[0], UpdateLimits(action_hours=hours[0], destruction_hours=hours[1]))
