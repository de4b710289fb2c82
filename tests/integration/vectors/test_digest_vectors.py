"""SHA-2, SHA-3, HMAC and CMAC by the vectors of NIST and of RFC 4231."""

from collections.abc import Iterator

import pytest

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support.known_answers import Case, Check, VectorKey, each
from tests.support.vector_files import records, spread, value

ANY = VectorKey(KeyType.HMAC, b"a key that only authorises")
HASHES = {
    Mechanism.SHA_256: "SHA2/SHA256",
    Mechanism.SHA_384: "SHA2/SHA384",
    Mechanism.SHA_512: "SHA2/SHA512",
    Mechanism.SHA3_256: "SHA3/SHA3_256",
    Mechanism.SHA3_384: "SHA3/SHA3_384",
    Mechanism.SHA3_512: "SHA3/SHA3_512",
}


@pytest.mark.parametrize("mechanism", each(HASHES))
def test_hashes_are_nists(check: Check, mechanism: Mechanism) -> None:
    cases = []
    for name, most in (
        (f"hashes/{HASHES[mechanism]}ShortMsg.rsp", 200),
        (f"hashes/{HASHES[mechanism]}LongMsg.rsp", 12),
    ):
        for one in spread(records(name), most):
            message = value(one["msg"])[: int(one["len"]) // 8]
            cases.append(Case(f"{name} {one['len']}", ANY, Usage.HASH, mechanism, message, value(one["md"])))
    refused = cases[0].altered("with data", "mechanism-unsupported", aad=b"x")
    check([*cases, refused])


def codes(where: str, key: VectorKey, mechanism: Mechanism, message: bytes, code: bytes) -> Iterator[Case]:
    """The code is computed, and verified; altered, cut or of another message it is not valid."""
    yield Case(where, key, Usage.HASH, mechanism, message, code)
    right = Case(where, key, Usage.VERIFY, mechanism, message, True, signature=code)
    yield right
    yield right.altered("altered", False, signature=bytes([code[0] ^ 1]) + code[1:])
    yield right.altered("cut", False, signature=code[:-1])
    yield right.altered("halved", False, signature=code[: len(code) // 2])
    yield right.altered("longer", False, signature=code + b"\0")
    yield right.altered("empty", False, signature=b"")
    yield right.altered("message", False, payload=message + b"\0")


@pytest.mark.parametrize("mechanism", each([Mechanism.HMAC_SHA256, Mechanism.HMAC_SHA384, Mechanism.HMAC_SHA512]))
def test_hmac_is_that_of_rfc_4231(check: Check, mechanism: Mechanism) -> None:
    name = f"HMAC/rfc-4231-sha{mechanism[-3:]}.txt"
    cases: list[Case] = []
    for n, one in enumerate(records(name)):
        key, message, code = VectorKey(KeyType.HMAC, value(one["key"])), value(one["msg"]), value(one["md"])
        if len(key.material) < 16:
            cases.append(Case(f"{name} {n}", key, Usage.HASH, mechanism, message, "key-weak"))
        else:
            cases += codes(f"{name} {n}", key, mechanism, message, code)
    check(cases)


@pytest.mark.vectors(Mechanism.AES_CMAC)
@pytest.mark.parametrize(("bits", "key_type"), [(128, KeyType.AES_128), (192, KeyType.AES_192), (256, KeyType.AES_256)])
def test_cmac_is_nists(check: Check, bits: int, key_type: KeyType) -> None:
    name = f"CMAC/nist-800-38b-aes{bits}.txt"
    cases: list[Case] = []
    for one in records(name):
        key = VectorKey(key_type, value(one["key"]))
        cases += codes(f"{name} {one['count']}", key, Mechanism.AES_CMAC, value(one["message"]), value(one["output"]))
    check(cases)
