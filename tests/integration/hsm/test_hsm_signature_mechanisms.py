"""Every signature mechanism with every key type that it fits: what others verify, and what others signed."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import EC_SIGNING, REGISTRY, KeyType, Mechanism, Usage
from tests.support import outside
from tests.support.imports import Imported, code_of
from tests.support.materials import CURVES, ec_pkcs8, make_terms, rsa_pkcs8
from tests.support.sealed import Customer

MESSAGE = b"the story of a key"
WITH_KEY_TYPES = [
    (mechanism, key_type)
    for mechanism, row in REGISTRY.items()
    if {Usage.SIGN, Usage.VERIFY} <= row.operations
    for key_type in sorted(row.key_types)
]
ECDSA = [pair for pair in WITH_KEY_TYPES if pair[1] in EC_SIGNING]
HASHED = [pair for pair in WITH_KEY_TYPES if "prehashed" in REGISTRY[pair[0]].parameters]


@pytest.fixture(scope="module")
def keys(alice: Customer, import_key: Callable[..., Imported]) -> dict[KeyType, Imported]:
    """One key of each type that signs."""
    return {key_type: import_key(alice, key_type) for key_type in {one for _, one in WITH_KEY_TYPES}}


def ask(customer: Customer, key: Imported, operation: str, payload: bytes, mechanism: str, **parameters: Any) -> bytes:
    reply = customer.operate(key.id, operation, payload, mechanism=mechanism, parameters=Parameters(**parameters))
    assert (reply.code, reply.detail, reply.mechanism) == ("", "", mechanism)
    return reply.result


@pytest.mark.parametrize(("mechanism", "key_type"), WITH_KEY_TYPES)
def test_a_signature_verifies_outside_and_one_made_outside_inside(
    alice: Customer, keys: dict[KeyType, Imported], mechanism: Mechanism, key_type: KeyType
) -> None:
    key = keys[key_type]
    for message in (b"", MESSAGE, os.urandom(100_000)):
        signature = ask(alice, key, "sign", message, mechanism)
        outside.verify(mechanism, key.material, signature, message)
        theirs = outside.sign(mechanism, key.material, message)
        for one in (signature, theirs):
            assert ask(alice, key, "verify", message, mechanism, signature=b64u(one)) == b"\x01"
            assert ask(alice, key, "verify", message + b"!", mechanism, signature=b64u(one)) == b"\x00"


@pytest.mark.parametrize(("mechanism", "key_type"), WITH_KEY_TYPES)
def test_an_altered_signature_does_not_hold(
    alice: Customer, keys: dict[KeyType, Imported], mechanism: Mechanism, key_type: KeyType
) -> None:
    key = keys[key_type]
    good = outside.sign(mechanism, key.material, MESSAGE)
    spoilt = [good[:n] + bytes([good[n] ^ 1]) + good[n + 1 :] for n in range(0, len(good), max(1, len(good) // 40))]
    spoilt += [b"", good[:-1], good + b"\0", bytes(len(good)), b"\xff" * len(good)]
    for one in spoilt:
        assert ask(alice, key, "verify", MESSAGE, mechanism, signature=b64u(one)) == b"\x00"


@pytest.mark.parametrize(("mechanism", "key_type"), HASHED)
def test_a_digest_is_signed_as_its_message_and_has_the_hashs_length(
    alice: Customer, keys: dict[KeyType, Imported], mechanism: Mechanism, key_type: KeyType
) -> None:
    key, digest = keys[key_type], outside.digest_by(mechanism, MESSAGE)
    signature = ask(alice, key, "sign", digest, mechanism, prehashed=True)
    outside.verify(mechanism, key.material, signature, MESSAGE)
    theirs = b64u(outside.sign(mechanism, key.material, MESSAGE))
    assert ask(alice, key, "verify", digest, mechanism, prehashed=True, signature=theirs) == b"\x01"
    assert ask(alice, key, "verify", digest, mechanism, signature=theirs) == b"\x00"
    for operation in ("sign", "verify"):
        for wrong in (b"", digest[:-1], digest + b"\0", bytes(20)):
            parameters = Parameters(prehashed=True, signature=theirs if operation == "verify" else "")
            reply = alice.operate(key.id, operation, wrong, mechanism=mechanism, parameters=parameters)
            assert reply.code == "payload-invalid"


@pytest.mark.parametrize(("mechanism", "key_type"), ECDSA)
def test_raw_signatures_go_both_ways(
    alice: Customer, keys: dict[KeyType, Imported], mechanism: Mechanism, key_type: KeyType
) -> None:
    key, size = keys[key_type], (CURVES[key_type].key_size + 7) // 8
    for _ in range(8):  # of r and s some begin with a zero
        raw = ask(alice, key, "sign", MESSAGE, mechanism, format="raw")
        assert len(raw) == 2 * size
        outside.verify(mechanism, key.material, outside.to_der(raw), MESSAGE)
    der = outside.sign(mechanism, key.material, MESSAGE)
    raw = outside.to_raw(der, size)
    assert ask(alice, key, "verify", MESSAGE, mechanism, format="raw", signature=b64u(raw)) == b"\x01"
    wrong = [b"", raw[:-1], raw + b"\0", b"\0" + raw, bytes(2 * size), b"\xff" * 2 * size, raw[size:] + raw[:size], der]
    for one in wrong:
        assert ask(alice, key, "verify", MESSAGE, mechanism, format="raw", signature=b64u(one)) == b"\x00"
    # Neither form is taken for the other.
    assert ask(alice, key, "verify", MESSAGE, mechanism, signature=b64u(raw)) == b"\x00"


def test_a_raw_signature_of_a_digest(alice: Customer, keys: dict[KeyType, Imported]) -> None:
    key, digest = keys[KeyType.EC_P384], outside.digest_by("ECDSA-SHA384", MESSAGE)
    raw = ask(alice, key, "sign", digest, "ECDSA-SHA384", format="raw", prehashed=True)
    outside.verify("ECDSA-SHA384", key.material, outside.to_der(raw), MESSAGE)
    given = b64u(raw)
    verified = ask(alice, key, "verify", digest, "ECDSA-SHA384", format="raw", prehashed=True, signature=given)
    assert verified == b"\x01"


def test_one_mechanisms_signature_is_not_anothers(alice: Customer, keys: dict[KeyType, Imported]) -> None:
    for key_type in (KeyType.RSA, KeyType.EC_P256):
        key, of_type = keys[key_type], [mechanism for mechanism, one in WITH_KEY_TYPES if one is key_type]
        for made in of_type:
            signature = b64u(outside.sign(made, key.material, MESSAGE))
            for checked in of_type:
                wanted = b"\x01" if checked == made else b"\x00"
                assert ask(alice, key, "verify", MESSAGE, checked, signature=signature) == wanted


@pytest.mark.parametrize(("mechanism", "key_type"), WITH_KEY_TYPES)
def test_a_parameter_that_the_mechanism_does_not_take_is_refused(
    alice: Customer, keys: dict[KeyType, Imported], mechanism: Mechanism, key_type: KeyType
) -> None:
    for name, value in {"prehashed": True, "format": "raw", "salt": "AAAA", "length": 32, "aad": "AAAA"}.items():
        if name in REGISTRY[mechanism].parameters:
            continue
        reply = alice.operate(
            keys[key_type].id, "sign", MESSAGE, mechanism=mechanism, parameters=Parameters(**{name: value})
        )
        assert (reply.code, name in reply.detail) == ("mechanism-unsupported", True)


@pytest.mark.parametrize("key_type", [KeyType.RSA, KeyType.EC_SECP256K1, KeyType.ML_DSA_65, KeyType.AES_128])
def test_a_mechanism_signs_with_no_other_kind_of_key(
    alice: Customer, import_key: Callable[..., Imported], key_type: KeyType
) -> None:
    key = import_key(alice, key_type)
    for mechanism in {one for one, _ in WITH_KEY_TYPES}:
        code = alice.operate(key.id, "sign", MESSAGE, mechanism=mechanism).code
        if (mechanism, key_type) in WITH_KEY_TYPES:
            assert code == ""
        else:
            assert code in {"mechanism-unsupported", "usage-not-permitted"}


def test_a_key_on_another_curve_is_not_taken_for_secp256k1(alice: Customer, name: str) -> None:
    for material in (ec_pkcs8(), rsa_pkcs8(), b""):
        envelope = alice.envelope(material, make_terms(KeyType.EC_SECP256K1).encode(), name)
        assert code_of(alice, envelope) == "key-unparsable"
