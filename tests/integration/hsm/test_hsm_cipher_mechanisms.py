"""Ciphers, hashes, authentication codes, key wrap and agreement: each as others compute it, failures included."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import AES, EC, REGISTRY, KeyType, Mechanism, Usage
from tests.support import outside
from tests.support.imports import Imported
from tests.support.materials import CURVES, material_of, pkcs8, private_key, spki
from tests.support.sealed import Customer

MESSAGE = b"the story of a key"


def with_key_types(operation: Usage) -> list[tuple[Mechanism, KeyType]]:
    rows = REGISTRY.items()
    return [(one, key_type) for one, row in rows if operation in row.operations for key_type in sorted(row.key_types)]


CIPHERS = with_key_types(Usage.ENCRYPT)
AEADS = [pair for pair in CIPHERS if pair[0] in outside.AEADS]
CODES = [pair for pair in with_key_types(Usage.VERIFY) if Usage.HASH in REGISTRY[pair[0]].operations]
PLAIN_HASHES = sorted({one for one, _ in with_key_types(Usage.HASH)} - {one for one, _ in CODES})
WRAPS = with_key_types(Usage.WRAP)
AGREEMENTS = with_key_types(Usage.DERIVE)
Keys = Callable[[KeyType], Imported]


@pytest.fixture(scope="module")
def key_of(alice: Customer, import_key: Callable[..., Imported]) -> Keys:
    """One key of each type, with every usage that any of its mechanisms offers."""
    made: dict[KeyType, Imported] = {}

    def key(key_type: KeyType) -> Imported:
        if key_type not in made:
            usages = {usage for row in REGISTRY.values() if key_type in row.key_types for usage in row.operations}
            made[key_type] = import_key(alice, key_type, usages=sorted(usages))
        return made[key_type]

    return key


def ask(customer: Customer, key: Imported, operation: str, payload: bytes, mechanism: str, **parameters: Any) -> bytes:
    reply = customer.operate(key.id, operation, payload, mechanism=mechanism, parameters=Parameters(**parameters))
    assert (reply.code, reply.detail, reply.mechanism) == ("", "", mechanism)
    return reply.result


def code(customer: Customer, key: Imported, operation: str, payload: bytes, mechanism: str, **parameters: Any) -> str:
    reply = customer.operate(key.id, operation, payload, mechanism=mechanism, parameters=Parameters(**parameters))
    assert reply.code == "" or reply.result == b""
    return reply.code


# --- ciphers ---


@pytest.mark.parametrize("aad", [b"", b"context"])
@pytest.mark.parametrize(("mechanism", "key_type"), CIPHERS)
def test_what_is_encrypted_decrypts_outside_and_the_reverse(
    alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType, aad: bytes
) -> None:
    key, given = key_of(key_type), b64u(aad)
    for clear in (b"", MESSAGE, os.urandom(120)):
        sealed = ask(alice, key, "encrypt", clear, mechanism, aad=given)
        assert outside.unseal(mechanism, key.material, sealed, aad) == clear
        assert ask(alice, key, "decrypt", sealed, mechanism, aad=given) == clear
        theirs = outside.seal(mechanism, key.material, clear, aad)
        assert ask(alice, key, "decrypt", theirs, mechanism, aad=given) == clear
        assert code(alice, key, "decrypt", theirs, mechanism, aad=b64u(aad + b"x")) == "ciphertext-invalid"


@pytest.mark.parametrize(("mechanism", "key_type"), CIPHERS)
def test_an_altered_ciphertext_is_refused(
    alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType
) -> None:
    key = key_of(key_type)
    good = outside.seal(mechanism, key.material, MESSAGE)
    spoilt = [good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :] for n in range(0, len(good), max(1, len(good) // 40))]
    for one in [*spoilt, b"", good[:-1], good[1:], good + b"\0", bytes(len(good)), bytes(27)]:
        assert code(alice, key, "decrypt", one, mechanism) == "ciphertext-invalid"


@pytest.mark.parametrize(("mechanism", "key_type"), AEADS)
def test_no_nonce_comes_twice(alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType) -> None:
    assert len({ask(alice, key_of(key_type), "encrypt", b"", mechanism)[:12] for _ in range(50)}) == 50


def test_ciphertexts_of_one_cipher_are_not_anothers(alice: Customer, key_of: Keys) -> None:
    key = key_of(KeyType.AES_256)
    for made, read in (("AES-GCM", "AES-GCM-SIV"), ("AES-GCM-SIV", "AES-GCM")):
        sealed = outside.seal(made, key.material, MESSAGE)
        assert code(alice, key, "decrypt", sealed, read) == "ciphertext-invalid"
    key = key_of(KeyType.RSA)
    sealed = outside.seal("RSA-OAEP-SHA256", key.material, MESSAGE)
    assert code(alice, key, "decrypt", sealed, "RSA-OAEP-SHA512") == "ciphertext-invalid"


@pytest.mark.parametrize(("mechanism", "most"), [("SHA256", 190), ("SHA384", 158), ("SHA512", 126)])
def test_oaep_takes_as_much_as_the_standard_allows(alice: Customer, key_of: Keys, mechanism: str, most: int) -> None:
    key = key_of(KeyType.RSA)
    assert code(alice, key, "encrypt", bytes(most), f"RSA-OAEP-{mechanism}") == ""
    assert code(alice, key, "encrypt", bytes(most + 1), f"RSA-OAEP-{mechanism}") == "payload-invalid"


@pytest.mark.parametrize("label", [b"", b"label"])
def test_oaep_with_sha1_is_read_and_never_written(alice: Customer, key_of: Keys, label: bytes) -> None:
    key, mechanism, given = key_of(KeyType.RSA), Mechanism.RSA_OAEP_SHA1, b64u(label)
    sealed = outside.seal(mechanism, key.material, MESSAGE, label)
    assert ask(alice, key, "decrypt", sealed, mechanism, aad=given) == MESSAGE
    assert code(alice, key, "encrypt", MESSAGE, mechanism) == "mechanism-unsupported"
    # It may be translated from, into something better; and not to.
    target = key_of(KeyType.AES_256)
    moved = ask(alice, key, "translate", sealed, mechanism, target=target.id, aad=given)
    assert outside.unseal("AES-GCM", target.material, moved) == MESSAGE
    parameters = {"target": key.id, "target_mechanism": mechanism}
    assert code(alice, target, "translate", moved, "AES-GCM", **parameters) == "mechanism-unsupported"


# --- hashes and authentication codes ---


@pytest.mark.parametrize("mechanism", PLAIN_HASHES)
def test_hashes_are_those_of_the_standard_library(alice: Customer, key_of: Keys, mechanism: Mechanism) -> None:
    for key_type in (KeyType.AES_192, KeyType.ED25519, KeyType.HMAC):
        for message in (b"", MESSAGE, os.urandom(100_000)):
            assert ask(alice, key_of(key_type), "hash", message, mechanism) == outside.hash_by(mechanism, b"", message)


@pytest.mark.parametrize(("mechanism", "key_type"), CODES)
def test_codes_are_as_others_compute_them_and_verify(
    alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType
) -> None:
    key = key_of(key_type)
    for message in (b"", MESSAGE, os.urandom(1000)):
        wanted = outside.hash_by(mechanism, key.material, message)
        assert ask(alice, key, "hash", message, mechanism) == wanted
        assert ask(alice, key, "verify", message, mechanism, signature=b64u(wanted)) == b"\x01"
        spoilt = [wanted[:n] + bytes([wanted[n] ^ 1]) + wanted[n + 1 :] for n in range(len(wanted))]
        for one in [*spoilt, b"", wanted[:-1], wanted[:8], wanted + b"\0"]:
            assert ask(alice, key, "verify", message, mechanism, signature=b64u(one)) == b"\x00"
    assert code(alice, key, "hash", MESSAGE, mechanism, aad=b64u(b"x")) == "mechanism-unsupported"
    assert code(alice, key, "hash", MESSAGE, mechanism, prehashed=True) == "mechanism-unsupported"


# --- key wrap ---


@pytest.mark.parametrize(("mechanism", "key_type"), WRAPS)
def test_what_is_wrapped_unwraps_outside_and_the_reverse(
    alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType
) -> None:
    key = key_of(key_type)
    for secret in (b"k", os.urandom(16), os.urandom(31), os.urandom(32), os.urandom(2000)):
        wrapped = ask(alice, key, "wrap", secret, mechanism)
        assert wrapped == aes_key_wrap_with_padding(key.material, secret)
        assert aes_key_unwrap_with_padding(key.material, wrapped) == secret
        assert ask(alice, key, "unwrap", wrapped, mechanism) == secret
    spoilt = [wrapped[:n] + bytes([wrapped[n] ^ 1]) + wrapped[n + 1 :] for n in range(0, len(wrapped), 50)]
    for one in [*spoilt, b"", b"k", wrapped[:-8], wrapped + bytes(8), wrapped[:-1], bytes(16), bytes(24)]:
        assert code(alice, key, "unwrap", one, mechanism) == "ciphertext-invalid"
    assert code(alice, key, "wrap", b"", mechanism) == "payload-invalid"


# --- agreement ---


@pytest.mark.parametrize(("mechanism", "key_type"), AGREEMENTS)
def test_salt_info_and_length_are_hkdfs(alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType) -> None:
    key = key_of(key_type)
    peer: Any = X25519PrivateKey.generate() if key_type is KeyType.X25519 else ec.generate_private_key(CURVES[key_type])
    own = private_key(key.material).public_key()
    shared = peer.exchange(own) if key_type is KeyType.X25519 else peer.exchange(ec.ECDH(), own)
    theirs = spki(pkcs8(peer))
    for salt, info, length in (
        (b"", b"", 0),
        (b"salt", b"", 16),
        (os.urandom(64), b"info", 33),
        (b"s", b"i", 255 * 32),
    ):
        wanted = HKDF(hashes.SHA256(), length or 32, salt=salt or None, info=info).derive(shared)
        parameters = {"salt": b64u(salt), "aad": b64u(info), "length": length}
        assert ask(alice, key, "derive", theirs, mechanism, **parameters) == wanted
    for length in (-1, 1, 15, 255 * 32 + 1, 2**40):
        assert code(alice, key, "derive", theirs, mechanism, length=length) == "mechanism-unsupported"
    assert code(alice, key, "derive", theirs, mechanism, salt="!") == "malformed"


# --- kinds of keys ---


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_mechanism_works_with_its_own_kinds_of_key_and_no_other(
    alice: Customer, key_of: Keys, key_type: KeyType
) -> None:
    key = key_of(key_type)
    for mechanism, row in REGISTRY.items():
        for operation in Usage:
            target = {"target": key.id} if operation is Usage.TRANSLATE else {}
            found = code(alice, key, operation, b"", mechanism, **target)
            if key_type in row.key_types and operation in row.operations:
                assert found in {"", "ciphertext-invalid", "payload-invalid"}, (mechanism, operation)
            else:
                assert found in {"mechanism-unsupported", "usage-not-permitted", "not-found"}, (mechanism, operation)


def test_every_kind_of_key_is_in_the_tests() -> None:
    assert {one for _, one in CIPHERS} == AES | {KeyType.CHACHA20, KeyType.RSA}
    assert {one for _, one in AGREEMENTS} == EC | {KeyType.X25519}
    assert all(material_of(one) for one in KeyType)
