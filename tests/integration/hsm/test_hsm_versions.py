"""A key's versions: each follows the newest, and permits no more unless the owner consents to exactly that."""

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.envelope import Envelope
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, keys_of, states_of
from tests.support.key_use import MESSAGE
from tests.support.materials import NARROW, make_terms, spki
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice

AES, EC = KeyType.AES_256, KeyType.EC_P256


def sealed_under(material: bytes, clear: bytes = MESSAGE) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(material).encrypt(nonce, clear, b"")


# --- following ---


def test_a_new_version_is_the_same_key_and_the_old_one_still_opens_what_it_sealed(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key, second = import_key(alice, AES), os.urandom(32)
    receipt = alice.receipt(alice.send(renew(key, 2, material=second)))
    assert (receipt.key_id, receipt.name, receipt.version) == (key.id, key.receipt.name, 2)
    for number, material in ((1, key.material), (2, second), (0, second)):
        for line in [alice.hsm.line("operations") for _ in range(3)]:  # among them every worker
            reply = line.operate(alice.request(key.id, "decrypt", sealed_under(material), version=number))
            assert (reply.code, reply.result, reply.version) == ("", MESSAGE, number or 2)
    assert alice.operate(key.id, "decrypt", sealed_under(second), version=1).code == "ciphertext-invalid"
    assert alice.operate(key.id, "decrypt", sealed_under(second), version=3).code == "not-found"


def test_signed_instructions_name_the_version_or_leave_it_to_the_newest(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key, second = import_key(alice, AES, authorisation="signed"), os.urandom(32)
    alice.send(renew(key, 2, material=second))
    for number, material in ((1, key.material), (2, second), (0, second)):
        sealed = sealed_under(material)
        reply = alice.operate_signed(key.id, "decrypt", sealed, "AES-GCM", version=number)
        assert (reply.code, reply.result, reply.version) == ("", MESSAGE, number or 2)


def test_translate_goes_to_the_newest_version_of_its_target(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    source, target, second = import_key(alice, AES), import_key(alice, AES), os.urandom(32)
    sealed, to_target = sealed_under(source.material), Parameters(target=target.id)
    alice.operate(source.id, "translate", sealed, parameters=to_target)
    alice.send(renew(target, 2, material=second))
    for line in [alice.hsm.line("operations") for _ in range(3)]:
        reply = line.operate(alice.request(source.id, "translate", sealed, parameters=to_target))
        assert AESGCM(second).decrypt(reply.result[:12], reply.result[12:], b"") == MESSAGE


def test_versions_come_one_after_another(
    alice: Customer, name: str, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key = import_key(alice, AES)
    for version, code in ((1, "name-taken"), (0, "conflict"), (-1, "conflict"), (3, "conflict"), (2**62, "conflict")):
        with refused(code):
            alice.send(renew(key, version))
    alice.send(renew(key, 2))
    for version, code in ((1, "name-taken"), (2, "conflict"), (4, "conflict")):
        with refused(code):
            alice.send(renew(key, version))
    for version in (0, 2):
        with refused("conflict"):
            alice.send(alice.envelope(os.urandom(32), key.terms.encode(), name, version=version))


def test_the_same_header_again_gives_the_receipt_of_its_own_version(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key = import_key(alice, AES)
    second, third = renew(key, 2), renew(key, 3)
    receipt = alice.send(second)
    alice.send(third)
    assert alice.send(second) == receipt
    assert alice.receipt(receipt).version == 2


def test_all_versions_are_listed_in_order(charlie: Customer, import_key: Callable[..., Imported], name: str) -> None:
    key = import_key(charlie, AES, name=name)
    for version in range(2, 13):
        charlie.send(charlie.envelope(os.urandom(32), key.terms.encode(), name, version=version))
    receipts = [charlie.receipt(one) for one in keys_of(charlie)]
    assert [one.version for one in receipts if one.key_id == key.id] == list(range(1, 13))


def test_another_kind_of_key_is_no_new_version(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    for key, terms in (
        (import_key(alice, AES, usages=["encrypt"]), make_terms(KeyType.AES_128, usages=["encrypt"])),
        (import_key(alice, KeyType.HMAC), make_terms(AES, usages=["hash"])),
    ):
        with refused("terms-looser"):
            alice.send(renew(key, 2, terms, material=os.urandom(16 if terms.key_type is KeyType.AES_128 else 32)))


def test_a_public_key_does_not_follow_a_private_one_nor_the_reverse(
    alice: Customer, name: str, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    whole = import_key(alice, EC, usages=["verify"])
    half, terms = spki(whole.material), make_terms(EC, usages=["verify"], material="public")
    public = Imported(alice.import_key(half, terms, name), half, terms)
    for key, terms, material in (
        (whole, public.terms, public.material),
        (public, whole.terms, whole.material),
    ):
        with refused("terms-looser"):
            alice.send(renew(key, 2, terms, material=material))


# --- looser and stricter terms ---


@pytest.mark.parametrize(
    "changes",
    [
        {"usages": ["encrypt", "decrypt", "translate", "hash"], "mechanisms": ["AES-GCM", "SHA-256"]},
        {"authorisation": "token"},
        {"mechanisms": []},
        {"not_before": None},
        {"not_before": 999},
        {"not_after": None},
        {"not_after": 2**40 + 1},
        {"translate_to": ["a", "b", "c"]},
        {"translate_to": ["*"]},
    ],
    ids=str,
)
def test_terms_that_permit_more_are_refused(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope], changes: dict[str, object]
) -> None:
    key = import_key(alice, AES, **NARROW)
    before = keys_of(alice)
    with refused("terms-looser"):
        alice.send(renew(key, 2, make_terms(AES, **(NARROW | changes))))
    assert keys_of(alice) == before


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"usages": ["decrypt", "translate"]},
        {"usages": ["encrypt", "decrypt"], "translate_to": []},
        {"not_before": 1001},
        {"not_after": 2**40 - 1},
        {"translate_to": ["b"]},
    ],
    ids=str,
)
def test_terms_that_permit_as_much_or_less_are_accepted(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope], changes: dict[str, object]
) -> None:
    key = import_key(alice, AES, **NARROW)
    assert alice.receipt(alice.send(renew(key, 2, make_terms(AES, **(NARROW | changes))))).version == 2


def test_each_version_is_under_its_own_terms(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key = import_key(alice, AES)
    alice.send(renew(key, 2, make_terms(AES, usages=["encrypt"])))
    assert alice.operate(key.id, "hash", MESSAGE).code == "usage-not-permitted"
    assert alice.operate(key.id, "hash", MESSAGE, version=1).code == ""
    with refused("terms-looser"):  # what the newest permits counts, and not what an older one did
        alice.send(renew(key, 3, key.terms))


# --- where a version was destroyed ---


def test_a_destroyed_version_may_be_followed_and_the_others_go_on(
    alice: Customer, import_key: Callable[..., Imported], renew: Callable[..., Envelope]
) -> None:
    key = import_key(alice, AES)
    alice.send(renew(key, 2))
    assert alice.order(key.id, 2) == {1: "active", 2: "destroyed"}
    # The newest is gone: nobody is served an older one that was not asked for.
    assert alice.operate(key.id, "hash", MESSAGE).code == "key-not-active"
    assert alice.operate(key.id, "hash", MESSAGE, version=1).code == ""
    alice.send(renew(key, 3))
    assert alice.operate(key.id, "hash", MESSAGE).version == 3
    assert states_of(alice, key.id) == {1: "active", 2: "destroyed", 3: "active"}


def test_a_key_that_was_destroyed_whole_is_not_followed(hsm: SealedDevice) -> None:
    customer = hsm.customer("acme")
    key = customer.import_key(os.urandom(32), make_terms(AES), "k").key_id
    customer.send(customer.envelope(os.urandom(32), make_terms(AES).encode(), "k", version=2))
    # One by one is as good as all together.
    assert customer.order(key, 2) == {1: "active", 2: "destroyed"}
    assert customer.order(key, 1) == {1: "destroyed", 2: "destroyed"}
    for version, code in ((1, "name-taken"), (3, "conflict")):
        with refused(code):
            customer.send(customer.envelope(os.urandom(32), make_terms(AES).encode(), "k", version=version))
