"""Key files that the page of imports reads: as the command reads them."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from strongroom.client.material import read_material
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.mechanisms import KeyType
from tests.support.page_modules import PageModules, pkcs8, read

pytestmark = pytest.mark.needs("node", "npm")

MAKERS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC-P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC-P384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EC-P521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": Ed25519PrivateKey.generate,
    "X25519": X25519PrivateKey.generate,
}
every_pair = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
both_encodings = pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
PASSPHRASE = "open sesame, ünd mehr"


def is_read_alike(found: dict[str, Any], known: Any) -> None:
    """The page found what the command does; and what it would seal, the command reads as the same key again."""
    assert "refused" not in found, found
    assert (found["key_type"], found["public_key"]) == (known.key_type, known.public_key)
    assert found["public_only"] is known.public_only
    assert read_material(bytes.fromhex(found["secret"])).secret == known.secret


# --- private keys ----------------------------------------------------------------------------------------------------


@both_encodings
@every_pair
def test_a_key_pair_is_read_as_the_command_reads_it(modules: PageModules, make: Any, encoding: Encoding) -> None:
    data = pkcs8(make(), encoding)
    is_read_alike(read(modules, data), read_material(data))


@both_encodings
@pytest.mark.parametrize("kind", ["RSA", "EC-P256", "EC-P384", "EC-P521"])
def test_pkcs1_and_sec1_are_read_as_the_command_reads_them(modules: PageModules, kind: str, encoding: Encoding) -> None:
    data = MAKERS[kind]().private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    is_read_alike(read(modules, data), read_material(data))


@both_encodings
@every_pair
def test_a_key_under_a_passphrase_is_read_with_it(modules: PageModules, make: Any, encoding: Encoding) -> None:
    lock = BestAvailableEncryption(PASSPHRASE.encode())
    data = make().private_bytes(encoding, PrivateFormat.PKCS8, lock)
    is_read_alike(read(modules, data, passphrase=PASSPHRASE), read_material(data, None, PASSPHRASE.encode()))
    for passphrase, said in (("", "Fill it in"), ("open sesame", "passphrase is wrong")):
        refused = read(modules, data, passphrase=passphrase)
        assert (refused.get("refused"), said in refused.get("sentence", "")) == ("key-unparsable", True), refused
    script = 'return (await import("./material.js")).needsPassphrase(fromHex(given))'
    assert modules.run(script, data.hex()) is True
    assert modules.run(script, pkcs8(make(), encoding).hex()) is False


def jwk_of(key: Any) -> dict[str, Any]:
    """A private key as a JWK, with members that are none of the key."""
    if isinstance(key, rsa.RSAPrivateKey):
        made: dict[str, Any] = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        made = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        halves = {"x": b64u(key.public_key().public_bytes_raw()), "d": b64u(key.private_bytes_raw())}
        made = {"kty": "OKP", "crv": type(key).__name__.removesuffix("PrivateKey")} | halves
    return made | {"kid": "mine", "use": "enc", "alg": "none", "key_ops": []}


@every_pair
def test_a_jwk_is_read_as_the_command_reads_it(modules: PageModules, make: Any) -> None:
    jwk = jwk_of(make())
    public = {name: value for name, value in jwk.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
    for one in (jwk, {"keys": [jwk]}, public):
        data = canonical_json(one)
        is_read_alike(read(modules, data), read_material(data))


def test_a_jwk_whose_halves_differ_is_refused(modules: PageModules) -> None:
    for kind in ("EC-P256", "Ed25519", "RSA"):
        jwk, other = jwk_of(MAKERS[kind]()), jwk_of(MAKERS[kind]())
        halves = {name: other[name] for name in ("x", "y", "n") if name in other}
        refused = read(modules, canonical_json(jwk | halves))
        assert refused.get("refused") in ("key-self-test-failed", "key-unparsable"), (kind, refused)


# --- public keys -----------------------------------------------------------------------------------------------------


@both_encodings
@every_pair
def test_a_public_key_is_read_as_the_command_reads_it(modules: PageModules, make: Any, encoding: Encoding) -> None:
    data = make().public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    found = read(modules, data)
    is_read_alike(found, read_material(data))
    assert found["public_only"] is True


def test_an_old_public_key_of_rsa_is_read_too(modules: PageModules) -> None:
    for exponent in (3, 65537):
        key = rsa.generate_private_key(exponent, 2048).public_key()
        data = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        is_read_alike(read(modules, data), read_material(data))


# --- symmetric keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "key_type", "encoding"),
    [
        (bytes(range(16)), "", ""),
        (bytes(range(100, 132)), "", ""),
        (bytes(range(100, 132)), "ChaCha20", ""),
        (bytes(range(100, 132)), "HMAC", ""),
        (bytes(range(100, 164)), "HMAC", "raw"),
        (bytes(range(32)).hex().encode(), "AES-256", ""),
        (bytes(range(32)).hex().encode() + b"\n", "AES-256", "hex"),
        (bytes(range(32)).hex().encode(), "HMAC", "hex"),
        (b"0123456789abcdef", "AES-128", "raw"),
    ],
)
def test_a_symmetric_key_is_read_as_the_command_reads_it(
    modules: PageModules, data: bytes, key_type: str, encoding: Any
) -> None:
    found = read(modules, data, key_type, encoding)
    known = read_material(data, KeyType(key_type) if key_type else None, encoding=encoding or None)
    assert (found["key_type"], found["secret"], found["check_value"]) == (
        known.key_type,
        known.secret.hex(),
        known.check_value,
    )


@pytest.mark.parametrize(
    ("jwk", "key_type"),
    [({}, ""), ({"alg": "HS256"}, ""), ({"alg": "A256GCM"}, ""), ({}, "ChaCha20"), ({}, "HMAC")],
)
def test_a_symmetric_jwk_is_read_as_the_command_reads_it(
    modules: PageModules, jwk: dict[str, str], key_type: str
) -> None:
    data = canonical_json({"kty": "oct", "k": b64u(bytes(range(32)))} | jwk)
    found = read(modules, data, key_type)
    known = read_material(data, KeyType(key_type) if key_type else None)
    assert (found["key_type"], found["secret"]) == (known.key_type, known.secret.hex())
    assert found["check_value"] == known.check_value
