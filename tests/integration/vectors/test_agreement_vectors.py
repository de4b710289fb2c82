"""ECDH by NIST's vectors and X25519 by those of RFC 7748: HKDF of the secret that they name is what is derived."""

import pytest
from asn1crypto.keys import ECDomainParameters, ECPrivateKey, PrivateKeyInfo
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from tests.support.known_answers import Case, Check, VectorKey, ec_point_der
from tests.support.materials import CURVES, pkcs8
from tests.support.vector_files import Record, number, records, spread, value

PARAMETERS = (("length", 32),)
CURVES_OF_NIST = {"EC - SHA256": KeyType.EC_P256, "ED - SHA384": KeyType.EC_P384, "EE - SHA512": KeyType.EC_P521}


def derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"vector").derive(secret)


def derive(where: str, key: VectorKey, peer: bytes, expected: bytes | str) -> Case:
    return Case(
        where, key, Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256, peer, expected, aad=b"vector", parameters=PARAMETERS
    )


def pair(key_type: KeyType, one: Record) -> VectorKey:
    """PKCS#8 of a private and a public half as they stand in the vector, whether or not they belong together."""
    curve = CURVES[key_type]
    size = (curve.key_size + 7) // 8
    point = b"\4" + number(one["qsiutx"]).to_bytes(size, "big") + number(one["qsiuty"]).to_bytes(size, "big")
    named = ECDomainParameters({"named": curve.name})
    private = ECPrivateKey({"version": 1, "private_key": number(one["dsiut"]), "public_key": point})
    private.set_key_size(size)
    info = {"version": 0, "private_key_algorithm": {"algorithm": "ec", "parameters": named}, "private_key": private}
    return VectorKey(key_type, PrivateKeyInfo(info).dump())


@pytest.mark.vectors(Mechanism.ECDH_HKDF_SHA256)
@pytest.mark.parametrize("role", ["init", "resp"])
@pytest.mark.parametrize("section", CURVES_OF_NIST)
def test_ecdh_agrees_on_nists_secret_and_refuses_what_is_no_point(check: Check, section: str, role: str) -> None:
    name, key_type = f"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{role}.fax", CURVES_OF_NIST[section]
    every = [one for one in records(name) if one["section"] == section and "result" in one]
    chosen = spread((one for one in every if one["result"].startswith("P")), 5)
    chosen += [one for one in every if one["result"].startswith("F")][::2]
    cases = []
    for one in chosen:
        result, key = one["result"], pair(key_type, one)
        peer = ec_point_der(CURVES[key_type], number(one["qscavsx"]), number(one["qscavsy"]))
        secret: bytes | str = derived(value(one["z"].zfill(2 * ((CURVES[key_type].key_size + 7) // 8))))
        if "CAVS's Static public" in result:
            secret = "payload-invalid"
        elif "IUT's Static" in result:
            # The two halves of what is imported do not belong together.
            secret = "key-unparsable"
        elif "Z changed" in result:
            continue
        cases.append(derive(f"{name} {one['count']} {result}", key, peer, secret))
    assert {case.expected for case in cases if not case.good} == {"payload-invalid", "key-unparsable"}
    check(cases)


X25519_PREFIX = bytes.fromhex("302a300506032b656e032100")
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]
"""u of the points of order 1, 2, 4 and 8 of curve25519 and its twist, also unreduced: what they agree on is zero."""


@pytest.mark.vectors(Mechanism.ECDH_HKDF_SHA256)
def test_x25519_agrees_as_in_rfc_7748_and_never_on_zero(check: Check) -> None:
    name, cases = "asymmetric/X25519/rfc7748.txt", []
    for one in records(name):
        key = VectorKey(KeyType.X25519, pkcs8(X25519PrivateKey.from_private_bytes(value(one["input_scalar"]))))
        peer = X25519_PREFIX + X25519PublicKey.from_public_bytes(value(one["input_u"])).public_bytes_raw()
        right = derive(f"{name} {one['count']}", key, peer, derived(value(one["output_u"])))
        cases.append(right)
        cases += [
            right.altered(f"u = {u}", "payload-invalid", payload=X25519_PREFIX + bytes.fromhex(u)) for u in SMALL_ORDER
        ]
        cases += [
            right.altered("cut", "payload-invalid", payload=peer[:-1]),
            right.altered("longer", "payload-invalid", payload=peer + b"\0"),
            right.altered("without its algorithm", "payload-invalid", payload=peer[-32:]),
            right.altered("empty", "payload-invalid", payload=b""),
        ]
    check(cases)
