"""Security keys at the device: enrolled by domain officers, counted beside cards, and their counters kept."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.approvals import check_actions
from strongroom.protocol.action_table import ChangeOfficers, OfficerClass
from strongroom.protocol.admin_actions import count_approvals
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import from_b64u, read_json
from strongroom.protocol.log import WORLD_LOG, Entry
from strongroom.protocol.statements import Roster
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice
from tests.support.security_keys import SoftwareKey

RULES = {"domain": 2, "security": 2, "partition": 2}


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    """The second partition officer's."""
    return SoftwareKey("partition2")


@pytest.fixture(scope="module")
def device(make_device: Callable[..., SealedDevice], key: SoftwareKey) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    enrol(made, key)
    return made


def enrol(device: SealedDevice, key: SoftwareKey) -> None:
    first, second, third = device.of("domain")
    action = device.open(first, ChangeOfficers(enrol=[key.enrolment()], thresholds=RULES))
    device.execute(action, [second.approve(action), third.approve(action)])


def opened(device: SealedDevice) -> bytes:
    return device.open_action(device.of("partition")[0], public_credential(Ed25519PrivateKey.generate()))


def test_a_security_key_and_a_card_define_a_partition_and_anyone_can_count_again(
    device: SealedDevice, key: SoftwareKey
) -> None:
    action = opened(device)
    approvals = [key.approve(action), device.of("partition")[2].approve(action)]
    partition = device.execute(action, approvals)
    entry = read_json(device.entries(partition)["admin"][0], Entry)
    details = entry.details
    roster, _ = verify_statement(str(details["roster"]), Roster, [device.factory.root], "device", entry.time)
    assert details["approvals"] == approvals
    again = count_approvals(
        from_b64u(str(details["action"])), approvals, roster.officers, roster.thresholds, entry.time
    )
    assert sorted(one.credential.fingerprint for one in again) == details["approvers"]
    assert key.credential.fingerprint in details["approvers"]
    # The same bytes again are the same answer, not a second use of the key.
    assert device.execute(action, approvals) == partition


def test_a_key_whose_counter_does_not_grow_serves_no_more_even_after_a_restart(
    device: SealedDevice, key: SoftwareKey
) -> None:
    card = device.of("partition")[2]
    first = opened(device)
    device.execute(first, [key.approve(first), card.approve(first)])
    action = opened(device)
    for counter in (key.counter, key.counter - 1, 0):
        with refused("security-key-counter"):
            device.execute(action, [key.approve(action, counter=counter), card.approve(action)])
    device.restart()
    with refused("security-key-counter"):
        device.execute(action, [key.approve(action, counter=key.counter), card.approve(action)])
    assert device.execute(action, [key.approve(action), card.approve(action)]).startswith("pt_")


def test_an_execution_that_fails_leaves_the_counter_where_it_was(device: SealedDevice, key: SoftwareKey) -> None:
    action = opened(device)
    approval = key.approve(action)
    with refused("quorum-not-met"):
        device.execute(action, [approval])
    assert device.execute(action, [approval, device.of("partition")[2].approve(action)]).startswith("pt_")


def test_another_actions_assertion_and_a_spoiled_one_do_not_count(device: SealedDevice, key: SoftwareKey) -> None:
    action, other = opened(device), opened(device)
    card = device.of("partition")[2].approve(action)
    unverified = key.approve(action, flags=0x01)
    elsewhere = key.approve(action, said={"origin": "https://evil.test"})
    for approval, code in (
        (key.approve(other), "action-altered"),
        (unverified, "security-key-refused"),
        (elsewhere, "security-key-refused"),
        (json.dumps(json.loads(key.approve(action)) | {"signature": "AAAA"}), "signature-invalid"),
        (SoftwareKey("partition2").approve(action), "officer-unknown"),
    ):
        with refused(code):
            device.execute(action, [approval, card])


@pytest.mark.parametrize("officer_class", ["domain", "security"])
def test_domain_and_security_officers_get_no_security_key(device: SealedDevice, officer_class: OfficerClass) -> None:
    wanted = SoftwareKey("d").enrolment(officer_class)
    with refused("quorum-rule-refused"):
        device.open(device.of("domain")[0], ChangeOfficers(enrol=[wanted], thresholds=RULES))


def test_whoever_verifies_the_log_sees_a_counter_that_went_back(device: SealedDevice, key: SoftwareKey) -> None:
    for _ in range(2):
        action = opened(device)
        device.execute(action, [key.approve(action), device.of("partition")[2].approve(action)])
    log = device.verified_log(WORLD_LOG)["admin"]
    used = [one for one in check_actions(log, [device.factory.root]) if one.action.action == "partition.define"]
    assert {"partition2", "partition3"} == {one.name for one in used[-1].approvers}
    with refused("security-key-counter"):
        check_actions(reversed(log), [device.factory.root])
