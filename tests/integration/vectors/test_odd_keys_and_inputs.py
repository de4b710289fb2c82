"""What stands in no vector file: keys in every form and of every size, and inputs at the edges of what is allowed."""

import base64
import os
from typing import Any

import pytest
from asn1crypto.keys import PublicKeyInfo
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom.protocol.instructions import MAX_PAYLOAD
from strongroom.protocol.mechanisms import REGISTRY, KeyType, Mechanism, Usage
from tests.support.known_answers import Bench, VectorKey, b64, public_der
from tests.support.materials import CURVES, material_of, pkcs8, private_key, rsa_pkcs8
from tests.support.vector_files import FOLDER

MESSAGE = b"the story of a key"
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""What stands before the point in SubjectPublicKeyInfo (RFC 8410)."""


def verify(bench: Bench, key: str, mechanism: str, signature: bytes, **parameters: Any) -> Any:
    given = {"signature": b64(signature), **parameters}
    return bench.ask(key, "verify", payload=b64(MESSAGE), mechanism=mechanism, parameters=given)


# --- keys ---


@pytest.mark.parametrize(("bits", "e"), [(1024, 65537), (2047, 65537), (4104, 65537)])
def test_a_weak_or_too_large_rsa_key_is_refused(bench: Bench, bits: int, e: int) -> None:
    public = rsa.RSAPublicNumbers(e, 2 ** (bits - 1) + 1).public_key()
    assert bench.id_of(VectorKey(KeyType.RSA, public_der(public), public=True)) == "key-weak"
    if bits <= 2048:
        assert bench.id_of(VectorKey(KeyType.RSA, pkcs8(rsa.generate_private_key(e, bits)))) == "key-weak"


def test_a_small_exponent_verifies_and_never_signs(bench: Bench) -> None:
    key = rsa.generate_private_key(3, 2048)
    assert bench.id_of(VectorKey(KeyType.RSA, pkcs8(key))) == "key-weak"
    assert bench.id_of(VectorKey(KeyType.RSA, public_der(key.public_key()), public=True)).startswith("key_")


@pytest.mark.parametrize("bits", [2048, 3072])
def test_pss_has_the_hashs_salt_and_mgf1_and_no_other(bench: Bench, bits: int) -> None:
    outside = private_key(rsa_pkcs8(bits))
    key = bench.id_of(VectorKey(KeyType.RSA, public_der(outside.public_key()), public=True))
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        mechanism, size = f"RSA-PSS-SHA{algorithm.digest_size * 8}", algorithm.digest_size

        def signed(salt: int, mgf: hashes.HashAlgorithm, hashed: hashes.HashAlgorithm) -> bytes:
            return outside.sign(MESSAGE, padding.PSS(padding.MGF1(mgf), salt), hashed)

        assert verify(bench, key, mechanism, signed(size, algorithm, algorithm)) is True
        for salt in (0, 20, size - 1, size + 1, padding.PSS.MAX_LENGTH):
            assert verify(bench, key, mechanism, signed(salt, algorithm, algorithm)) is False
        assert verify(bench, key, mechanism, signed(size, hashes.SHA1(), algorithm)) is False  # noqa: S303
        assert verify(bench, key, mechanism, signed(size, algorithm, hashes.SHA224())) is False


@pytest.mark.parametrize("sign", [0, 0x80], ids=["", "sign"])
def test_an_ed25519_key_under_which_one_signature_holds_for_any_message_is_refused(bench: Bench, sign: int) -> None:
    small = ["00" * 32, "01" + "00" * 31, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
             "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "ec" + "ff" * 30 + "7f"]  # fmt: skip
    for raw in map(bytes.fromhex, small):
        data = ED25519_PREFIX + raw[:-1] + bytes([raw[-1] | sign])
        assert bench.id_of(VectorKey(KeyType.ED25519, data, public=True)) == "key-weak"
    # y that is not reduced: RFC 8032 §5.1.3 wants it refused, whatever point it would be.
    for first in (0xED, 0xEE, 0xF0):
        data = ED25519_PREFIX + bytes([first]) + b"\xff" * 30 + bytes([0x7F | sign])
        assert bench.id_of(VectorKey(KeyType.ED25519, data, public=True)) == "key-unparsable"


@pytest.mark.parametrize("key_type", CURVES)
def test_a_point_may_be_compressed_and_must_be_on_its_curve(bench: Bench, key_type: KeyType) -> None:
    outside = ec.generate_private_key(CURVES[key_type])
    point = outside.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = outside.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    signature = outside.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))

    def named(data: bytes) -> str:
        info = PublicKeyInfo.load(public_der(outside.public_key()))
        info["public_key"] = data
        return bench.id_of(VectorKey(key_type, info.dump(force=True), public=True))

    assert verify(bench, named(compressed), "ECDSA-SHA256", signature) is True
    for wrong in (point[:-1] + bytes([point[-1] ^ 1]), b"\0", b"", point[:-1], point[1:], b"\5" + point[1:]):
        assert named(wrong) == "key-unparsable"
    other = next(one for one in CURVES if one is not key_type)
    assert bench.id_of(VectorKey(other, public_der(outside.public_key()), public=True)) == "key-unparsable"


@pytest.mark.parametrize("bits", [256, 384, 521])
def test_a_curve_may_be_given_by_its_parameters_if_it_is_a_named_one(bench: Bench, bits: int) -> None:
    folder, key_type = FOLDER / "asymmetric" / "EC", KeyType(f"EC-P{bits}")
    for seed in ("seed", "no-seed"):
        assert bench.id_of(VectorKey(key_type, pem(folder / f"secp{bits}r1-explicit-{seed}.pem"))).startswith("key_")
        public = pem(folder / f"secp{bits}r1-pub-explicit-{seed}.pem")
        assert bench.id_of(VectorKey(key_type, public, public=True)).startswith("key_")
    for name in ("explicit_parameters_wap_wsg_idm_ecid_wtls11_private_key.pem", "secp128r1_private_key.pem"):
        assert bench.id_of(VectorKey(key_type, pem(folder / name))) == "key-unparsable"


def pem(path: Any) -> bytes:
    """The DER of the last block of a PEM file."""
    return base64.b64decode(
        path.read_text().rstrip().rpartition("BEGIN")[2].partition("-----")[2].partition("-----")[0]
    )


@pytest.mark.parametrize("key_type", [KeyType.RSA, KeyType.EC_P256])
def test_a_traditional_private_key_is_taken_and_an_encrypted_one_is_not(bench: Bench, key_type: KeyType) -> None:
    outside = private_key(material_of(key_type))
    plain = outside.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    key = bench.id_of(VectorKey(key_type, plain))
    assert isinstance(bench.ask(key, "sign", payload=b64(MESSAGE)), bytes)
    for name in ("Ed25519/ed25519-pkcs8-enc.der", "X25519/x25519-pkcs8-enc.der"):
        data = (FOLDER / "asymmetric" / name).read_bytes()
        kind = KeyType.ED25519 if "ed25519" in name else KeyType.X25519
        assert bench.id_of(VectorKey(kind, data)) == "key-unparsable"


def test_an_ml_dsa_key_without_its_seed_is_refused(bench: Bench) -> None:
    expanded = (FOLDER / "asymmetric" / "MLDSA" / "mldsa65_noseed_priv.der").read_bytes()
    assert bench.id_of(VectorKey(KeyType.ML_DSA_65, expanded)) == "key-unparsable"


# --- signatures ---


def der(tag: int, data: bytes) -> bytes:
    size = len(data)
    length = (
        bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82, size >> 8, size & 255])
    )
    return bytes([tag]) + length + data


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


@pytest.mark.parametrize("key_type", CURVES)
def test_an_ecdsa_signature_that_is_not_der_or_out_of_range_is_not_valid(bench: Bench, key_type: KeyType) -> None:
    outside = private_key(material_of(key_type))
    key = bench.id_of(VectorKey(key_type, public_der(outside.public_key()), public=True))
    size = (CURVES[key_type].key_size + 7) // 8
    right = outside.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(right)
    n = outside.curve.group_order
    raw = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    wrong = [
        encode_dss_signature(*pair) for pair in ((0, s), (r, 0), (0, 0), (n, s), (r, n), (r + n, s), (r, s + n), (1, 1))
    ]
    both = integer(r) + integer(s)
    wrong += [
        raw, right + b"\0", right[:-1], b"\x30\0", b"\x05\0", b"\x30\x80" + both + b"\0\0", der(0x31, both),
        der(0x30, integer(-r) + integer(s)), der(0x30, der(2, b"\0\0" + r.to_bytes(size, "big")) + integer(s)),
        der(0x30, both + integer(1)), der(0x30, both + b"\0\0"), der(0x30, integer(2**8000) + integer(s)),
        bytes(70_000), b"\x30\x84\xff\xff\xff\xff" + both,
    ]  # fmt: skip
    for one in wrong:
        assert verify(bench, key, "ECDSA-SHA256", one) is False, one.hex()
    assert verify(bench, key, "ECDSA-SHA256", right) is True
    assert verify(bench, key, "ECDSA-SHA256", raw, format="raw") is True
    # What is as good as s: ECDSA is malleable by its nature (FIPS 186-5), and nobody may rely on a signature's bytes.
    assert verify(bench, key, "ECDSA-SHA256", encode_dss_signature(r, n - s)) is True
    zeros, ones = bytes(2 * size), b"\xff" * (2 * size)
    for one in (b"", raw[:-1], raw + b"\0", right, zeros, ones, zeros[:size] + raw[size:], raw[:size] + zeros[:size]):
        assert verify(bench, key, "ECDSA-SHA256", one, format="raw") is False
    for digest in (b"", bytes(20), bytes(31), bytes(33), bytes(64)):
        asked = {"payload": b64(digest), "mechanism": "ECDSA-SHA256"}
        given = {"signature": b64(right), "prehashed": True}
        assert bench.ask(key, "verify", **asked, parameters=given) == "payload-invalid"


# --- sizes ---

SIGNING = [
    (one, key_type) for one, row in REGISTRY.items() for key_type in sorted(row.key_types)
    if {Usage.SIGN, Usage.VERIFY} <= row.operations
]  # fmt: skip
AEADS = [
    (Mechanism.AES_GCM, KeyType.AES_192), (Mechanism.AES_GCM_SIV, KeyType.AES_128),
    (Mechanism.CHACHA20_POLY1305, KeyType.CHACHA20),
]  # fmt: skip


def key_of(bench: Bench, key_type: KeyType) -> str:
    """One key of each type."""
    if key_type not in _MATERIAL:
        _MATERIAL[key_type] = material_of(key_type)
    return bench.id_of(VectorKey(key_type, _MATERIAL[key_type]))


_MATERIAL: dict[KeyType, bytes] = {}


@pytest.mark.parametrize(("mechanism", "key_type"), SIGNING)
def test_the_empty_message_is_signed(bench: Bench, mechanism: Mechanism, key_type: KeyType) -> None:
    key = key_of(bench, key_type)
    signature = bench.ask(key, "sign", payload="", mechanism=mechanism)
    assert isinstance(signature, bytes)
    asked = {"mechanism": mechanism, "parameters": {"signature": b64(signature)}}
    assert bench.ask(key, "verify", payload="", **asked) is True
    assert bench.ask(key, "verify", payload=b64(b"\0"), **asked) is False


@pytest.mark.parametrize(("mechanism", "key_type"), AEADS)
def test_the_empty_and_the_largest_payload_go_there_and_back(
    bench: Bench, mechanism: Mechanism, key_type: KeyType
) -> None:
    key = key_of(bench, key_type)
    for clear, aad in ((b"", b""), (b"", os.urandom(70_000)), (os.urandom(MAX_PAYLOAD), b"x")):
        asked = {"mechanism": mechanism, "parameters": {"aad": b64(aad)}}
        sealed = bench.ask(key, "encrypt", payload=b64(clear), **asked)
        assert isinstance(sealed, bytes)
        assert bench.ask(key, "decrypt", payload=b64(sealed), **asked) == clear
        moved = bench.ask(
            key, "translate", payload=b64(sealed), mechanism=mechanism,
            parameters={"aad": b64(aad), "target": key, "target_mechanism": mechanism, "target_aad": b64(aad)},
        )  # fmt: skip
        assert isinstance(moved, bytes)
        assert bench.ask(key, "decrypt", payload=b64(moved), **asked) == clear
    assert bench.ask(key, "encrypt", payload=b64(bytes(MAX_PAYLOAD + 1)), mechanism=mechanism) == "too-large"
    for size in (0, 1, 12, 27, 28, 29):
        assert bench.ask(key, "decrypt", payload=b64(bytes(size)), mechanism=mechanism) == "ciphertext-invalid"


def test_the_largest_payload_is_wrapped_and_unwrapped(bench: Bench) -> None:
    key = key_of(bench, KeyType.AES_256)
    clear = os.urandom(MAX_PAYLOAD)
    wrapped = bench.ask(key, "wrap", payload=b64(clear))
    assert isinstance(wrapped, bytes)
    assert bench.ask(key, "unwrap", payload=b64(wrapped)) == clear


def test_what_an_operation_does_not_take_is_refused(bench: Bench) -> None:
    key = key_of(bench, KeyType.AES_256)
    for operation, parameters in (
        ("encrypt", {"signature": b64(b"x")}), ("encrypt", {"target": key}), ("encrypt", {"target_aad": b64(b"x")}),
        ("hash", {"target_mechanism": "AES-GCM"}), ("hash", {"aad": b64(b"x")}), ("encrypt", {"prehashed": True}),
        ("encrypt", {"format": "raw"}), ("encrypt", {"salt": b64(b"x")}), ("encrypt", {"length": 16}),
    ):  # fmt: skip
        assert bench.ask(key, operation, payload="", parameters=parameters) == "mechanism-unsupported", parameters
    assert bench.ask(key, "translate", payload="") == "malformed"
