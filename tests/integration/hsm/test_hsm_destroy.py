"""The owner, and nobody else, destroys a key: at once, for every worker, for good; the receipt stays."""

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.owner_orders import KeyOrder, VersionConsent, check_owner
from tests.support.imports import Imported, keys_of, states_of
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice, now

AES = KeyType.AES_256
Import = Callable[..., Imported]


@pytest.fixture
def key(alice: Customer, import_key: Import) -> Imported:
    return import_key(alice, AES)


def test_from_the_answer_on_no_worker_uses_it(alice: Customer, key: Imported) -> None:
    lines = [alice.hsm.line("operations") for _ in range(6)]
    requests = [alice.request(key.id, "hash", b"m"), alice.request(key.id, "hash", b"m", version=1)]
    assert {line.operate(one).code for line in lines for one in requests} == {""}
    assert alice.order(key.id) == {1: "destroyed"}
    answers = [line.operate(one) for line in lines for one in requests]
    assert {(one.code, one.detail, one.result) for one in answers} == {("key-not-active", "destroyed", b"")}


def test_every_operation_is_refused_and_on_record(alice: Customer, key: Imported, import_key: Import) -> None:
    other = import_key(alice, AES)
    alice.order(key.id)
    for operation in ("encrypt", "decrypt", "hash", "translate"):
        to_other = Parameters(target=other.id if operation == "translate" else "")
        assert alice.operate(key.id, operation, b"m", parameters=to_other).code == "key-not-active"
    to_it = Parameters(target=key.id)
    assert alice.operate(other.id, "translate", bytes(40), parameters=to_it).code == "key-not-active"
    assert alice.operate_signed(key.id, "hash", b"m", "SHA-256").code == "key-not-active"
    lanes = alice.hsm.verified_log(alice.partition)
    refusals = [one for lane in lanes.values() for one in lane if one.key == key.id and one.result == "key-not-active"]
    assert len(refusals) == 5


def test_the_order_stands_in_the_log_for_anyone_to_check(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id)
    alice.give_order(order)
    [entry] = [one for one in alice.hsm.verified_log(alice.partition)["admin"] if one.digest == digest(order.encode())]
    assert (entry.event, entry.key, entry.details["versions"]) == ("key:destroy", key.id, ["1"])
    says = check_owner(str(entry.details["order"]), KeyOrder, [public_credential(alice.owner)])
    assert (says.key, says.partition, says.order) == (key.id, alice.partition, "destroy")


def test_ordered_again_it_is_the_same_and_recorded_once(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id)
    first = alice.give_order(order)
    entries = len(alice.hsm.entries(alice.partition)["admin"])
    assert alice.give_order(order) == alice.order(key.id) == alice.order(key.id, 1) == first == {1: "destroyed"}
    assert len(alice.hsm.entries(alice.partition)["admin"]) == entries


def test_one_version_may_go_alone(alice: Customer, key: Imported) -> None:
    alice.send(alice.envelope(os.urandom(32), key.terms.encode(), key.receipt.name, version=2))
    assert alice.order(key.id, 1) == {1: "destroyed", 2: "active"}
    assert alice.operate(key.id, "hash", b"m", version=1).code == "key-not-active"
    assert alice.operate(key.id, "hash", b"m").version == 2
    assert alice.order(key.id) == {1: "destroyed", 2: "destroyed"}


def test_the_receipt_stays_and_neither_it_nor_its_header_brings_the_key_back(alice: Customer, name: str) -> None:
    envelope = alice.envelope(os.urandom(32), make_terms(AES).encode(), name)
    receipt = alice.send(envelope)
    says = alice.receipt(receipt)
    alice.order(says.key_id)
    found = c.FindImport(partition=alice.partition, import_id=says.import_id)
    assert alice.hsm.line().call(found, c.ImportKeyReply).receipt == receipt
    assert receipt in keys_of(alice)
    assert alice.send(envelope) == receipt
    assert states_of(alice, says.key_id) == {1: "destroyed"}
    assert alice.operate(says.key_id, "hash", b"m").code == "key-not-active"


def test_its_name_is_not_given_again(alice: Customer, key: Imported) -> None:
    alice.order(key.id)
    for version, code in ((1, "name-taken"), (2, "conflict")):
        with refused(code):
            alice.send(alice.envelope(os.urandom(32), key.terms.encode(), key.receipt.name, version=version))


# --- who may ---


