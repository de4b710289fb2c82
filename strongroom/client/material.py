"""Key files into what the device takes: unencrypted PKCS#8 in DER for key pairs, the 32 raw bytes for AES-256."""

import string
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

AES_BYTES = 32
RSA_BITS = range(2048, 4097)


@dataclass(frozen=True)
class Material:
    """A key as it will be wrapped. `public_key` is PEM, or empty; `check_value` is 6 hexadecimal digits, or empty."""

    key_type: KeyType
    secret: bytes = field(repr=False)
    public_key: str = ""
    check_value: str = ""


def needs_passphrase(data: bytes) -> bool:
    """Whether the file is a private key in PEM under a passphrase."""
    return b"ENCRYPTED" in data and b"PRIVATE KEY" in data


def read_material(data: bytes, key_type: KeyType | None = None, passphrase: bytes | None = None) -> Material:
    """The key in a file: a private key in PEM or DER (PKCS#8, SEC1, PKCS#1), or 32 raw bytes for AES-256.

    `key_type`: what the owner says that it is. Raises `Refused("key-unparsable" | "key-weak")` in the owner's words,
    which never quote the file.
    """
    if key_type is KeyType.AES_256 or (key_type is None and len(data) == AES_BYTES):
        return _aes(data)
    key = _private_key(data, passphrase)
    if isinstance(key, rsa.RSAPrivateKey):
        found = KeyType.RSA
        _check_rsa(key)
    elif isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        found = KeyType.EC_P256
    else:
        kind = f"a key on the curve {key.curve.name}" if isinstance(key, ec.EllipticCurvePrivateKey) else "another kind"
        raise Refused("key-unparsable", f"the file holds {kind}; accepted are RSA, EC P-256 and AES-256")
    if key_type not in (None, found):
        raise Refused("key-unparsable", f"the file holds a key of type {found}, not {key_type}")
    return Material(
        key_type=found,
        secret=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        public_key=key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


def _aes(data: bytes) -> Material:
    if len(data) != AES_BYTES:
        text = data.strip()
        if len(text) == 2 * AES_BYTES and all(chr(one) in string.hexdigits for one in text):
            raise Refused("key-unparsable", "the file holds hexadecimal text; write the 32 bytes themselves to it")
        raise Refused("key-unparsable", f"an AES-256 key is a file of {AES_BYTES} bytes; this one has {len(data)}")
    # ECB over one zero block is how PKCS#11 defines CKA_CHECK_VALUE; nothing is encrypted with it.
    encryptor = Cipher(algorithms.AES(data), modes.ECB()).encryptor()  # noqa: S305
    return Material(KeyType.AES_256, data, check_value=encryptor.update(bytes(16))[:3].hex())


def _private_key(data: bytes, passphrase: bytes | None) -> object:
    if b"-----BEGIN CERTIFICATE-----" in data and b"PRIVATE KEY-----" not in data:
        raise Refused("key-unparsable", "the file holds a certificate; the private key is needed")
    if b"-----BEGIN PUBLIC KEY-----" in data:
        raise Refused("key-unparsable", "the file holds a public key; the private key is needed")
    if needs_passphrase(data) and passphrase is None:
        raise Refused("key-unparsable", "the file is under a passphrase, and none was given")
    load = load_pem_private_key if b"-----BEGIN " in data else load_der_private_key
    try:
        return load(data, passphrase if needs_passphrase(data) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = ", or the passphrase is wrong" if needs_passphrase(data) else ""
        raise Refused("key-unparsable", f"not a private key in PEM or DER, nor {AES_BYTES} raw bytes{hint}") from None


def _check_rsa(key: rsa.RSAPrivateKey) -> None:
    if key.key_size not in RSA_BITS:
        raise Refused("key-weak", f"an RSA key of {key.key_size} bits; accepted are 2048 to 4096")
    if key.public_key().public_numbers().e < 65537:
        raise Refused("key-weak", "an RSA key with a public exponent below 65537")
