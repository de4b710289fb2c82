"""RSA-OAEP by RSA Laboratories' vectors, by those of `cryptography` with SHA-2, and by BoringSSL's with a label."""

from collections.abc import Iterator

import pytest

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support.known_answers import Case, Check, VectorKey, each
from tests.support.vector_files import records, rsa_examples, value

INVALID = "ciphertext-invalid"
OWN, OTHER = "asymmetric/RSA/oaep-custom", "asymmetric/RSA/pkcs-1v2-1d2-vec/oaep-vect.txt"
FILES = {
    Mechanism.RSA_OAEP_SHA1: OTHER,
    Mechanism.RSA_OAEP_SHA256: f"{OWN}/oaep-sha256-sha256.txt",
    Mechanism.RSA_OAEP_SHA384: f"{OWN}/oaep-sha384-sha384.txt",
    Mechanism.RSA_OAEP_SHA512: f"{OWN}/oaep-sha512-sha512.txt",
}


def wrong(case: Case) -> Iterator[Case]:
    """All of these have one answer, which says nothing of where the padding is wrong."""
    sealed = case.payload
    changes = {
        "first": bytes([sealed[0] ^ 1]) + sealed[1:], "last": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "cut": sealed[:-1], "longer": sealed + b"\0", "before": b"\0" + sealed, "empty": b"",
        "zero": bytes(len(sealed)), "one": bytes(len(sealed) - 1) + b"\1", "ones": b"\xff" * len(sealed),
    }  # fmt: skip
    for how, payload in changes.items():
        yield case.altered(how, INVALID, payload=payload)
    yield case.altered("label", INVALID, aad=b"a label")


@pytest.mark.parametrize("mechanism", each(FILES))
def test_oaep_opens_what_others_sealed_and_nothing_else(check: Check, mechanism: Mechanism) -> None:
    cases = []
    for n, (private, pairs) in enumerate(rsa_examples(FILES[mechanism])):
        key = VectorKey(KeyType.RSA, private)
        for message, sealed in pairs:
            case = Case(f"{FILES[mechanism]} {n}", key, Usage.DECRYPT, mechanism, sealed, message)
            cases += [case, case.altered("other hash", INVALID, mechanism=other(mechanism))]
        cases += wrong(cases[-2])
    check(cases)


def other(mechanism: Mechanism) -> Mechanism:
    return Mechanism.RSA_OAEP_SHA384 if mechanism == Mechanism.RSA_OAEP_SHA256 else Mechanism.RSA_OAEP_SHA256


@pytest.mark.vectors(Mechanism.RSA_OAEP_SHA256)
@pytest.mark.parametrize("other_hash", ["sha1", "sha224", "sha512"])
def test_another_hash_in_mgf1_is_refused(check: Check, other_hash: str) -> None:
    """Java's default is SHA-1 there. OAEP here has one hash."""
    name = f"{OWN}/oaep-sha256-{other_hash}.txt"
    cases = [
        Case(f"{name} {n}", VectorKey(KeyType.RSA, private), Usage.DECRYPT, Mechanism.RSA_OAEP_SHA256, sealed, INVALID)
        for n, (private, pairs) in enumerate(rsa_examples(name))
        for _, sealed in pairs
    ]
    right = next(rsa_examples(FILES[Mechanism.RSA_OAEP_SHA256]))
    good = Case(
        "right", VectorKey(KeyType.RSA, right[0]), Usage.DECRYPT, Mechanism.RSA_OAEP_SHA256, *reversed(right[1][0])
    )
    check([*cases, good])


@pytest.mark.vectors(Mechanism.RSA_OAEP_SHA512)
def test_oaep_takes_a_label(check: Check) -> None:
    (one,) = records("asymmetric/RSA/oaep-label.txt")
    case = Case(
        "oaep-label.txt", VectorKey(KeyType.RSA, value(one["key"])), Usage.DECRYPT, Mechanism.RSA_OAEP_SHA512,
        value(one["input"]), value(one["output"]), aad=value(one["oaeplabel"]),
    )  # fmt: skip
    check([case, *wrong(case), case.altered("no label", INVALID, aad=b"")])
