"""What the device computes is what others compute, and only what the key's terms and the access list permit."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import MAX_PAYLOAD, Parameters
from strongroom.protocol.mechanisms import REGISTRY, KeyType, Usage
from strongroom.protocol.operations import OperationReply
from tests.support.imports import Imported
from tests.support.materials import private_key
from tests.support.sealed import Customer, now

SHA256 = hashes.SHA256()
PSS = padding.PSS(padding.MGF1(SHA256), 32)
MESSAGE = b"the story of a key"
DIGEST = hashlib.sha256(MESSAGE).digest()


def oaep(label: bytes | None = None) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(SHA256), SHA256, label)


def worked(reply: OperationReply) -> bytes:
    assert (reply.code, reply.detail) == ("", "")
    return reply.result


# --- signatures ---


@pytest.mark.parametrize("prehashed", [False, True])
def test_a_pss_signature_verifies_outside(alice: Customer, rsa_key: Imported, prehashed: bool) -> None:
    payload, parameters = (DIGEST if prehashed else MESSAGE), Parameters(prehashed=prehashed)
    signature = worked(alice.operate(rsa_key.id, "sign", payload, parameters=parameters))
    private_key(rsa_key.material).public_key().verify(signature, MESSAGE, PSS, SHA256)


@pytest.mark.parametrize("prehashed", [False, True])
def test_an_ecdsa_signature_verifies_outside(alice: Customer, ec_key: Imported, prehashed: bool) -> None:
    payload, parameters = (DIGEST if prehashed else MESSAGE), Parameters(prehashed=prehashed)
    signature = worked(alice.operate(ec_key.id, "sign", payload, parameters=parameters))
    private_key(ec_key.material).public_key().verify(signature, MESSAGE, ec.ECDSA(SHA256))


@pytest.mark.parametrize("prehashed", [False, True])
def test_signatures_made_outside_verify_inside_and_others_do_not(
    alice: Customer, rsa_key: Imported, ec_key: Imported, prehashed: bool
) -> None:
    payload = DIGEST if prehashed else MESSAGE
    for key, signature in (
        (rsa_key, private_key(rsa_key.material).sign(MESSAGE, PSS, SHA256)),
        (ec_key, private_key(ec_key.material).sign(DIGEST, ec.ECDSA(Prehashed(SHA256)))),
    ):
        for given, valid in ((signature, b"\x01"), (signature[:-1], b"\0"), (b"", b"\0"), (os.urandom(256), b"\0")):
            parameters = Parameters(prehashed=prehashed, signature=b64u(given))
            assert worked(alice.operate(key.id, "verify", payload, parameters=parameters)) == valid
        parameters = Parameters(prehashed=prehashed, signature=b64u(signature))
        assert worked(alice.operate(key.id, "verify", hashlib.sha256(payload).digest(), parameters=parameters)) == b"\0"


def test_a_prehashed_payload_is_a_digest(alice: Customer, rsa_key: Imported, ec_key: Imported) -> None:
    for key in (rsa_key, ec_key):
        for payload in (b"", DIGEST[:-1], DIGEST + b"\0"):
            reply = alice.operate(key.id, "sign", payload, parameters=Parameters(prehashed=True))
            assert reply.code == "payload-invalid"


# --- ciphers ---


@pytest.mark.parametrize("aad", [b"", b"context"])
def test_what_aes_gcm_encrypts_decrypts_outside_and_the_reverse(alice: Customer, aes_key: Imported, aad: bytes) -> None:
    outside, parameters = AESGCM(aes_key.material), Parameters(aad=b64u(aad))
    for clear in (b"", MESSAGE, os.urandom(MAX_PAYLOAD - 28)):
        sealed = worked(alice.operate(aes_key.id, "encrypt", clear, parameters=parameters))
        assert outside.decrypt(sealed[:12], sealed[12:], aad) == clear
        nonce = os.urandom(12)
        sealed = nonce + outside.encrypt(nonce, clear, aad)
        assert worked(alice.operate(aes_key.id, "decrypt", sealed, parameters=parameters)) == clear


def test_each_encryption_has_a_nonce_of_its_own(alice: Customer, aes_key: Imported) -> None:
    nonces = {alice.operate(aes_key.id, "encrypt", b"m").result[:12] for _ in range(200)}
    assert len(nonces) == 200


def test_an_altered_ciphertext_or_other_data_is_refused_without_saying_why(alice: Customer, aes_key: Imported) -> None:
    sealed = worked(alice.operate(aes_key.id, "encrypt", MESSAGE, parameters=Parameters(aad=b64u(b"a"))))
    for spoilt, aad in (
        *((sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :], b"a") for n in range(len(sealed))),
        *((sealed[:n], b"a") for n in range(len(sealed))),
        (sealed, b""),
        (sealed, b"b"),
    ):
        reply = alice.operate(aes_key.id, "decrypt", spoilt, parameters=Parameters(aad=b64u(aad)))
        assert (reply.code, reply.detail, reply.result) == ("ciphertext-invalid", "", b"")


@pytest.mark.parametrize("label", [b"", b"label"])
def test_what_rsa_oaep_encrypts_decrypts_outside_and_the_reverse(
    alice: Customer, rsa_key: Imported, label: bytes
) -> None:
    outside, parameters = private_key(rsa_key.material), Parameters(aad=b64u(label))
    sealed = worked(alice.operate(rsa_key.id, "encrypt", MESSAGE, parameters=parameters))
    assert outside.decrypt(sealed, oaep(label)) == MESSAGE
    sealed = outside.public_key().encrypt(MESSAGE, oaep(label))
    assert worked(alice.operate(rsa_key.id, "decrypt", sealed, parameters=parameters)) == MESSAGE
    for spoilt in (b"", sealed[:-1], sealed + b"\0", bytes(256), b"\xff" * 256, os.urandom(256)):
        reply = alice.operate(rsa_key.id, "decrypt", spoilt, parameters=parameters)
        assert (reply.code, reply.detail) == ("ciphertext-invalid", "")


def test_rsa_oaep_takes_as_much_as_the_standard_allows(alice: Customer, rsa_key: Imported) -> None:
    assert alice.operate(rsa_key.id, "encrypt", bytes(190)).code == ""
    assert alice.operate(rsa_key.id, "encrypt", bytes(191)).code == "payload-invalid"


# --- hashes ---


@pytest.mark.parametrize("payload", [b"", MESSAGE, bytes(MAX_PAYLOAD)])
def test_hashes_are_those_of_the_standard_library(alice: Customer, aes_key: Imported, payload: bytes) -> None:
    keyed = hmac.digest(aes_key.material, payload, "sha256")
    assert worked(alice.operate(aes_key.id, "hash", payload)) == keyed
    assert worked(alice.operate(aes_key.id, "hash", payload, mechanism="HMAC-SHA256")) == keyed
    plain = alice.operate(aes_key.id, "hash", payload, mechanism="SHA-256")
    assert worked(plain) == hashlib.sha256(payload).digest()


# --- what the terms say ---


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_usage_outside_the_terms_is_refused(
    alice: Customer, import_key: Callable[..., Imported], key_type: KeyType
) -> None:
    offered = {usage for row in REGISTRY.values() if key_type in row.key_types for usage in row.operations}
    for usage in sorted(offered - {Usage.TRANSLATE, Usage.REWRAP}):
        key = import_key(alice, key_type, usages=[usage])
        for operation in Usage:
            target = key.id if operation is Usage.TRANSLATE else ""
            code = alice.operate(key.id, operation, b"", parameters=Parameters(target=target)).code
            if operation == usage:
                assert code in {"", "ciphertext-invalid", "payload-invalid"}
            else:
                assert code in {"usage-not-permitted", "mechanism-unsupported"}, (usage, operation)


def test_only_the_mechanisms_in_the_terms_are_used(alice: Customer, import_key: Callable[..., Imported]) -> None:
    key = import_key(alice, KeyType.AES_256, usages=["hash"], mechanisms=["SHA-256"])
    reply = alice.operate(key.id, "hash", MESSAGE)
    assert (reply.mechanism, reply.result) == ("SHA-256", DIGEST)
    assert alice.operate(key.id, "hash", MESSAGE, mechanism="HMAC-SHA256").code == "usage-not-permitted"


@pytest.mark.parametrize("mechanism", ["AES-GCM", "ECDSA-SHA256", "RSA-PKCS1", "rsa-pss-sha256", "x" * 128])
def test_a_mechanism_that_does_not_fit_the_key_is_refused(alice: Customer, rsa_key: Imported, mechanism: str) -> None:
    reply = alice.operate(rsa_key.id, "sign", MESSAGE, mechanism=mechanism)
    assert reply.code == "mechanism-unsupported"
    assert f"{mechanism} does not sign with RSA; of these one does: RSA-PSS-SHA256, RSA-PSS-SHA384" in reply.detail


def test_what_no_mechanism_does_with_a_key_is_answered_with_what_it_can(alice: Customer, rsa_key: Imported) -> None:
    reply = alice.operate(rsa_key.id, "derive", MESSAGE)
    can = "sign, verify, encrypt, decrypt, hash, translate, rewrap"
    assert reply.code == "mechanism-unsupported"
    assert reply.detail == f"RSA cannot derive; no mechanism does, but such a key can {can}"


def test_a_version_that_is_not_there_is_answered_with_the_newest(alice: Customer, rsa_key: Imported) -> None:
    reply = alice.operate(rsa_key.id, "sign", MESSAGE, version=7)
    assert (reply.code, reply.detail) == ("not-found", "the key has no version 7: its newest is 1")


def test_a_target_that_is_not_there_is_named(alice: Customer, rsa_key: Imported) -> None:
    reply = alice.operate(rsa_key.id, "translate", MESSAGE, parameters=Parameters(target="key_none"))
    assert (reply.code, reply.detail) == ("not-found", "there is no such `target` key in the partition")


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"subject": "foo"}, "`subject` is no name as RFC 4514 writes one"),
        ({"subject": "C=Germany"}, "`subject` is no name as RFC 4514 writes one"),
        ({"san": ["shop.example"]}, "each of `san` is DNS:, IP:, email: or URI:"),
        ({"san": ["IP:shop.example"]}, "each of `san` is DNS:, IP:, email: or URI:"),
    ],
)
def test_a_bad_name_in_a_certification_request_is_answered_with_how_one_looks(
    alice: Customer, rsa_key: Imported, asked: dict[str, Any], hint: str
) -> None:
    reply = alice.operate(rsa_key.id, "sign", json.dumps(asked).encode(), mechanism="X509-CSR")
    assert (reply.code, reply.detail.startswith(hint)) == ("payload-invalid", True)


@pytest.mark.parametrize(
    ("validity", "detail"),
    [
        ({"not_before": 2**40}, "pre-activation: its validity has not begun"),
        ({"not_after": 1}, "deactivated: its validity has ended at 1970-01-01 00:00:01 UTC"),
    ],
)
def test_a_key_outside_its_validity_is_refused(
    alice: Customer, import_key: Callable[..., Imported], validity: dict[str, int], detail: str
) -> None:
    key = import_key(alice, KeyType.AES_256, **validity)
    for operation in ("encrypt", "decrypt", "hash"):
        reply = alice.operate(key.id, operation, MESSAGE)
        assert (reply.code, reply.detail) == ("key-not-active", detail)


def test_a_key_works_until_the_second_in_which_its_validity_ends(
    alice: Customer, import_key: Callable[..., Imported]
) -> None:
    key = import_key(alice, KeyType.AES_256, not_before=now() - 10, not_after=now() + 2)
    assert alice.operate(key.id, "hash", b"").code == ""
    while now() < key.terms.not_after:
        pass
    assert alice.operate(key.id, "hash", b"").code == "key-not-active"


# --- who asks ---


def test_a_key_in_signed_mode_is_not_used_on_the_portals_word(alice: Customer, signed_key: Imported) -> None:
    for operation in ("sign", "verify"):
        assert alice.operate(signed_key.id, operation, MESSAGE).code == "signed-instruction-required"


def test_the_portal_cannot_name_a_device_as_who_asks(alice: Customer, ec_key: Imported) -> None:
    entry = alice.device_entry([])
    for principal in (entry.principal, "", "client:", "client:cl_unknown", entry.principal.removeprefix("device:")):
        assert alice.operate(ec_key.id, "sign", MESSAGE, principal=principal).code == "access-denied"


def test_another_tenants_key_is_as_unknown_as_none(alice: Customer, charlie: Customer, ec_key: Imported) -> None:
    wanted = charlie.operate("key_none", "sign", MESSAGE)
    assert (wanted.code, wanted.detail) == ("not-found", "")
    for reply in (
        charlie.operate(ec_key.id, "sign", MESSAGE),
        charlie.operate(f"../../{alice.partition}/keys/{ec_key.id}", "sign", MESSAGE),
        charlie.operate(f"{ec_key.id}/1", "sign", MESSAGE),
        charlie.operate("", "sign", MESSAGE),
        charlie.operate(ec_key.id, "sign", MESSAGE, partition="pt_none"),
        charlie.operate(ec_key.id, "sign", MESSAGE, partition=f"{alice.partition}/keys"),
    ):
        assert reply == wanted


def test_who_is_not_on_the_access_list_does_not_learn_which_keys_there_are(
    alice: Customer, charlie: Customer, ec_key: Imported
) -> None:
    wanted = charlie.operate("key_none", "sign", MESSAGE, partition=alice.partition)
    assert wanted.code == "access-denied"
    assert charlie.operate(ec_key.id, "sign", MESSAGE, partition=alice.partition) == wanted
    assert charlie.operate(ec_key.id, "sign", MESSAGE, partition=alice.partition, version=7) == wanted


def test_another_version_of_a_key_is_not_found(alice: Customer, ec_key: Imported) -> None:
    assert alice.operate(ec_key.id, "sign", MESSAGE, version=1).code == ""
    for version in (2, -1, 2**62):
        assert alice.operate(ec_key.id, "sign", MESSAGE, version=version).code == "not-found"


# --- the request's shape ---


def test_an_unknown_operation_or_name_that_is_too_long_is_refused(alice: Customer, ec_key: Imported) -> None:
    for request in (
        {"operation": "export"},
        {"operation": ""},
        {"key": "k" * 129},
        {"principal": "client:" + "c" * 129},
        {"mechanism": "m" * 129},
        {"parameters": Parameters(target="t" * 129)},
    ):
        fields = {"key": ec_key.id, "operation": "sign"} | request
        assert alice.operate(fields.pop("key"), fields.pop("operation"), MESSAGE, **fields).code == "malformed"


def test_an_oversize_payload_is_refused(alice: Customer, ec_key: Imported) -> None:
    assert alice.operate(ec_key.id, "sign", bytes(MAX_PAYLOAD)).code == ""
    assert alice.operate(ec_key.id, "sign", bytes(MAX_PAYLOAD + 1)).code == "too-large"


@pytest.mark.parametrize("text", ["!", "A", "AB==", "AAA+", "é"])
def test_parameters_that_are_not_base64url_are_refused(
    alice: Customer, ec_key: Imported, aes_key: Imported, text: str
) -> None:
    assert alice.operate(ec_key.id, "verify", MESSAGE, parameters=Parameters(signature=text)).code == "malformed"
    assert alice.operate(aes_key.id, "encrypt", MESSAGE, parameters=Parameters(aad=text)).code == "malformed"


def test_every_refusal_inside_a_partition_is_on_record(alice: Customer, ec_key: Imported, signed_key: Imported) -> None:
    before = {lane: len(entries) for lane, entries in alice.hsm.verified_log(alice.partition).items()}
    expected = []
    for key, operation, changes in (
        (ec_key.id, "sign", {}),
        (ec_key.id, "encrypt", {}),
        ("key_none", "sign", {}),
        (signed_key.id, "sign", {}),
        (ec_key.id, "sign", {"principal": "client:cl_mallory"}),
        (ec_key.id, "sign", {"instruction": "nonsense"}),
    ):
        reply = alice.operate(key, operation, MESSAGE, **changes)
        expected.append((f"key:{operation}", reply.code or "ok", key))
    new = [
        (one.event, one.result, one.key)
        for lane, entries in alice.hsm.verified_log(alice.partition).items()
        for one in entries[before.get(lane, 0) :]
    ]
    assert sorted(new) == sorted(expected)
    assert len({result for _, result, _ in expected}) == 6


def test_signatures_of_one_key_are_not_another_keys(alice: Customer, ec_key: Imported, signed_key: Imported) -> None:
    signature = worked(alice.operate(ec_key.id, "sign", MESSAGE))
    with pytest.raises(InvalidSignature):
        private_key(signed_key.material).public_key().verify(signature, MESSAGE, ec.ECDSA(SHA256))
