"""Property: a batch answers as its items would one by one; what one direction makes the other takes back."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.mechanisms import REGISTRY, KeyType, Mechanism, Usage
from tests.support import outside
from tests.support.imports import Imported
from tests.support.sealed import Customer

few = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
payloads = st.lists(st.binary(max_size=120), min_size=1, max_size=12)
parts = st.tuples(st.binary(max_size=120), st.binary(max_size=120), st.binary(max_size=20))
batches = st.lists(parts, min_size=1, max_size=12)

DETERMINISTIC = [
    *((Usage.HASH, one) for one, row in REGISTRY.items() if Usage.HASH in row.operations),
    *((Usage.VERIFY, one) for one, row in REGISTRY.items() if Usage.VERIFY in row.operations),
    *((Usage.DECRYPT, one) for one, row in REGISTRY.items() if Usage.DECRYPT in row.operations),
    (Usage.SIGN, Mechanism.ED25519),
    (Usage.SIGN, Mechanism.RSA_PKCS1_SHA256),
    (Usage.WRAP, Mechanism.AES_KWP),
    (Usage.UNWRAP, Mechanism.AES_KWP),
    (Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256),
]
ROUND_TRIPS = [
    *((Usage.ENCRYPT, Usage.DECRYPT, one) for one, row in REGISTRY.items() if Usage.ENCRYPT in row.operations),
    (Usage.WRAP, Usage.UNWRAP, Mechanism.AES_KWP),
]
SIGNED = [(one, row) for one, row in REGISTRY.items() if {Usage.SIGN, Usage.VERIFY} <= row.operations]
OPENED = [one for one, row in REGISTRY.items() if Usage.TRANSLATE in row.operations]
SEALED = [one for one, row in REGISTRY.items() if Usage.ENCRYPT in row.operations]
ELSEWHERE = {(Usage.REWRAP, one) for one in OPENED} | {(Usage.SIGN, Mechanism.X509_CSR)}
"""Tested in files of their own."""
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


def a_type(mechanism: Mechanism) -> KeyType:
    return min(REGISTRY[mechanism].key_types)


@pytest.mark.parametrize(("operation", "mechanism"), DETERMINISTIC)
def test_a_batch_equals_singles(alice: Customer, key_of: Keys, operation: Usage, mechanism: Mechanism) -> None:
    key, row = key_of(a_type(mechanism)).id, REGISTRY[mechanism]

    @few
    @given(batches)
    def holds(drawn: list[tuple[bytes, bytes, bytes]]) -> None:
        # What the mechanism does not take is refused, and would leave nothing to compare: it is now and then there.
        takes = (True, operation is Usage.VERIFY, "aad" in row.parameters)
        odd = len(drawn) % 4 == 0
        items = [Item(*(part if kept or odd else b"" for part, kept in zip(one, takes, strict=True))) for one in drawn]
        batch = alice.operate_batch(key, operation, items, mechanism=mechanism)
        assert batch.code == ""
        for index, item in enumerate(items):
            parameters = Parameters(signature=b64u(item.signature), aad=b64u(item.aad))
            single = alice.operate(key, operation, item.payload, mechanism=mechanism, parameters=parameters)
            assert batch.results[index] == single.result
            assert batch.errors.get(index, ("", "")) == (single.code, single.detail)

    holds()


@pytest.mark.parametrize(("there", "back", "mechanism"), ROUND_TRIPS)
def test_what_one_makes_of_a_batch_the_other_takes_back(
    alice: Customer, key_of: Keys, there: Usage, back: Usage, mechanism: Mechanism
) -> None:
    key, takes_aad = key_of(a_type(mechanism)).id, "aad" in REGISTRY[mechanism].parameters

    @few
    @given(st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=12), st.binary(max_size=20))
    def holds(clear: list[bytes], aad: bytes) -> None:
        own = aad if takes_aad else b""
        made = alice.operate_batch(key, there, [Item(one, aad=own) for one in clear], mechanism=mechanism)
        assert (made.code, made.errors) == ("", {})
        taken = alice.operate_batch(key, back, [Item(one, aad=own) for one in made.results], mechanism=mechanism)
        assert (taken.results, taken.errors) == (clear, {})

    holds()


@pytest.mark.parametrize(("mechanism", "key_type"), [(one, min(row.key_types)) for one, row in SIGNED])
def test_what_is_signed_in_a_batch_verifies_in_a_batch(
    alice: Customer, key_of: Keys, mechanism: Mechanism, key_type: KeyType
) -> None:
    key = key_of(key_type).id

    @few
    @given(payloads)
    def holds(messages: list[bytes]) -> None:
        signed = alice.operate_batch(key, "sign", [Item(one) for one in messages], mechanism=mechanism)
        assert (signed.code, signed.errors) == ("", {})
        pairs = [Item(message, made) for message, made in zip(messages, signed.results, strict=True)]
        others = [Item(one.payload + b"!", one.signature) for one in pairs]
        verified = alice.operate_batch(key, "verify", pairs + others, mechanism=mechanism)
        assert verified.results == [b"\x01"] * len(pairs) + [b"\x00"] * len(pairs)

    holds()


@pytest.mark.parametrize("source_type", [KeyType.AES_128, KeyType.CHACHA20, KeyType.RSA])
@pytest.mark.parametrize("target_type", [KeyType.AES_256, KeyType.CHACHA20, KeyType.RSA])
def test_translate_in_a_batch_is_decrypt_then_encrypt(
    alice: Customer, key_of: Keys, source_type: KeyType, target_type: KeyType
) -> None:
    source, target = key_of(source_type).id, key_of(target_type).id

    @few
    @given(payloads, st.binary(max_size=20), st.binary(max_size=20))
    def holds(clear: list[bytes], aad: bytes, outward: bytes) -> None:
        sealed = alice.operate_batch(source, "encrypt", [Item(one, aad=aad) for one in clear]).results
        items = [Item(one, aad=aad) for one in sealed] + [Item(sealed[0] + b"!", aad=aad)]
        parameters = Parameters(target=target, target_aad=b64u(outward))
        moved = alice.operate_batch(source, "translate", items, parameters=parameters)
        assert (moved.code, list(moved.errors)) == ("", [len(clear)])
        for one, wanted in zip(moved.results[:-1], clear, strict=True):
            opened = alice.operate(target, "decrypt", one, parameters=Parameters(aad=b64u(outward)))
            assert (opened.code, opened.result) == ("", wanted)
        single = alice.operate(
            source, "translate", items[-1].payload,
            parameters=Parameters(target=target, target_aad=b64u(outward), aad=b64u(aad)),
        )  # fmt: skip
        assert moved.errors[len(clear)] == (single.code, single.detail) == ("ciphertext-invalid", "")

    holds()


@pytest.mark.parametrize("source_mechanism", OPENED)
def test_every_cipher_translates_to_every_cipher(alice: Customer, key_of: Keys, source_mechanism: Mechanism) -> None:
    source = key_of(a_type(source_mechanism))

    @settings(few, max_examples=4)
    @given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
    def holds(clear: bytes, aad: bytes, outward: bytes) -> None:
        sealed = outside.seal(source_mechanism, source.material, clear, aad)
        for mechanism in SEALED:
            target = key_of(a_type(mechanism))
            parameters = Parameters(
                target=target.id, target_mechanism=mechanism, target_aad=b64u(outward), aad=b64u(aad)
            )
            moved = alice.operate(source.id, "translate", sealed, mechanism=source_mechanism, parameters=parameters)
            assert moved.code == ""
            assert outside.unseal(mechanism, target.material, moved.result, outward) == clear

    holds()


def test_every_row_of_the_registry_has_a_property() -> None:
    covered = ELSEWHERE | set(DETERMINISTIC)
    covered |= {(usage, one) for there, back, one in ROUND_TRIPS for usage in (there, back)}
    covered |= {(usage, one) for one, _ in SIGNED for usage in (Usage.SIGN, Usage.VERIFY)}
    covered |= {(Usage.TRANSLATE, one) for one in OPENED}
    assert covered == {(usage, one) for one, row in REGISTRY.items() for usage in row.operations}
