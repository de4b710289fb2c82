"""Key files of every accepted form become what the device takes; others are refused in the owner's words."""

import datetime
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA87PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from strongroom.client.envelopes import complete_terms
from strongroom.client.material import Material, needs_passphrase, public_key_der, read_material
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt

RSA = rsa.generate_private_key(65537, 2048)
P256, OTHER_P256 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
PLAIN, LOCKED = NoEncryption(), BestAvailableEncryption(b"open sesame")
PAIRS: list[tuple[Any, KeyType]] = [
    (RSA, KeyType.RSA),
    (P256, KeyType.EC_P256),
    (ec.generate_private_key(ec.SECP384R1()), KeyType.EC_P384),
    (ec.generate_private_key(ec.SECP521R1()), KeyType.EC_P521),
    (ec.generate_private_key(ec.SECP256K1()), KeyType.EC_SECP256K1),
    (Ed25519PrivateKey.generate(), KeyType.ED25519),
    (MLDSA65PrivateKey.generate(), KeyType.ML_DSA_65),
    (X25519PrivateKey.generate(), KeyType.X25519),
]
OPENSSH = [one for one in PAIRS if one[1] not in {KeyType.EC_SECP256K1, KeyType.ML_DSA_65, KeyType.X25519}]
"""Those that have a form there."""
JWK = [one for one in PAIRS if one[1] is not KeyType.ML_DSA_65]
pair = pytest.mark.parametrize(("key", "key_type"), PAIRS, ids=[key_type for _, key_type in PAIRS])


def pkcs8(key: Any, encoding: Encoding = Encoding.PEM, protection: Any = PLAIN) -> bytes:
    data: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, protection)
    return data


def public(key: Any, encoding: Encoding = Encoding.PEM) -> bytes:
    data: bytes = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return data


def certify(key: Any, name: str, issuer: tuple[Any, str] | None = None) -> x509.Certificate:
    """A certificate of `key`, issued by (key, name), or by itself."""
    signer, by = issuer or (key, name)
    today = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )


ROOT = certify(OTHER_P256, "root")
LEAF = certify(P256, "leaf", (OTHER_P256, "root"))


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def is_the_key(material: Material, key: Any, key_type: KeyType) -> None:
    assert material.key_type is key_type
    assert material.secret == pkcs8(key, Encoding.DER)
    assert material.public_key == public(key).decode()
    assert (material.check_value, material.public_only) == ("", False)


# --- private keys ---


@pair
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("protection", [PLAIN, LOCKED], ids=["plain", "locked"])
def test_pkcs8_is_read(key: Any, key_type: KeyType, encoding: Encoding, protection: Any) -> None:
    data = pkcs8(key, encoding, protection)
    assert needs_passphrase(data) is (protection is LOCKED)
    is_the_key(read_material(data, passphrase=b"open sesame"), key, key_type)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(("key", "key_type"), PAIRS[:5], ids=[key_type for _, key_type in PAIRS[:5]])
def test_pkcs1_and_sec1_are_normalised_to_pkcs8(key: Any, key_type: KeyType, encoding: Encoding) -> None:
    is_the_key(read_material(key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, PLAIN)), key, key_type)


@pytest.mark.parametrize("protection", [PLAIN, LOCKED], ids=["plain", "locked"])
@pytest.mark.parametrize(("key", "key_type"), OPENSSH, ids=[key_type for _, key_type in OPENSSH])
def test_openssh_keys_are_read(key: Any, key_type: KeyType, protection: Any) -> None:
    data = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)
    assert needs_passphrase(data) is (protection is LOCKED)
    is_the_key(read_material(data, passphrase=b"open sesame"), key, key_type)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH])
def test_without_its_passphrase_a_key_stays_closed(form: PrivateFormat) -> None:
    data = P256.private_bytes(Encoding.PEM, form, LOCKED)
    with pytest.raises(Refused, match="under a passphrase, and none was given"):
        read_material(data)
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_material(data, passphrase=b"wrong")


def okp(key: Any) -> dict[str, str]:
    halves = {"x": b64u(key.public_key().public_bytes_raw()), "d": b64u(key.private_bytes_raw())}
    return {"kty": "OKP", "crv": type(key).__name__.removesuffix("PrivateKey")} | halves


