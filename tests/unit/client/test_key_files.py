"""Key files of every accepted kind become what the device takes; others are refused in the owner's words."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from simulator import Authority

from strongroom.client.material import needs_passphrase, read_material
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
PLAIN = NoEncryption()


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize(("key", "key_type"), [(RSA, KeyType.RSA), (P256, KeyType.EC_P256)])
def test_key_pairs_are_normalised_to_unencrypted_pkcs8(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, key_type: KeyType, form: PrivateFormat, encoding: Encoding
) -> None:
    material = read_material(key.private_bytes(encoding, form, PLAIN))
    assert material.key_type == key_type
    assert material.secret == key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN)
    assert (
        material.public_key == key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )
    assert material.check_value == ""


def test_a_key_under_a_passphrase_is_opened_with_it() -> None:
    data = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    assert needs_passphrase(data)
    assert load_der_private_key(read_material(data, passphrase=b"open sesame").secret, None)
    with pytest.raises(Refused, match="under a passphrase"):
        read_material(data)
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_material(data, passphrase=b"wrong")


def test_a_key_made_by_openssl_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", path],
        check=True,
        capture_output=True,
    )
    assert read_material(path.read_bytes()).key_type is KeyType.RSA


def test_an_aes_key_is_thirty_two_raw_bytes() -> None:
    material = read_material(bytes(range(32)), KeyType.AES_256)
    assert (material.secret, material.public_key) == (bytes(range(32)), "")


def test_thirty_two_bytes_that_happen_to_end_in_a_line_feed_are_a_key_all_the_same() -> None:
    assert read_material(bytes(31) + b"\n").secret == bytes(31) + b"\n"


@pytest.mark.parametrize(
    ("data", "key_type", "code", "words"),
    [
        (b"", None, "key-unparsable", "not a private key"),
        (b"hello", None, "key-unparsable", "not a private key"),
        (bytes(31), KeyType.AES_256, "key-unparsable", "this one has 31"),
        (b"00" * 32, KeyType.AES_256, "key-unparsable", "hexadecimal"),
        (
            P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
            KeyType.RSA,
            "key-unparsable",
            "of type EC-P256, not RSA",
        ),
        (
            P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            None,
            "key-unparsable",
            "public key",
        ),
        (Authority.make("root").pem, None, "key-unparsable", "certificate"),
        (
            ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
            None,
            "key-unparsable",
            "secp384r1",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
            None,
            "key-unparsable",
            "accepted are RSA, EC P-256 and AES-256",
        ),
        (
            dsa.generate_private_key(2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
            None,
            "key-unparsable",
            "accepted are RSA, EC P-256 and AES-256",
        ),
        (
            rsa.generate_private_key(65537, 1024).private_bytes(  # noqa: S505
                Encoding.PEM, PrivateFormat.PKCS8, PLAIN
            ),
            None,
            "key-weak",
            "1024 bits",
        ),
        (
            rsa.generate_private_key(3, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
            None,
            "key-weak",
            "exponent",
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
    whole = RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN)
    for length in range(1, len(whole), 97):
        if length != 32:
            with pytest.raises(Refused, match="key-unparsable"):
                read_material(whole[:length], KeyType.RSA)


def test_neither_a_key_nor_a_refusal_shows_the_secret() -> None:
    secret = b"a secret of exactly 32 bytes....", b"a secret of some other length"
    assert "secret of" not in repr(read_material(secret[0]))
    with pytest.raises(Refused) as refused:
        read_material(secret[1], KeyType.AES_256)
    assert "secret of" not in str(refused.value)