def test_nobody_but_an_owner_can(alice: Customer, charlie: Customer, key: Imported) -> None:
    strangers = [card.signing for card in alice.hsm.cards]
    for stranger in (alice.device_key, charlie.owner, Ed25519PrivateKey.generate(), *strangers):
        with refused("not-the-owner"):
            alice.order(key.id, signer=stranger)
    good, forged = alice.signed_order(key.id), alice.signed_order(key.id, signer=charlie.owner)
    with refused("signature-invalid"):
        alice.give_order(".".join([*good.split(".")[:2], forged.split(".")[2]]))
    assert states_of(alice, key.id) == {1: "active"}


def test_a_former_owner_cannot_and_a_second_one_can(hsm: SealedDevice) -> None:
    customer, second = hsm.customer("acme"), Ed25519PrivateKey.generate()
    key = customer.import_key(os.urandom(32), make_terms(AES), "k").key_id
    first = customer.owner
    customer.hand_over(second)
    with refused("not-the-owner"):
        customer.order(key, signer=first)
    assert customer.order(key, signer=second) == {1: "destroyed"}


def test_no_altered_character_of_an_order_is_accepted(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id)
    for place in range(len(order)):
        other = "A" if order[place] != "A" else "B"
        with refused("signature-invalid", "statement-malformed", "not-the-owner"):
            alice.give_order(order[:place] + other + order[place + 1 :])
    assert states_of(alice, key.id) == {1: "active"}


def test_an_order_is_for_its_partition_and_key(alice: Customer, charlie: Customer, key: Imported) -> None:
    with refused("wrong-partition"):
        alice.order(key.id, partition=charlie.partition)
    with refused("not-the-owner"):
        charlie.give_order(alice.signed_order(key.id))
    for unknown in ("key_none", "", f"{key.id}/1", f"../../{alice.partition}/keys/{key.id}", "../names/x"):
        with refused("not-found"):
            alice.order(unknown)
        with refused("not-found"):
            charlie.order(key.id if unknown == "key_none" else unknown)
    for version in (2, -1, 2**62):
        with refused("not-found"):
            alice.order(key.id, version)
    assert states_of(alice, key.id) == {1: "active"}


def test_no_other_statement_of_the_owner_is_an_order(alice: Customer, key: Imported) -> None:
    consent = VersionConsent(
        partition=alice.partition, import_id="", name="", version=1, terms_digest="", issued_at=now()
    )
    for statement in (consent, alice.access_list()):
        with refused("statement-malformed"):
            alice.give_order(jws.sign(statement, alice.owner))
    with refused("statement-malformed"):
        alice.give_order("nonsense")
    with refused("too-large"):
        alice.give_order(alice.signed_order("k" * 20_000))
    with refused("statement-malformed"):
        alice.order(key.id, order="export")
    assert states_of(alice, key.id) == {1: "active"}


# --- for good ---


def test_no_file_of_the_device_keeps_it_and_no_restart_brings_it_back(
    make_device: Callable[..., SealedDevice],
) -> None:
    device = make_device(workers=2)
    device.bring_up()
    customer = device.customer()
    names = {n: customer.import_key(os.urandom(32), make_terms(AES), f"k{n}").key_id for n in range(3)}
    path = f"partitions/{customer.partition}/keys/{names[1]}/1"
    before = device.stored()[path]
    assert device.files_with(before)
    customer.order(names[1])
    assert device.files_with(before) == []
    # What is kept has no room for material: the receipt, the terms and nothing else.
    assert len(device.stored()[path]) <= len(before) - 32
    device.kill()
    device.start()
    device.unseal()
    customer.operations = device.line("operations")
    codes = {n: customer.operate(key, "hash", b"m").code for n, key in names.items()}
    assert codes == {0: "", 1: "key-not-active", 2: ""}


def test_an_owner_can_revoke_which_destroys_too_and_says_why(alice: Customer, key: Imported) -> None:
    order = alice.signed_order(key.id, order="revoke", reason="device lost")
    assert alice.give_order(order) == {1: "revoked"}
    assert states_of(alice, key.id) == {1: "revoked"}
    assert alice.operate(key.id, "hash", b"m").code == "key-not-active"
    [entry] = [one for one in alice.hsm.verified_log(alice.partition)["admin"] if one.digest == digest(order.encode())]
    assert (entry.event, entry.details["source"], entry.details["reason"]) == ("key:revoke", "owner", "device lost")
    # Destroying it afterwards does not hide that it was revoked.
    assert alice.order(key.id) == {1: "revoked"}


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines"])
def test_a_reason_is_short_and_one_line(alice: Customer, key: Imported, reason: str) -> None:
    with refused("malformed"):
        alice.order(key.id, order="revoke", reason=reason)
    assert alice.operate(key.id, "hash", b"m").code == ""
