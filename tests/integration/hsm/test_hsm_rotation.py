"""Vendor and provider keys are renewed by a quorum of security officers; from then on the old ones open nothing."""

import os
from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.action_table import RotateProviderKey, RotateVendorKey
from strongroom.protocol.admin_actions import count_approvals, describe, read_action
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.encoding import from_b64u, make_id
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Attestation, Endorsement, Roster
from strongroom.protocol.suites import public_key
from tests.support.imports import code_of
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice, nonce, now
from tests.support.ways import envelope_by

TERMS = make_terms(KeyType.AES_256).encode()
VENDOR = RotateVendorKey()
PROVIDER, PROVIDER_RSA = RotateProviderKey(suite="HPKE-XWING"), RotateProviderKey(suite="RSA-AES-KWP")
BODIES = [VENDOR, PROVIDER, PROVIDER_RSA]
HPKE, RSA = ("HPKE-XWING", "tee"), ("RSA-AES-KWP", "tee")


@pytest.fixture(scope="module")
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    """A device whose keys may be rotated without disturbing other tests."""
    made = make_device(workers=1)
    made.bring_up()
    return made


@pytest.fixture
def customer(device: SealedDevice) -> Customer:
    return device.customer()


def in_force(device: SealedDevice) -> tuple[list[str], list[str]]:
    """Ids of vendor and provider keys that the device publishes, which are those that it attests to."""
    line = device.line()
    published = line.call(c.PublishKeys(), c.PublishKeysReply)
    roots = [device.factory.root]
    token = line.call(c.Attest(nonce=nonce()), c.AttestReply).attestation
    attested = verify_statement(token, Attestation, roots, "device", now())[0]
    found = []
    for tokens, purpose in ((published.vendor_keys, "vendor-key"), (published.provider_keys, "provider-key")):
        says = [verify_statement(one, Endorsement, roots, "device", now())[0] for one in tokens]
        assert {(one.purpose, one.device) for one in says} == {(purpose, published.device)}
        for one in says:
            assert public_key(one.suite, one.public_key).key_id(one.key_id[:3]) == one.key_id
        found.append(sorted(one.key_id for one in says))
    assert (sorted(attested.vendor_keys), sorted(attested.provider_keys)) == tuple(found)
    return found[0], found[1]


@pytest.mark.parametrize("body", BODIES, ids=["vendor", "provider", "provider-rsa"])
def test_the_new_key_takes_the_place_of_the_one_in_force_and_no_other(device: SealedDevice, body: object) -> None:
    vendor, provider = in_force(device)
    made = device.rotate(body)  # type: ignore[arg-type]
    new_vendor, new_provider = in_force(device)
    if body is VENDOR:
        assert (new_vendor, new_provider) == ([made], provider)
    else:
        assert new_vendor == vendor
        assert made in new_provider
        assert len(set(new_provider) - set(provider)) == len(set(provider) - set(new_provider)) == 1
    assert made not in (*vendor, *provider)


@pytest.mark.parametrize(
    ("body", "way", "code"),
    [
        (VENDOR, HPKE, "vendor-key-unknown"),
        (PROVIDER, HPKE, "provider-key-unknown"),
        (PROVIDER_RSA, RSA, "provider-key-unknown"),
    ],
)
def test_envelopes_in_flight_are_refused_with_the_word_to_wrap_again(
    device: SealedDevice, customer: Customer, body: object, way: tuple[str, str], code: str
) -> None:
    in_flight = envelope_by(customer, way, os.urandom(32), TERMS, "n")
    device.rotate(body)  # type: ignore[arg-type]
    assert code_of(customer, in_flight) == code
    device.restart()
    assert code_of(customer, in_flight) == code
    customer.published = device.line().call(c.PublishKeys(), c.PublishKeysReply)
    assert code_of(customer, envelope_by(customer, way, os.urandom(32), TERMS, "n")) == "ok"


def test_what_it_does_not_concern_goes_on(device: SealedDevice, customer: Customer) -> None:
    by_rsa = envelope_by(customer, ("RSA-AES-KWP", "tee"), os.urandom(32), TERMS, "rsa")
    through_channel = envelope_by(customer, ("HPKE-XWING", "channel"), os.urandom(32), TERMS, "channel")
    device.rotate(PROVIDER)
    assert code_of(customer, through_channel) == "ok"
    device.rotate(VENDOR)
    assert code_of(customer, by_rsa) == "ok"


def test_an_import_that_was_complete_is_answered_again_after_a_rotation(
    device: SealedDevice, customer: Customer
) -> None:
    envelope = envelope_by(customer, HPKE, os.urandom(32), TERMS, "n")
    receipt = customer.send(envelope)
    device.rotate(VENDOR)
    device.rotate(PROVIDER)
    assert customer.send(envelope) == receipt


