"""What is right, with something changed in it somewhere: found invalid or refused by a code, and never taken."""

import random
from collections.abc import Iterator

import pytest

from strongroom.protocol.mechanisms import REGISTRY, KeyType, Mechanism, Usage
from tests.support.known_answers import Bench, Case, VectorKey, b64, public_der
from tests.support.materials import CURVES, material_of, private_key

MESSAGE = b"the story of a key"
MUTANTS = 100
CHECKED = [(one, sorted(row.key_types)[0]) for one, row in REGISTRY.items() if Usage.VERIFY in row.operations]
OPENED = [
    (one, sorted(row.key_types)[0], pair)
    for one, row in REGISTRY.items()
    for pair in ((Usage.ENCRYPT, Usage.DECRYPT), (Usage.WRAP, Usage.UNWRAP))
    if set(pair) <= row.operations
]
PAIRS = [KeyType.RSA, KeyType.EC_P256, KeyType.ED25519, KeyType.X25519, KeyType.ML_DSA_65]


def mutants(data: bytes, count: int = MUTANTS) -> Iterator[bytes]:
    """Different each from `data` and from one another; where they are changed is the same in every run."""
    chance, seen = random.Random(7), {data}  # noqa: S311 - nothing secret
    while len(seen) <= count:
        place = chance.randrange(len(data))
        head, tail = data[:place], data[place + 1 :]
        mutant = chance.choice(
            [
                head + bytes([data[place] ^ 1 << chance.randrange(8)]) + tail,
                head + bytes([chance.choice([0, 1, 0x7F, 0x80, 0xFF])]) + tail,
                head + tail,
                head,
                head + bytes([chance.choice([0, 0x80, 0xFF])]) + data[place:],
                data[: place % 8] + bytes([chance.randrange(256)]) + data[place % 8 + 1 :],
                data + bytes(chance.randrange(1, 4)),
            ]
        )
        if mutant not in seen:
            seen.add(mutant)
            yield mutant


@pytest.fixture(scope="module")
def material() -> dict[KeyType, bytes]:
    return {one: material_of(one) for one in KeyType}


@pytest.mark.parametrize(("mechanism", "key_type"), CHECKED)
@pytest.mark.parametrize("raw", [False, True], ids=["", "raw"])
def test_a_signature_or_code(
    bench: Bench, material: dict[KeyType, bytes], mechanism: Mechanism, key_type: KeyType, raw: bool
) -> None:
    form: dict[str, str] = {"format": "raw"} if raw and "format" in REGISTRY[mechanism].parameters else {}
    key = VectorKey(key_type, material[key_type])
    makes = Usage.SIGN if Usage.SIGN in REGISTRY[mechanism].operations else Usage.HASH
    signature = bench.ask(bench.id_of(key), makes, payload=b64(MESSAGE), mechanism=mechanism, parameters=form)
    assert isinstance(signature, bytes)
    right = Case("", key, Usage.VERIFY, mechanism, MESSAGE, True, signature=signature, parameters=tuple(form.items()))
    cases = [right, *(right.altered("", False, signature=one) for one in mutants(signature))]
    assert bench.answers(cases) == [True] + [False] * MUTANTS


@pytest.mark.parametrize(("mechanism", "key_type", "pair"), OPENED)
def test_a_ciphertext(
    bench: Bench,
    material: dict[KeyType, bytes],
    mechanism: Mechanism,
    key_type: KeyType,
    pair: tuple[Usage, Usage],
) -> None:
    closes, opens = pair
    key = VectorKey(key_type, material[key_type])
    sealed = bench.ask(bench.id_of(key), closes, payload=b64(MESSAGE), mechanism=mechanism)
    assert isinstance(sealed, bytes)
    right = Case("", key, opens, mechanism, sealed, MESSAGE)
    cases = [right, *(right.altered("", "ciphertext-invalid", payload=one) for one in mutants(sealed))]
    assert bench.answers(cases) == [MESSAGE] + ["ciphertext-invalid"] * MUTANTS


@pytest.mark.parametrize("key_type", [KeyType.EC_P256, KeyType.EC_P384, KeyType.EC_P521])
def test_a_peers_key(bench: Bench, material: dict[KeyType, bytes], key_type: KeyType) -> None:
    key, peer = VectorKey(key_type, material[key_type]), public_der(private_key(material_of(key_type)).public_key())
    cases = [Case("", key, Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256, one, "payload-invalid") for one in mutants(peer)]
    answers = bench.answers(cases)
    assert answers == ["payload-invalid"] * MUTANTS


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_peers_key_of_another_kind(bench: Bench, material: dict[KeyType, bytes], key_type: KeyType) -> None:
    key = bench.id_of(VectorKey(KeyType.X25519, material[KeyType.X25519]))
    data = material[key_type]
    others = [data, *([public_der(private_key(data).public_key())] if key_type in {*PAIRS, *CURVES} else [])]
    for one in others:
        expected = isinstance(bench.ask(key, "derive", payload=b64(one)), bytes)
        assert expected is (key_type is KeyType.X25519 and one is not data)


@pytest.mark.parametrize("key_type", PAIRS)
def test_an_imported_key(bench: Bench, material: dict[KeyType, bytes], key_type: KeyType) -> None:
    """It is refused by a code, or where it is a key all the same, it is of use."""
    keys = [VectorKey(key_type, one) for one in mutants(material[key_type], 40)]
    public = public_der(private_key(material[key_type]).public_key())
    keys += [VectorKey(key_type, one, public=True) for one in mutants(public, 40)]
    bench.import_all(keys)
    codes = [code for key in keys if not (code := bench.id_of(key)).startswith("key_")]
    assert set(codes) <= {"key-unparsable", "key-weak", "key-self-test-failed"}
    assert len(codes) > 40
    for key in keys:
        if (key_id := bench.id_of(key)).startswith("key_"):
            answer = bench.ask(key_id, "hash", payload=b64(MESSAGE), mechanism=Mechanism.SHA_256)
            assert isinstance(answer, bytes)