@pytest.mark.parametrize(("key", "key_type"), JWK, ids=[key_type for _, key_type in JWK])
def test_jwks_are_read(key: Any, key_type: KeyType) -> None:
    if "25519" in key_type:
        jwk = okp(key)
    else:
        jwk = (RSAAlgorithm if key_type is KeyType.RSA else ECAlgorithm).to_jwk(key, as_dict=True)
    is_the_key(read_material(json.dumps(jwk).encode()), key, key_type)
    is_the_key(read_material(json.dumps({"keys": [jwk]}).encode()), key, key_type)


def test_pkcs12_gives_the_key_and_its_chain_in_order() -> None:
    data = pkcs12.serialize_key_and_certificates(b"it", P256, LEAF, [ROOT], LOCKED)
    assert needs_passphrase(data)
    material = read_material(data, passphrase=b"open sesame")
    is_the_key(material, P256, KeyType.EC_P256)
    assert [from_b64u(one) for one in material.certificates] == [one.public_bytes(Encoding.DER) for one in (LEAF, ROOT)]
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_material(data, passphrase=b"wrong")
    with pytest.raises(Refused, match="none was given"):
        read_material(data)


def test_pkcs12_without_protection_needs_no_passphrase() -> None:
    data = pkcs12.serialize_key_and_certificates(b"it", RSA, None, None, PLAIN)
    assert not needs_passphrase(data)
    is_the_key(read_material(data), RSA, KeyType.RSA)


# --- certificates and public keys ---


def test_certificates_of_a_file_of_their_own_or_of_the_keys_are_put_in_order() -> None:
    wanted = [b64u(one.public_bytes(Encoding.DER)) for one in (LEAF, ROOT)]
    assert read_material(pkcs8(P256), certificate=pem(ROOT, LEAF)).certificates == wanted
    assert read_material(pem(ROOT) + pkcs8(P256) + pem(LEAF)).certificates == wanted
    assert read_material(pkcs8(P256), certificate=LEAF.public_bytes(Encoding.DER)).certificates == wanted[:1]


def test_a_certificate_that_is_not_the_keys_is_refused() -> None:
    for chain in (pem(ROOT), pem(LEAF, certify(RSA, "stranger"))):
        with pytest.raises(Refused, match="certificate-mismatch"):
            read_material(pkcs8(P256), certificate=chain)
    with pytest.raises(Refused, match=r"CN=stranger"):
        read_material(pkcs8(P256), certificate=pem(LEAF, certify(RSA, "stranger")))
    with pytest.raises(Refused, match=r"no X\.509 certificate"):
        read_material(pkcs8(P256), certificate=b"nothing")
    with pytest.raises(Refused, match="symmetric key has no certificate"):
        read_material(bytes(32), certificate=pem(LEAF))


@pytest.mark.parametrize(
    "data", [public(P256), public(P256, Encoding.DER), pem(LEAF, ROOT), LEAF.public_bytes(Encoding.DER)]
)
def test_a_public_key_or_certificate_alone_is_material_that_is_public(data: bytes) -> None:
    material = read_material(data)
    assert material.public_only
    assert material.secret == public(P256, Encoding.DER)
    assert public_key_der(data) == material.secret


def test_an_openssh_public_key_is_read() -> None:
    data = P256.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" alice@example\n"
    assert read_material(data).secret == public(P256, Encoding.DER)


def test_a_public_key_where_a_private_one_is_needed_is_refused_with_what_it_would_take() -> None:
    material = read_material(pem(LEAF))
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN, Usage.VERIFY])
    with pytest.raises(Refused, match="a certificate alone; to sign takes the private key"):
        complete_terms(terms, material)
    complete = complete_terms(Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.VERIFY]), material)
    assert (complete.material, len(complete.certificates)) == ("public", 1)


# --- symmetric keys ---


