"""Translate: only to targets that the source's terms permit, under the stricter rules of both keys."""

import itertools
import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported
from tests.support.materials import private_key
from tests.support.sealed import Customer

AES, RSA = KeyType.AES_256, KeyType.RSA
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
CLEAR = b"a session key in transit"
_numbers = itertools.count(1)


@pytest.fixture
def make(alice: Customer, import_key: Callable[..., Imported]) -> Callable[..., Imported]:
    return lambda *given, **changes: import_key(alice, *given, **changes)


@pytest.fixture
def target(make: Callable[..., Imported]) -> Imported:
    return make(AES, name=f"target-{next(_numbers)}")


def sealed_under(key: Imported, aad: bytes = b"") -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key.material).encrypt(nonce, CLEAR, aad)


def test_what_one_key_sealed_another_opens_and_the_clear_text_is_not_in_the_answer(
    alice: Customer, make: Callable[..., Imported], target: Imported
) -> None:
    source = make(AES)
    parameters = Parameters(target=target.id, aad=b64u(b"in"), target_aad=b64u(b"out"))
    reply = alice.operate(source.id, "translate", sealed_under(source, b"in"), parameters=parameters)
    assert (reply.code, CLEAR in reply.result) == ("", False)
    assert AESGCM(target.material).decrypt(reply.result[:12], reply.result[12:], b"out") == CLEAR


def test_from_rsa_to_aes_and_back(alice: Customer, rsa_key: Imported, target: Imported) -> None:
    outside = private_key(rsa_key.material)
    sealed = outside.public_key().encrypt(CLEAR, OAEP)
    reply = alice.operate(rsa_key.id, "translate", sealed, parameters=Parameters(target=target.id))
    assert (reply.version, reply.mechanism) == (1, "RSA-OAEP-SHA256")
    assert (reply.target_version, reply.target_mechanism) == (1, "AES-GCM")
    there = reply.result
    assert AESGCM(target.material).decrypt(there[:12], there[12:], b"") == CLEAR
    back = alice.operate(target.id, "translate", there, parameters=Parameters(target=rsa_key.id)).result
    assert outside.decrypt(back, OAEP) == CLEAR


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_target_is_permitted_by_id_or_name(
    alice: Customer, make: Callable[..., Imported], target: Imported, by: str
) -> None:
    permitted = target.id if by == "id" else target.receipt.name
    source = make(AES, translate_to=[permitted])
    parameters = Parameters(target=target.id)
    assert alice.operate(source.id, "translate", sealed_under(source), parameters=parameters).code == ""


def test_a_target_that_the_terms_do_not_permit_is_refused(
    alice: Customer, make: Callable[..., Imported], target: Imported
) -> None:
    for permitted in ([], ["another"], [target.receipt.name + "x"], [""]):
        source = make(AES, translate_to=permitted)
        reply = alice.operate(source.id, "translate", sealed_under(source), parameters=Parameters(target=target.id))
        assert (reply.code, reply.result) == ("translate-not-permitted", b"")


def test_an_unknown_target_or_another_tenants_is_not_found(
    alice: Customer, charlie: Customer, make: Callable[..., Imported], import_key: Callable[..., Imported]
) -> None:
    source, theirs = make(AES), import_key(charlie, AES)
    assert alice.operate(source.id, "translate", sealed_under(source)).code == "malformed"
    for target in ("key_none", theirs.id, f"../../{charlie.partition}/keys/{theirs.id}"):
        reply = alice.operate(source.id, "translate", sealed_under(source), parameters=Parameters(target=target))
        assert reply.code == "not-found"


def test_the_stricter_mode_of_the_two_applies(alice: Customer, make: Callable[..., Imported], target: Imported) -> None:
    signed_source, signed_target = make(AES, authorisation="signed"), make(AES, authorisation="signed")
    source = make(AES)
    for one, other in ((signed_source, target), (source, signed_target)):
        parameters, sealed = Parameters(target=other.id), sealed_under(one)
        assert alice.operate(one.id, "translate", sealed, parameters=parameters).code == "signed-instruction-required"
        assert alice.operate_signed(one.id, "translate", sealed, "AES-GCM", parameters=parameters).code == ""


@pytest.mark.parametrize("validity", [{"not_before": 2**40}, {"not_after": 1}])
def test_both_keys_must_be_active(
    alice: Customer, make: Callable[..., Imported], target: Imported, validity: dict[str, int]
) -> None:
    idle, source = make(AES, **validity), make(AES)
    for one, other in ((source, idle), (idle, target)):
        reply = alice.operate(one.id, "translate", sealed_under(one), parameters=Parameters(target=other.id))
        assert reply.code == "key-not-active"


def test_source_and_target_need_the_usages(alice: Customer, make: Callable[..., Imported], target: Imported) -> None:
    source = make(AES)
    mute = make(AES, usages=["decrypt", "hash"])
    for one, other in ((source, mute), (mute, target)):
        reply = alice.operate(one.id, "translate", sealed_under(one), parameters=Parameters(target=other.id))
        assert reply.code == "usage-not-permitted"


def test_a_ciphertext_that_does_not_open_gives_nothing(
    alice: Customer, make: Callable[..., Imported], target: Imported
) -> None:
    source = make(AES)
    for payload in (b"", os.urandom(60), sealed_under(source)[:-1], sealed_under(source, b"other")):
        reply = alice.operate(source.id, "translate", payload, parameters=Parameters(target=target.id))
        assert (reply.code, reply.result) == ("ciphertext-invalid", b"")


def test_a_target_mechanism_that_does_not_fit_is_refused(
    alice: Customer, make: Callable[..., Imported], target: Imported
) -> None:
    source = make(AES)
    for mechanism in ("RSA-OAEP-SHA256", "HMAC-SHA256", "nonsense", "x" * 5000):
        parameters = Parameters(target=target.id, target_mechanism=mechanism)
        reply = alice.operate(source.id, "translate", sealed_under(source), parameters=parameters)
        assert reply.code == "mechanism-unsupported"
