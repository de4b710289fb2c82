"""AES-GCM, AES-GCM-SIV, ChaCha20-Poly1305 and AES key wrap by the vectors of NIST, BoringSSL, OpenSSL and Botan."""

from collections.abc import Iterator

import pytest

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support.known_answers import Answer, Case, Check, VectorKey
from tests.support.vector_files import records, spread, value

AES_TYPES = {16: KeyType.AES_128, 24: KeyType.AES_192, 32: KeyType.AES_256}
INVALID = "ciphertext-invalid"


def aes(raw: bytes) -> VectorKey:
    return VectorKey(AES_TYPES[len(raw)], raw)


def opening(  # noqa: PLR0917
    where: str, key: VectorKey, mechanism: Mechanism, sealed: bytes, aad: bytes, expected: Answer
) -> Case:
    return Case(where, key, Usage.DECRYPT, mechanism, sealed, expected, aad=aad)


def altered(case: Case) -> Iterator[Case]:
    """The vector with a bit turned, where its ciphertext begins and ends, a byte short, and under other data."""
    nonce, rest = case.payload[:12], case.payload[12:]
    changes = {
        "nonce": bytes([nonce[0] ^ 1]) + nonce[1:] + rest,
        "first": nonce + bytes([rest[0] ^ 1]) + rest[1:],
        "last": nonce + rest[:-1] + bytes([rest[-1] ^ 0x80]),
        "short": case.payload[:-1],
        "long": case.payload + b"\0",
    }
    for name, payload in changes.items():
        yield case.altered(name, INVALID, payload=payload)
    yield case.altered("data", INVALID, aad=case.aad + b"\0")


@pytest.mark.vectors(Mechanism.AES_GCM)
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_aes_gcm_opens_what_nist_sealed_and_nothing_else(check: Check, bits: int) -> None:
    name = f"ciphers/AES/GCM/gcmDecrypt{bits}.rsp"

    def case(one: dict[str, str]) -> Case:
        sealed = value(one["iv"]) + value(one["ct"]) + value(one["tag"])
        where = f"{name} {one['section']} {one['ptlen']} {one['aadlen']} {one['count']}"
        clear = INVALID if "fail" in one or one["taglen"] != "128" else value(one["pt"])
        return opening(where, aes(value(one["key"])), Mechanism.AES_GCM, sealed, value(one["aad"]), clear)

    every = [one for one in records(name) if one["ivlen"] == "96"]
    whole = [one for one in every if one["taglen"] == "128"]
    good = spread((one for one in whole if "fail" not in one), 25)
    assert {one["ptlen"] for one in good} == {"0", "128", "256", "104", "408"}
    bad = spread((one for one in whole if "fail" in one), 10)
    # A tag that was cut is refused, although it is right as far as it goes.
    cut = spread((one for one in every if one["taglen"] in ("64", "96", "120") and "fail" not in one), 6)
    cases = [case(one) for one in good + bad + cut]
    check(cases + [changed for one in cases[:25:6] for changed in altered(one)])


@pytest.mark.vectors(Mechanism.AES_GCM_SIV)
def test_aes_gcm_siv_opens_what_openssl_sealed_and_nothing_else(check: Check) -> None:
    name = "ciphers/AES/GCM-SIV/openssl.txt"
    cases = [
        opening(
            f"{name} {one['count']}", aes(value(one["key"])), Mechanism.AES_GCM_SIV,
            value(one["iv"]) + value(one["ciphertext"]) + value(one["tag"]), value(one.get("aad", "")),
            value(one["plaintext"]),
        )
        for one in records(name)
    ]  # fmt: skip
    check(cases + [changed for one in cases for changed in altered(one)])


@pytest.mark.vectors(Mechanism.CHACHA20_POLY1305)
def test_chacha20_poly1305_opens_what_others_sealed_and_nothing_else(check: Check) -> None:
    name = "ciphers/ChaCha20Poly1305/boringssl.txt"
    cases = [
        opening(
            f"{name} {one['count']}", VectorKey(KeyType.CHACHA20, value(one["key"])), Mechanism.CHACHA20_POLY1305,
            value(one["nonce"]) + value(one["ct"]) + value(one["tag"]), value(one["ad"]), value(one["in"]),
        )
        for one in records(name)
        if len(value(one["nonce"])) == 12 and len(value(one["tag"])) == 16
    ]  # fmt: skip
    name = "ciphers/ChaCha20Poly1305/openssl.txt"
    for one in records(name):
        sealed = value(one["iv"]) + value(one["ciphertext"]) + value(one["tag"])
        clear = INVALID if "result" in one else value(one["plaintext"])
        key = VectorKey(KeyType.CHACHA20, value(one["key"]))
        cases.append(
            opening(f"{name} {one['count']}", key, Mechanism.CHACHA20_POLY1305, sealed, value(one["aad"]), clear)
        )
    check(cases + [changed for one in cases[::7] for changed in altered(one)])


@pytest.mark.vectors(Mechanism.AES_KWP)
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_key_wrap_is_nists(check: Check, bits: int) -> None:
    name = f"keywrap/kwtestvectors/KWP_AE_{bits}.txt"
    cases = [
        Case(f"{name} {one['count']}", aes(value(one["k"])), Usage.WRAP, Mechanism.AES_KWP,
             value(one["p"]), value(one["c"]))
        for one in spread(records(name), 10)
    ]  # fmt: skip
    name = f"keywrap/kwtestvectors/KWP_AD_{bits}.txt"
    every = list(records(name))
    chosen = spread((one for one in every if "fail" not in one), 10) + spread(
        (one for one in every if "fail" in one), 10
    )
    for one in chosen:
        clear = INVALID if "fail" in one else value(one["p"])
        key = aes(value(one["k"]))
        cases.append(Case(f"{name} {one['count']}", key, Usage.UNWRAP, Mechanism.AES_KWP, value(one["c"]), clear))
    check(cases)


@pytest.mark.vectors(Mechanism.AES_KWP)
def test_key_wrap_is_botans_in_both_directions(check: Check) -> None:
    name = "keywrap/kwp_botan.txt"
    cases = []
    for one in records(name):
        where, key = f"{name} {one['count']}", aes(value(one["key"]))
        clear, wrapped = value(one["input"]), value(one["output"])
        cases.append(Case(where, key, Usage.WRAP, Mechanism.AES_KWP, clear, wrapped))
        opened = Case(where, key, Usage.UNWRAP, Mechanism.AES_KWP, wrapped, clear)
        cases.append(opened)
        cases.append(opened.altered("last", INVALID, payload=wrapped[:-1] + bytes([wrapped[-1] ^ 1])))
        cases.append(opened.altered("half a block", INVALID, payload=wrapped[:-4]))
    key = cases[0].key
    odd = [b"", bytes(7), bytes(8), bytes(15), bytes(16), bytes(24)]
    cases += [Case(f"{len(one)} zero bytes", key, Usage.UNWRAP, Mechanism.AES_KWP, one, INVALID) for one in odd]
    # RFC 5649 has no wrapping of nothing.
    cases.append(Case("nothing", key, Usage.WRAP, Mechanism.AES_KWP, b"", "payload-invalid"))
    assert len({one.key for one in cases}) >= 2
    check(cases)