@pytest.mark.parametrize(
    ("data", "key_type", "encoding", "found", "length"),
    [
        (bytes(range(16)), None, None, KeyType.AES_128, 16),
        (bytes(range(24)), None, None, KeyType.AES_192, 24),
        (bytes(range(32)), None, None, KeyType.AES_256, 32),
        (bytes(31) + b"\n", None, None, KeyType.AES_256, 32),
        (b"0f" * 16 + b"\n", None, None, KeyType.AES_128, 16),
        (b"0F" * 24, KeyType.AES_192, None, KeyType.AES_192, 24),
        (b"00" * 32, KeyType.AES_256, None, KeyType.AES_256, 32),
        (b"00" * 16, KeyType.AES_256, "raw", KeyType.AES_256, 32),
        (bytes(range(32)), KeyType.CHACHA20, None, KeyType.CHACHA20, 32),
        (b"ab" * 32, KeyType.CHACHA20, "hex", KeyType.CHACHA20, 32),
        (bytes(range(20)), KeyType.HMAC, None, KeyType.HMAC, 20),
        (b"ab" * 32, KeyType.HMAC, "hex", KeyType.HMAC, 32),
        (b"ab" * 32, KeyType.HMAC, "raw", KeyType.HMAC, 64),
        (b"a webhook's shared secret", KeyType.HMAC, None, KeyType.HMAC, 25),
        (json.dumps({"kty": "oct", "k": b64u(bytes(32))}).encode(), None, None, KeyType.AES_256, 32),
        (json.dumps({"kty": "oct", "alg": "HS256", "k": b64u(bytes(32))}).encode(), None, None, KeyType.HMAC, 32),
        (json.dumps({"kty": "oct", "k": b64u(bytes(40))}).encode(), None, None, KeyType.HMAC, 40),
    ],
)
def test_symmetric_keys_are_raw_or_hexadecimal(
    data: bytes, key_type: KeyType | None, encoding: Any, found: KeyType, length: int
) -> None:
    material = read_material(data, key_type, encoding=encoding)
    assert (material.key_type, len(material.secret), material.public_key) == (found, length, "")
    assert len(material.check_value) == 6


@pytest.mark.parametrize(
    ("data", "key_type"), [(b"00" * 16, KeyType.AES_256), (b"ab" * 32, KeyType.HMAC), (b"00" * 8, KeyType.AES_128)]
)
def test_what_could_be_read_in_two_ways_is_not_guessed(data: bytes, key_type: KeyType) -> None:
    with pytest.raises(Refused, match="say --encoding hex"):
        read_material(data, key_type)


# --- refusals ---


def jwk(key: Any, **changes: str) -> bytes:
    return json.dumps({**ECAlgorithm.to_jwk(key, as_dict=True), **changes}).encode()


ED = okp(Ed25519PrivateKey.generate())
X962 = (Encoding.X962, PublicFormat.UncompressedPoint)
POINT, OTHER_POINT = P256.public_key().public_bytes(*X962), OTHER_P256.public_key().public_bytes(*X962)
NUMBERS, OTHER_NUMBERS = RSA.private_numbers(), rsa.generate_private_key(65537, 2048).private_numbers()
ALTERED = rsa.RSAPrivateNumbers(
    NUMBERS.p, NUMBERS.q, OTHER_NUMBERS.d, NUMBERS.dmp1, NUMBERS.dmq1, NUMBERS.iqmp, NUMBERS.public_numbers
).private_key(unsafe_skip_rsa_key_validation=True)