def test_the_private_half_of_the_old_key_is_kept_nowhere(device: SealedDevice) -> None:
    [old], _ = in_force(device)
    before = device.stored()[f"world/vendor-keys/{old}"]
    assert device.files_with(before)
    device.rotate(VENDOR)
    assert device.files_with(before) == []
    assert len(device.stored()[f"world/vendor-keys/{old}"]) <= len(before) - 96


# --- who may ---


@pytest.mark.parametrize("body", BODIES, ids=["vendor", "provider", "provider-rsa"])
def test_it_takes_a_quorum_of_security_officers(device: SealedDevice, body: object) -> None:
    before = in_force(device)
    first, second, third = device.of("security")
    action = device.open(first, body)  # type: ignore[arg-type]
    for other in ("partition", "domain"):
        one, two, _ = device.of(other)
        with refused("officer-unknown"):
            device.execute(action, [one.approve(action), two.approve(action)])
        with refused("officer-unknown"):
            device.execute(action, [second.approve(action), one.approve(action)])
    for too_few in ([], [second.approve(action)], [second.approve(action), second.approve(action)]):
        with refused("quorum-not-met"):
            device.execute(action, too_few)
    with refused("requester-cannot-approve"):
        device.execute(action, [first.approve(action), second.approve(action)])
    assert in_force(device) == before
    assert device.execute(action, [second.approve(action), third.approve(action)])
    assert in_force(device) != before


def test_carried_out_again_nothing_is_rotated_twice(device: SealedDevice) -> None:
    first, second, third = device.of("security")
    action = device.open(first, VENDOR)
    approvals = [second.approve(action), third.approve(action)]
    made = device.execute(action, approvals)
    assert device.execute(action, approvals) == made
    assert in_force(device)[0] == [made]


def test_approvals_of_one_rotation_are_not_anothers(device: SealedDevice) -> None:
    first, second, third = device.of("security")
    vendor, provider = device.open(first, VENDOR), device.open(first, PROVIDER)
    with refused("action-altered"):
        device.execute(provider, [second.approve(vendor), third.approve(vendor)])


def test_an_officer_is_told_which_key_it_is_about(device: SealedDevice) -> None:
    words = [str(dict(describe(read_action(device.open(device.of("security")[0], body))))) for body in BODIES]
    assert len(set(words)) == 3
    assert "vendor key" in words[0]
    assert "HPKE-XWING" in words[1]
    assert "RSA-AES-KWP" in words[2]


# --- for anyone to count again ---


def test_action_approvals_and_roster_in_the_log_are_enough_to_count_again(device: SealedDevice) -> None:
    made = device.rotate(VENDOR)
    entry = device.verified_log("")["admin"][-1]
    assert (entry.event, entry.details["result"]) == ("action:execute", made)
    action, approvals = from_b64u(str(entry.details["action"])), entry.details["approvals"]
    roster, certified = verify_statement(
        str(entry.details["roster"]), Roster, [device.factory.root], "device", entry.time
    )
    assert certified.device_id == roster.device == read_action(action).device
    assert (roster.world, roster.epoch) == (device.world, read_action(action).officer_epoch)
    assert isinstance(approvals, list)
    approvers = count_approvals(action, approvals, roster.officers, roster.thresholds, entry.time)
    assert [one.name for one in approvers] == ["security2", "security3"]
    assert sorted(one.credential.fingerprint for one in approvers) == entry.details["approvers"]
    with refused("quorum-not-met"):
        count_approvals(action, approvals[:1], roster.officers, roster.thresholds, entry.time)


def test_a_customer_can_count_the_quorum_that_made_its_partition(device: SealedDevice, customer: Customer) -> None:
    entry = device.verified_log(customer.partition)["admin"][0]
    roots = [device.factory.root]
    roster = verify_statement(str(entry.details["roster"]), Roster, roots, "device", now())[0]
    action, approvals = from_b64u(str(entry.details["action"])), entry.details["approvals"]
    assert isinstance(approvals, list)
    assert len(count_approvals(action, approvals, roster.officers, roster.thresholds, entry.time)) == 2
    listed = device.line().call(c.ListOfficers(), c.ListOfficersReply)
    now_enrolled = verify_statement(listed.roster, Roster, roots, "device", now())[0]
    assert (now_enrolled.officers, now_enrolled.thresholds) == (roster.officers, roster.thresholds)
    assert (listed.officers, listed.thresholds, listed.epoch) == (roster.officers, roster.thresholds, roster.epoch)


def test_a_single_use_key_made_before_a_rotation_serves_after_it(device: SealedDevice, customer: Customer) -> None:
    import_id = make_id("imp_")
    key = customer.single_use_key(import_id)
    device.rotate(VENDOR)
    fields = {"vendor_key": key, "import_id": import_id}
    envelope = envelope_by(customer, ("RSA-AES-KWP", "channel"), os.urandom(32), TERMS, "n", **fields)
    assert code_of(customer, envelope) == "ok"
