"""RSA PKCS#1 v1.5 and PSS, ECDSA, Ed25519 and ML-DSA by the vectors of NIST and of RFC 8032."""

import hashlib
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support.known_answers import Bench, Case, Check, VectorKey, ec_point_der, public_der
from tests.support.materials import CURVES, pkcs8
from tests.support.vector_files import FOLDER, Record, number, records, spread, value

NIST = "asymmetric/RSA/FIPS_186-2/"
RSA_SIZES = {"2048", "3072", "4096"}
HASHES = {"SHA256", "SHA384", "SHA512"}
RSA_PKCS1 = [Mechanism.RSA_PKCS1_SHA256, Mechanism.RSA_PKCS1_SHA384, Mechanism.RSA_PKCS1_SHA512]
RSA_PSS = [Mechanism.RSA_PSS_SHA256, Mechanism.RSA_PSS_SHA384, Mechanism.RSA_PSS_SHA512]
ECDSA = [Mechanism.ECDSA_SHA256, Mechanism.ECDSA_SHA384, Mechanism.ECDSA_SHA512]


def rsa_public(n: int, e: int) -> VectorKey:
    return VectorKey(KeyType.RSA, public_der(rsa.RSAPublicNumbers(e, n).public_key()), public=True)


def rsa_records(name: str) -> Iterator[tuple[int, Record]]:
    """Each vector of the sizes and hashes that there are mechanisms for, with the modulus before it."""
    n = 0
    for one in records(name):
        n = number(one["n"]) if "n" in one else n
        if one.get("mod") in RSA_SIZES and one.get("shaalg") in HASHES:
            yield n, one


def turned(data: bytes, place: int = -1) -> bytes:
    """With a bit of one byte turned."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def no_signatures(case: Case) -> Iterator[Case]:
    """What is no signature at all, or of another message: found invalid, never an error."""
    signature = case.signature
    wrong = {
        "empty": b"", "a byte": b"\0", "cut": signature[:-1], "longer": signature + b"\0", "before": b"\0" + signature,
        "zeros": bytes(len(signature)), "ones": b"\xff" * len(signature), "first": turned(signature, 0),
        "last": turned(signature), "huge": bytes(8192),
    }  # fmt: skip
    for how, one in wrong.items():
        yield case.altered(how, False, signature=one)
    yield case.altered("message", False, payload=case.payload + b"\0")


@pytest.mark.vectors(*RSA_PKCS1)
@pytest.mark.parametrize("name", ["FIPS_186-2/SigVer15_186-3.rsp", "SigVer15EMTest.txt"])
def test_rsa_pkcs1_verifies_what_nist_says_and_nothing_else(check: Check, name: str) -> None:
    cases = []
    for place, (n, one) in enumerate(rsa_records(f"asymmetric/RSA/{name}")):
        e, message, digest = number(one["e"]), value(one["msg"]), one["shaalg"].lower()
        mechanism, signature = Mechanism(f"RSA-PKCS1-{one['shaalg']}"), value(one["s"])
        expected = one["result"].startswith("P")
        where, key = f"{name} {place} {one['result']}", rsa_public(n, e)
        case = Case(where, key, Usage.VERIFY, mechanism, message, expected, signature=signature)
        cases.append(case)
        if case.good:
            hashed = hashlib.new(digest, message).digest()
            cases.append(case.altered("prehashed", True, payload=hashed, parameters=(("prehashed", True),)))
            cases += no_signatures(case)
            cases.append(case.altered("beside the modulus", False, signature=beside(signature, n)))
    if name == "SigVer15EMTest.txt":
        # All of these are padded wrongly: what is right is in the other file.
        assert not any(case.good for case in cases)
        cases += right_ones()
    check(cases)


def beside(signature: bytes, n: int) -> bytes:
    """s + n: congruent to the signature, but not in range; RFC 8017 §5.2.2."""
    return (int.from_bytes(signature, "big") + n).to_bytes(len(signature) + 1, "big")


def right_ones() -> list[Case]:
    """One by each hash."""
    name, found = f"{NIST}SigVer15_186-3.rsp", {}
    for n, one in rsa_records(name):
        mechanism = Mechanism(f"RSA-PKCS1-{one['shaalg']}")
        if one["result"].startswith("P"):
            found[mechanism] = Case(
                name, rsa_public(n, number(one["e"])), Usage.VERIFY, mechanism, value(one["msg"]), True,
                signature=value(one["s"]),
            )  # fmt: skip
    return list(found.values())


def test_rsa_pkcs1_signs_as_nist_does(check: Check) -> None:
    name, p, q, cases = f"{NIST}SigVer15_186-3.rsp", 0, 0, []
    for one in records(name):
        p, q = (number(one[name]) if name in one else before for name, before in (("p", p), ("q", q)))
        if one.get("mod") in {"2048", "3072"} and one.get("shaalg") in HASHES and one["result"].startswith("P"):
            e, d = number(one["e"]), number(one["d"])
            numbers = rsa.RSAPrivateNumbers(
                p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, p * q)
            )
            key = VectorKey(KeyType.RSA, pkcs8(numbers.private_key(unsafe_skip_rsa_key_validation=True)))
            expected = "key-weak" if e < 65537 else value(one["s"])
            mechanism = Mechanism(f"RSA-PKCS1-{one['shaalg']}")
            cases.append(Case(name, key, Usage.SIGN, mechanism, value(one["msg"]), expected))
    check(cases)


@pytest.mark.wrong_vectors(*RSA_PSS)
def test_a_pss_salt_of_another_length_than_the_hashs_is_not_valid(bench: Bench) -> None:
    """NIST's vectors have salts of 10 bytes, which no mechanism here has."""
    name = f"{NIST}SigVerPSS_186-3.rsp"
    cases = [
        Case(f"{name} {one['result']}", rsa_public(n, number(one["e"])), Usage.VERIFY,
             Mechanism(f"RSA-PSS-{one['shaalg']}"), value(one["msg"]), False, signature=value(one["s"]))
        for n, one in rsa_records(name)
    ]  # fmt: skip
    assert sum("P" in case.where for case in cases) > 20
    assert bench.answers(cases) == [False] * len(cases)