@pytest.mark.parametrize(
    ("data", "key_type", "code", "words"),
    [
        (b"", None, "key-unparsable", "not a key in any form"),
        (b"hello", None, "key-unparsable", "not a key in any form"),
        (bytes(31), KeyType.AES_256, "key-unparsable", "has 32 bytes, not 31"),
        (bytes(32) + b"\n", KeyType.AES_256, "key-unparsable", "followed by a line feed"),
        (bytes(15), KeyType.HMAC, "key-weak", "16 to 1024"),
        (b"00" * 20, None, "key-unparsable", "name the key's --type"),
        (pkcs8(P256), KeyType.RSA, "key-unparsable", "of type EC-P256, not RSA"),
        (bytes(16), KeyType.CHACHA20, "key-unparsable", "has 32 bytes, not 16"),
        (bytes(32) + b"\n", KeyType.CHACHA20, "key-unparsable", "followed by a line feed"),
        (pkcs8(MLDSA87PrivateKey.generate()), None, "key-unparsable", "of the kind MLDSA87; accepted are"),
        (pkcs8(ec.generate_private_key(ec.BrainpoolP256R1())), None, "key-unparsable", "curve brainpoolP256r1"),
        (pkcs8(ed448.Ed448PrivateKey.generate()), None, "key-unparsable", "of the kind Ed448; accepted are"),
        (pkcs8(dsa.generate_private_key(2048)), None, "key-unparsable", "of the kind DSA; accepted are"),
        (pkcs8(rsa.generate_private_key(65537, 1024)), None, "key-weak", "1024 bits"),  # noqa: S505
        (pkcs8(rsa.generate_private_key(3, 2048)), None, "key-weak", "exponent"),
        (public(rsa.generate_private_key(65537, 1024)), None, "key-weak", "1024 bits"),  # noqa: S505
        (pkcs8(P256) + pkcs8(RSA), None, "key-unparsable", "several keys"),
        (public(P256) + public(RSA), None, "key-unparsable", "several keys"),
        (pem(LEAF, certify(RSA, "other")), None, "key-unparsable", "several keys"),
        (json.dumps({"keys": [ED, ED]}).encode(), None, "key-unparsable", "the JWK set holds 2 keys"),
        (json.dumps({"keys": []}).encode(), None, "key-unparsable", "the JWK set holds 0 keys"),
        (json.dumps({"kty": "none"}).encode(), None, "key-unparsable", "kty must be"),
        (json.dumps({"kty": "oct"}).encode(), None, "key-unparsable", "has no k"),
        (jwk(P256, d="AAAA"), None, "key-unparsable", "do not make a key"),
        (jwk(P256, x=b64u(bytes(32))), None, "key-unparsable", "do not make a key"),
        (json.dumps({**ED, "x": b64u(bytes(32))}).encode(), None, "key-self-test-failed", "not the public half"),
        (
            P256.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN).replace(POINT, OTHER_POINT),
            None,
            "key-self-test-failed",
            "do not belong together",
        ),
        (pkcs8(ALTERED), None, "key-self-test-failed", "do not belong together"),
        (pkcs8(ALTERED, Encoding.DER), None, "key-self-test-failed", "do not belong together"),
        (b"PuTTY-User-Key-File-3: ssh-rsa", None, "key-unparsable", "puttygen"),
        (b"\xfe\xed\xfe\xed" + bytes(20), None, "key-unparsable", "keytool"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", None, "key-unparsable", "OpenPGP"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA", None, "key-unparsable", "nothing complete"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", None, "key-unparsable", "damaged"),
        (
            b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
            None,
            "key-unparsable",
            "holds CERTIFICATE REQUEST",
        ),
    ],
)
def test_other_files_are_refused_in_the_owners_words(
    data: bytes, key_type: KeyType | None, code: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        read_material(data, key_type)
    assert refused.value.code == code


def test_a_truncated_key_is_refused() -> None:
    whole = pkcs8(RSA, Encoding.DER)
    for length in range(1, len(whole), 97):
        if length not in (16, 24, 32):
            with pytest.raises(Refused, match="key-unparsable"):
                read_material(whole[:length], KeyType.RSA)


def test_a_key_with_any_byte_altered_is_refused_or_is_another_key_that_works() -> None:
    """Nothing but a refusal or sound material ever comes out, whatever is in the file."""
    whole = pkcs8(P256, Encoding.DER)
    outcomes: set[str | bool] = set()
    for position in range(len(whole)):
        altered = whole[:position] + bytes([whole[position] ^ 0x01]) + whole[position + 1 :]
        try:
            outcomes.add(read_material(altered).secret == whole)
        except Refused as refusal:
            outcomes.add(refusal.code)
    assert {"key-unparsable", "key-self-test-failed"} <= outcomes


def test_neither_a_key_nor_a_refusal_shows_the_secret() -> None:
    secret = b"a secret of exactly 32 bytes....", b"a secret of some other length"
    assert "secret of" not in repr(read_material(secret[0]))
    with pytest.raises(Refused) as refused:
        read_material(secret[1], KeyType.AES_256)
    assert "secret of" not in str(refused.value)
    with pytest.raises(Refused) as refused:
        read_material(json.dumps({"kty": "EC", "d": "secret of"}).encode())
    assert "secret of" not in str(refused.value)
