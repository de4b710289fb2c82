"""What each kind of key may be and do: lengths, digests, agreement, RSA-PSS keys, and public keys alone."""

import hashlib
import hmac
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol.encoding import b64u
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import EC, SYMMETRIC, KeyType
from strongroom.protocol.statements import Receipt
from tests.support.imports import Imported, code_of
from tests.support.key_use import HASHES, MESSAGE, OAEP, PSS, check_use, worked
from tests.support.materials import CURVES, ec_pkcs8, make_terms, material_of, pkcs8, private_key, rsa_pkcs8, spki
from tests.support.sealed import Customer

Import = Callable[..., Imported]
PAIRS = [one for one in KeyType if one not in SYMMETRIC]
# A point of small order: RFC 7748 §6.1 says what comes of it, an agreement on zeros.
SMALL_ORDER = X25519PublicKey.from_public_bytes(bytes(32))


def public_der(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# --- lengths ---


@pytest.mark.parametrize("length", [16, 17, 32, 64, 65, 1024])
def test_hmac_keys_of_16_to_1024_bytes_hash_as_others_do(alice: Customer, import_key: Import, length: int) -> None:
    key = import_key(alice, KeyType.HMAC, material=os.urandom(length))
    assert worked(alice, key.id, "hash", MESSAGE) == hmac.digest(key.material, MESSAGE, "sha256")
    assert key.receipt.check_value == hashlib.sha1(key.material, usedforsecurity=False).hexdigest()[:6]


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("length", [0, 1, 15, 1025, 4096])
def test_hmac_keys_of_other_lengths_are_refused(alice: Customer, name: str, length: int) -> None:
    envelope = alice.envelope(b"k" * length, make_terms(KeyType.HMAC).encode(), name)
    assert code_of(alice, envelope) == "key-weak"


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("key_type", [KeyType.AES_128, KeyType.AES_192, KeyType.AES_256])
def test_aes_keys_have_the_length_that_is_stated(alice: Customer, name: str, key_type: KeyType) -> None:
    wanted = len(material_of(key_type))
    for length in {0, 15, 16, 24, 31, 32, 33} - {wanted}:
        envelope = alice.envelope(b"k" * length, make_terms(key_type).encode(), name)
        assert code_of(alice, envelope) == "key-unparsable"


# --- digests ---


@pytest.mark.parametrize("key_type", list(CURVES))
def test_ecdsa_takes_a_digest_of_the_curves_own_hash(alice: Customer, import_key: Import, key_type: KeyType) -> None:
    key, algorithm = import_key(alice, key_type), HASHES[key_type]
    digest = hashes.Hash(algorithm)
    digest.update(MESSAGE)
    value = digest.finalize()
    signature = worked(alice, key.id, "sign", value, prehashed=True)
    private_key(key.material).public_key().verify(signature, MESSAGE, ec.ECDSA(algorithm))
    assert worked(alice, key.id, "verify", value, prehashed=True, signature=b64u(signature)) == b"\x01"
    for wrong in (value[:-1], value + b"\0", b""):
        reply = alice.operate(key.id, "sign", wrong, parameters=Parameters(prehashed=True))
        assert reply.code == "payload-invalid"


def test_ed25519_takes_no_digest(alice: Customer, import_key: Import) -> None:
    key = import_key(alice, KeyType.ED25519)
    for operation in ("sign", "verify"):
        reply = alice.operate(key.id, operation, bytes(32), parameters=Parameters(prehashed=True))
        assert reply.code == "mechanism-unsupported"


def test_a_signature_mechanism_of_another_kind_of_key_is_refused(alice: Customer, import_key: Import) -> None:
    for key_type, mechanism in (
        (KeyType.EC_P384, "Ed25519"),
        (KeyType.ED25519, "ECDSA-SHA256"),
        (KeyType.ML_DSA_65, "Ed25519"),
        (KeyType.EC_P256, "ML-DSA-65"),
        (KeyType.X25519, "Ed25519"),
    ):
        key = import_key(alice, key_type)
        code = alice.operate(key.id, "sign", MESSAGE, mechanism=mechanism).code
        assert code == ("usage-not-permitted" if key_type is KeyType.X25519 else "mechanism-unsupported")


# --- agreement ---


@pytest.mark.parametrize("key_type", [*sorted(EC), KeyType.X25519])
def test_what_is_no_public_key_of_the_same_kind_is_not_agreed_with(
    alice: Customer, import_key: Import, key_type: KeyType
) -> None:
    key = import_key(alice, key_type)
    strangers = [spki(ec_pkcs8(curve)) for kind, curve in CURVES.items() if kind is not key_type]
    strangers += [spki(rsa_pkcs8()), spki(pkcs8(Ed25519PrivateKey.generate()))]
    if key_type is not KeyType.X25519:
        strangers.append(public_der(X25519PrivateKey.generate().public_key()))
    own = spki(key.material)
    off_the_curve = own[:-1] + bytes([own[-1] ^ 1])
    for payload in (b"", b"peer", own[:-1], material_of(key_type), public_der(SMALL_ORDER), *strangers):
        assert alice.operate(key.id, "derive", payload).code == "payload-invalid"
    if key_type is not KeyType.X25519:
        assert alice.operate(key.id, "derive", off_the_curve).code == "payload-invalid"


def test_both_sides_inside_agree_and_other_information_gives_another_secret(
    alice: Customer, import_key: Import
) -> None:
    one, other = import_key(alice, KeyType.X25519), import_key(alice, KeyType.X25519)
    here = worked(alice, one.id, "derive", spki(other.material), aad=b64u(b"session 1"))
    there = worked(alice, other.id, "derive", spki(one.material), aad=b64u(b"session 1"))
    assert here == there
    assert worked(alice, one.id, "derive", spki(other.material), aad=b64u(b"session 2")) != here
    # The secret itself is never given out.
    raw = private_key(one.material).exchange(private_key(other.material).public_key())
    assert raw not in {here, worked(alice, one.id, "derive", spki(other.material))}


# --- RSA keys under the RSA-PSS identifier ---


@pytest.fixture(scope="module")
def pss_pkcs8(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A key that `openssl` made for RSA-PSS (RFC 4055 §1.2), in PKCS#8."""
    pem, der = (tmp_path_factory.mktemp("pss") / one for one in ("pss.pem", "pss.der"))
    generate = ["openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(pem)]
    subprocess.run(generate, check=True, capture_output=True)
    convert = ["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", str(pem), "-outform", "DER", "-out", str(der)]
    subprocess.run(convert, check=True)
    return Path(der).read_bytes()


def test_an_rsa_pss_key_signs_and_openssls_own_public_half_verifies(
    alice: Customer, name: str, pss_pkcs8: bytes, tmp_path: Path
) -> None:
    assert bytes.fromhex("06092a864886f70d01010a") in pss_pkcs8  # the identifier of RSASSA-PSS
    terms = make_terms(KeyType.RSA, usages=["sign", "verify"])
    receipt = alice.import_key(pss_pkcs8, terms, name)
    (tmp_path / "key.der").write_bytes(pss_pkcs8)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(worked(alice, receipt.key_id, "sign", MESSAGE))
    subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "public.pem"],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    verified = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-sigopt", "rsa_padding_mode:pss",
         "-sigopt", "rsa_pss_saltlen:32", "-signature", "signature", "message"],
        check=True, cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    assert b"Verified OK" in verified.stdout


# --- what an HSM adds ---


@pytest.mark.parametrize("key_type", PAIRS)
@pytest.mark.parametrize("filling", [1, 7])
def test_zero_bytes_after_a_private_key_that_an_hsm_filled_up_count_for_nothing(
    alice: Customer, name: str, key_type: KeyType, filling: int
) -> None:
    material = material_of(key_type)
    receipt = alice.import_key(material + bytes(filling), make_terms(key_type), name)
    check_use(alice, receipt.key_id, key_type, material)


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("tail", [bytes(8), b"\1", bytes(6) + b"\1", bytes(7) + b"\1"])
@pytest.mark.parametrize("key_type", PAIRS)
def test_other_bytes_after_a_private_key_are_refused(
    alice: Customer, name: str, key_type: KeyType, tail: bytes
) -> None:
    envelope = alice.envelope(material_of(key_type) + tail, make_terms(key_type).encode(), name)
    assert code_of(alice, envelope) == "key-unparsable"


# --- public keys alone ---


def imported_public(customer: Customer, key_type: KeyType, material: bytes, usages: list[str], name: str) -> Receipt:
    return customer.import_key(spki(material), make_terms(key_type, usages=usages, material="public"), name)


@pytest.mark.parametrize("key_type", [*CURVES, KeyType.ED25519, KeyType.ML_DSA_65, KeyType.RSA])
def test_a_public_key_alone_verifies(alice: Customer, name: str, key_type: KeyType) -> None:
    material = material_of(key_type)
    outside = private_key(material)
    receipt = imported_public(alice, key_type, material, ["verify"], name)
    if key_type is KeyType.RSA:
        signature = outside.sign(MESSAGE, PSS, hashes.SHA256())
    elif key_type in {KeyType.ED25519, KeyType.ML_DSA_65}:
        signature = outside.sign(MESSAGE)
    else:
        signature = outside.sign(MESSAGE, ec.ECDSA(HASHES[key_type]))
    assert worked(alice, receipt.key_id, "verify", MESSAGE, signature=b64u(signature)) == b"\x01"
    assert worked(alice, receipt.key_id, "verify", b"other", signature=b64u(signature)) == b"\x00"
    public = outside.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert (receipt.public_key, receipt.check_value) == (public.decode(), "")


def test_a_public_rsa_key_alone_encrypts(alice: Customer, name: str) -> None:
    receipt = imported_public(alice, KeyType.RSA, rsa_pkcs8(), ["verify", "encrypt"], name)
    sealed = worked(alice, receipt.key_id, "encrypt", MESSAGE)
    assert private_key(rsa_pkcs8()).decrypt(sealed, OAEP) == MESSAGE
    for operation in ("sign", "decrypt", "translate", "derive"):
        code = alice.operate(receipt.key_id, operation, sealed, parameters=Parameters(target=receipt.key_id)).code
        assert code in {"usage-not-permitted", "mechanism-unsupported"}


def test_a_public_key_may_be_what_a_ciphertext_is_translated_to(alice: Customer, import_key: Import, name: str) -> None:
    target = imported_public(alice, KeyType.RSA, rsa_pkcs8(), ["encrypt"], name)
    source = import_key(alice, KeyType.AES_256)
    sealed = worked(alice, source.id, "encrypt", MESSAGE)
    translated = worked(alice, source.id, "translate", sealed, target=target.key_id)
    assert private_key(rsa_pkcs8()).decrypt(translated, OAEP) == MESSAGE


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_public_key_alone_is_for_nothing_that_takes_a_private_one(
    alice: Customer, name: str, key_type: KeyType
) -> None:
    material = material_of(key_type)
    half = material if key_type in SYMMETRIC else spki(material)
    for usage in make_terms(key_type).usages:
        if key_type in SYMMETRIC or usage not in {"verify", "encrypt", "hash"}:
            terms = make_terms(key_type, usages=[usage], material="public")
            assert code_of(alice, alice.envelope(half, terms.encode(), name)) == "terms-refused"


@pytest.mark.usefixtures("_leaves_nothing")
@pytest.mark.parametrize("key_type", [one for one in PAIRS if one is not KeyType.X25519])
def test_halves_are_what_the_terms_say(alice: Customer, name: str, key_type: KeyType) -> None:
    material = material_of(key_type)
    public, secret = (make_terms(key_type, usages=["verify"], material=kind) for kind in ("public", "secret"))
    other = spki(rsa_pkcs8() if key_type is not KeyType.RSA else ec_pkcs8())
    for half, terms in (
        (material, public),
        (spki(material), secret),
        (other, public),
        (spki(material)[:-1], public),
        (spki(material) + b"\0", public),
        (b"", public),
    ):
        assert code_of(alice, alice.envelope(half, terms.encode(), name)) == "key-unparsable"


@pytest.mark.usefixtures("_leaves_nothing")
def test_a_weak_or_strange_public_key_is_refused(alice: Customer, name: str) -> None:
    terms = make_terms(KeyType.RSA, usages=["verify"], material="public").encode()
    assert code_of(alice, alice.envelope(spki(rsa_pkcs8(1024)), terms, name)) == "key-weak"
    modulus = private_key(rsa_pkcs8()).public_key().public_numbers().n
    even = spki(rsa_pkcs8()).replace(modulus.to_bytes(256, "big"), (modulus - 1).to_bytes(256, "big"))
    assert code_of(alice, alice.envelope(even, terms, name)) == "key-self-test-failed"
    strange = Ed448PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert code_of(alice, alice.envelope(strange, terms, name)) == "key-unparsable"
    off_the_curve = bytearray(spki(ec_pkcs8()))
    off_the_curve[-1] ^= 1
    terms = make_terms(KeyType.EC_P256, usages=["verify"], material="public").encode()
    assert code_of(alice, alice.envelope(bytes(off_the_curve), terms, name)) == "key-unparsable"
