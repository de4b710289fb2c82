"""Rewrap: from an older version of a key to its newest, without the plaintext leaving the device."""

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1

from strongroom.protocol.encoding import b64u
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported
from tests.support.key_use import MESSAGE
from tests.support.materials import private_key, rsa_pkcs8
from tests.support.sealed import Customer, SealedDevice

AES = KeyType.AES_256
Renew = Callable[..., Envelope]
Import = Callable[..., Imported]


def sealed_under(material: bytes, aad: bytes = b"") -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(material).encrypt(nonce, MESSAGE, aad)


def opened(material: bytes, sealed: bytes, aad: bytes = b"") -> bytes:
    return AESGCM(material).decrypt(sealed[:12], sealed[12:], aad)


def test_what_the_old_version_sealed_the_newest_opens_under_the_same_additional_data(
    alice: Customer, import_key: Import, renew: Renew
) -> None:
    key, second, third = import_key(alice, AES), os.urandom(32), os.urandom(32)
    alice.send(renew(key, 2, material=second))
    alice.send(renew(key, 3, material=third))
    for version, material in ((1, key.material), (2, second), (3, third)):
        aad = Parameters(aad=b64u(b"invoice"))
        reply = alice.operate(key.id, "rewrap", sealed_under(material, b"invoice"), version=version, parameters=aad)
        assert (reply.code, reply.version, reply.target_version) == ("", version, 3)
        assert opened(third, reply.result, b"invoice") == MESSAGE
        assert MESSAGE not in reply.result


def test_other_additional_data_can_be_said(alice: Customer, import_key: Import, renew: Renew) -> None:
    key, second = import_key(alice, AES), os.urandom(32)
    alice.send(renew(key, 2, material=second))
    parameters = Parameters(aad=b64u(b"in"), target_aad=b64u(b"out"))
    reply = alice.operate(key.id, "rewrap", sealed_under(key.material, b"in"), version=1, parameters=parameters)
    assert opened(second, reply.result, b"out") == MESSAGE


def test_each_item_of_a_batch_keeps_its_own_additional_data(alice: Customer, import_key: Import, renew: Renew) -> None:
    key, second = import_key(alice, AES), os.urandom(32)
    alice.send(renew(key, 2, material=second))
    items = [Item(sealed_under(key.material, aad), aad=aad) for aad in (b"a", b"b")] + [Item(os.urandom(60))]
    reply = alice.operate_batch(key.id, "rewrap", items, version=1)
    assert [opened(second, one, aad) for one, aad in zip(reply.results, (b"a", b"b"), strict=False)] == [MESSAGE] * 2
    assert (reply.errors[2][0], reply.target_version) == ("ciphertext-invalid", 2)


def test_what_cannot_be_written_any_more_becomes_the_usual_mechanism(
    alice: Customer, import_key: Import, renew: Renew
) -> None:
    key = import_key(alice, KeyType.RSA)
    old = private_key(key.material).public_key()
    alice.send(renew(key, 2, material=rsa_pkcs8(3072)))
    sealed = old.encrypt(MESSAGE, padding.OAEP(padding.MGF1(SHA1()), SHA1(), None))  # noqa: S303
    reply = alice.operate(key.id, "rewrap", sealed, version=1, mechanism="RSA-OAEP-SHA1")
    assert (reply.code, reply.mechanism, reply.target_version) == ("", "RSA-OAEP-SHA1", 2)
    assert alice.operate(key.id, "decrypt", reply.result, mechanism="RSA-OAEP-SHA256").result == MESSAGE


@pytest.mark.parametrize(
    ("usages", "code"),
    [
        (["encrypt", "decrypt"], ""),
        (["encrypt", "translate"], ""),
        (["encrypt", "rewrap"], ""),
        (["translate"], "usage-not-permitted"),  # the newest version may not encrypt
        (["encrypt"], "usage-not-permitted"),
        (["decrypt"], "usage-not-permitted"),
        (["encrypt", "hash"], "usage-not-permitted"),
    ],
)
def test_the_terms_permit_it_by_translate_or_by_encrypt_and_decrypt(
    alice: Customer, import_key: Import, usages: list[str], code: str
) -> None:
    key = import_key(alice, AES, usages=usages, translate_to=[])
    reply = alice.operate(key.id, "rewrap", sealed_under(key.material))
    assert (reply.code, bool(reply.result)) == (code, not code)


@pytest.mark.parametrize(
    ("rights", "code"),
    [
        (["rewrap"], ""),
        (["translate"], ""),
        (["encrypt", "decrypt"], ""),
        (["encrypt", "sign"], "access-denied"),
        (["decrypt"], "access-denied"),
    ],
)
def test_the_access_list_permits_it_by_the_same_rights(
    hsm: SealedDevice, import_key: Import, rights: list[str], code: str
) -> None:
    bob = hsm.customer("acme")
    key = import_key(bob, AES)
    bob.allow(bob.device_entry(["import"]), bob.client_entry(rights))
    assert bob.operate(key.id, "rewrap", sealed_under(key.material)).code == code


def test_a_target_of_its_own_is_refused(alice: Customer, import_key: Import) -> None:
    key, other = import_key(alice, AES), import_key(alice, AES)
    reply = alice.operate(key.id, "rewrap", sealed_under(key.material), parameters=Parameters(target=other.id))
    assert reply.code == "mechanism-unsupported"


def test_a_key_in_signed_mode_is_rewrapped_on_an_instruction(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, AES, authorisation="signed")
    sealed = sealed_under(key.material)
    assert alice.operate(key.id, "rewrap", sealed).code == "signed-instruction-required"
    reply = alice.operate_signed(key.id, "rewrap", sealed, "AES-GCM", version=1)
    assert opened(key.material, reply.result) == MESSAGE


def test_it_is_on_record_with_both_versions(alice: Customer, import_key: Import, renew: Renew) -> None:
    key = import_key(alice, AES)
    alice.send(renew(key, 2))
    alice.operate(key.id, "rewrap", sealed_under(key.material), version=1)
    found = [one for lane in alice.hsm.verified_log(alice.partition).values() for one in lane if one.key == key.id]
    entry = next(one for one in found if one.event == "key:rewrap")
    assert (entry.result, entry.details) == ("ok", {"target": key.id, "target_version": 2})