def ecdsa(where: str, key: VectorKey, hashed: str, one: Record, expected: bool | str) -> Iterator[Case]:
    """In DER and raw, over the message and over its digest."""
    size = (CURVES[key.key_type].key_size + 7) // 8
    r, s, message = number(one["r"]), number(one["s"]), value(one["msg"])
    mechanism, digest = Mechanism(f"ECDSA-{hashed}"), hashlib.new(hashed.lower(), message).digest()
    der = Case(where, key, Usage.VERIFY, mechanism, message, expected, signature=encode_dss_signature(r, s))
    yield der
    yield der.altered("prehashed", expected, payload=digest, parameters=(("prehashed", True),))
    if max(r, s) < 256**size:
        raw = r.to_bytes(size, "big") + s.to_bytes(size, "big")
        yield der.altered("raw", expected, signature=raw, parameters=(("format", "raw"),))
        if expected is True:
            yield der.altered("raw, but DER is due", False, signature=raw)
    if expected is True:
        yield from no_signatures(der)


def ec_public(key_type: KeyType, one: Record) -> VectorKey:
    return VectorKey(key_type, ec_point_der(CURVES[key_type], number(one["qx"]), number(one["qy"])), public=True)


def on_curve(key: VectorKey) -> bool:
    try:
        load_der_public_key(key.material)
    except ValueError:
        return False
    return True


NIST_CURVES = {"P-256": KeyType.EC_P256, "P-384": KeyType.EC_P384, "P-521": KeyType.EC_P521}


@pytest.mark.vectors(*ECDSA)
@pytest.mark.parametrize("curve", NIST_CURVES)
def test_ecdsa_verifies_what_nist_says_and_nothing_else(check: Check, curve: str) -> None:
    key_type, cases = NIST_CURVES[curve], []
    name = "asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"
    sections = {f"{curve},SHA-{bits}" for bits in (256, 384, 512)}
    every = [one for one in records(name) if one["section"] in sections]
    chosen = spread((one for one in every if one["result"].startswith("P")), 6)
    chosen += spread((one for one in every if one["result"].startswith("F")), 15)
    for n, one in enumerate(chosen):
        # A public key that was changed is mostly no point of the curve, and then no key.
        key = ec_public(key_type, one)
        expected = one["result"].startswith("P") if on_curve(key) else "key-unparsable"
        hashed = one["section"].partition(",")[2].replace("-", "")
        cases += ecdsa(f"{name} {curve} {n} {one['result']}", key, hashed, one, expected)
    check(cases)


@pytest.mark.vectors(*ECDSA)
def test_ecdsa_on_secp256k1_verifies(check: Check) -> None:
    name, cases = "asymmetric/ECDSA/SECP256K1/SigGen.txt", []
    for hashed in ("SHA256", "SHA384", "SHA512"):
        section = f"K-256,{hashed.replace('SHA', 'SHA-')}"
        for n, one in enumerate(spread((one for one in records(name) if one["section"] == section), 3)):
            cases += ecdsa(f"{name} {n}", ec_public(KeyType.EC_SECP256K1, one), hashed, one, True)
    check(cases)


ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of edwards25519's base point (RFC 8032 §5.1)."""


@pytest.mark.vectors(Mechanism.ED25519)
def test_ed25519_is_that_of_rfc_8032(check: Check) -> None:
    name, cases = "asymmetric/Ed25519/sign.input", []
    for n, line in enumerate(spread((FOLDER / name).read_text().splitlines(), 16)):
        secret, public, message, signed = (bytes.fromhex(one) for one in line.split(":")[:4])
        signature = signed[:64]
        pair = VectorKey(KeyType.ED25519, pkcs8(Ed25519PrivateKey.from_private_bytes(secret[:32])))
        alone = VectorKey(KeyType.ED25519, public_der(Ed25519PublicKey.from_public_bytes(public)), public=True)
        cases.append(Case(f"{name} {n}", pair, Usage.SIGN, Mechanism.ED25519, message, signature))
        right = Case(f"{name} {n}", alone, Usage.VERIFY, Mechanism.ED25519, message, True, signature=signature)
        # s + L is the same number modulo the order: RFC 8032 §5.1.7 wants it refused.
        more = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
        cases += [right, right.altered("s + L", False, signature=signature[:32] + more), *no_signatures(right)]
    check(cases)


@pytest.mark.vectors(Mechanism.ML_DSA_65)
def test_ml_dsa_verifies_what_others_signed_under_a_context(check: Check) -> None:
    name, cases = "asymmetric/MLDSA/kat_MLDSA_65_det_pure.rsp", []
    for one in spread(records(name), 6):
        key = VectorKey(
            KeyType.ML_DSA_65, public_der(MLDSA65PublicKey.from_public_bytes(value(one["pk"]))), public=True
        )
        right = Case(
            f"{name} {one['count']}", key, Usage.VERIFY, Mechanism.ML_DSA_65, value(one["msg"]), True,
            signature=value(one["sm"])[:3309], aad=value(one["ctx"]),
        )  # fmt: skip
        cases += [right, right.altered("context", False, aad=b""), *no_signatures(right)]
        cases.append(right.altered("long context", "payload-invalid", aad=bytes(256)))
    check(cases)
