"""Public keys in receipts of keys that the device made: the page takes each for the type that the command does."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.client.material import type_of_public_key
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")

TYPES = """
    const { typeOfPublicKey } = await import("./public-keys.js");
    return Promise.all(given.map(typeOfPublicKey));
"""
ACCEPTED: list[Any] = [
    *(ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1, ec.SECP256K1)),
    *(one.generate() for one in (Ed25519PrivateKey, X25519PrivateKey, MLDSA65PrivateKey)),
    rsa.generate_private_key(65537, 2048),
    rsa.generate_private_key(3, 2048),
]
OTHERS: list[Any] = [
    ec.generate_private_key(ec.SECP224R1()),
    ec.generate_private_key(ec.BrainpoolP256R1()),
    Ed448PrivateKey.generate(),
    MLDSA44PrivateKey.generate(),
    dsa.generate_private_key(2048),
    rsa.generate_private_key(65537, 1024),  # noqa: S505
]


def pem(key: Any) -> str:
    written: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return written.decode()


def damaged(key: Any) -> str:
    """Another number at the end: no point of the curve, nor a key of the same length."""
    lines = pem(key).splitlines()
    body = lines[-2]
    return "\n".join([*lines[:-2], body[:-8] + "AAAA" + body[-4:], lines[-1]]) + "\n"


def test_each_type_is_told_as_the_command_tells_it(modules: PageModules) -> None:
    written = [pem(one) for one in [*ACCEPTED, *OTHERS]]
    known = [type_of_public_key(one) or "" for one in written]
    assert modules.run(TYPES, written) == known
    assert all(known[: len(ACCEPTED)])
    assert not any(known[len(ACCEPTED) :])


def test_what_is_no_whole_key_is_none(modules: PageModules) -> None:
    secp256k1, p256 = ec.generate_private_key(ec.SECP256K1()), ec.generate_private_key(ec.SECP256R1())
    written = [
        "",
        "nonsense",
        damaged(secp256k1),
        damaged(p256),
        pem(secp256k1).replace("PUBLIC KEY", "PRIVATE KEY"),
        "\n".join([*pem(MLDSA65PrivateKey.generate()).splitlines()[:10], "-----END PUBLIC KEY-----"]),
    ]
    assert [type_of_public_key(one) for one in written] == [None] * len(written)
    assert modules.run(TYPES, written) == [""] * len(written)
