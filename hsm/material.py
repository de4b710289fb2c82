"""Key bytes into keys that can be used: parsing, strength, and the self-test before a key becomes active."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

RSA_BITS = range(2048, 4097)
_PROBE = b"strongroom self-test"


@dataclass(frozen=True)
class Secret:
    """A symmetric key ready for use; `raw` never leaves this process."""

    raw: bytes
    aead: AESGCM

    def __repr__(self) -> str:
        return "Secret(…)"


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Secret


def load(key_type: KeyType, material: bytes, *, checked: bool) -> Key:
    """The key inside `material`: PKCS#8 in DER (RFC 5958) for key pairs, the raw bytes for AES.

    `checked`: the bytes passed `self_test` before and come from a sealed record, so that the slow consistency checks of
    RSA can be left out. Raises `Refused("key-unparsable" | "key-weak" | "key-self-test-failed")`, which say nothing of
    the bytes.
    """
    if key_type is KeyType.AES_256:
        if len(material) != 32:
            raise Refused("key-unparsable", "an AES-256 key has 32 bytes")
        return Secret(material, AESGCM(material))
    try:
        key = load_der_private_key(material, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("key-unparsable", "not an unencrypted PKCS#8 private key") from None
    if key_type is KeyType.RSA and isinstance(key, rsa.RSAPrivateKey):
        if key.key_size not in RSA_BITS or key.public_key().public_numbers().e < 65537:
            raise Refused("key-weak", "RSA keys have 2048 to 4096 bits and an exponent of at least 65537")
        if not checked:
            _check_rsa_numbers(material)
        return key
    if key_type is KeyType.EC_P256 and isinstance(key, ec.EllipticCurvePrivateKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise Refused("key-unparsable", "the curve is not P-256")
        return key
    raise Refused("key-unparsable", f"not a key of type {key_type}")


def _check_rsa_numbers(material: bytes) -> None:
    """What signing by the CRT numbers would not show, such as an altered private exponent."""
    try:
        load_der_private_key(material, None)
    except ValueError:
        raise Refused("key-self-test-failed") from None


def self_test(key: Key) -> None:
    """Use the key once in each direction. Raises `Refused("key-self-test-failed")` where the halves do not fit."""
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.public_key().verify(key.sign(_PROBE, pss, hashes.SHA256()), _PROBE, pss, hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = ec.ECDSA(hashes.SHA256())
            key.public_key().verify(key.sign(_PROBE, algorithm), _PROBE, algorithm)
        elif key.aead.decrypt(bytes(12), key.aead.encrypt(bytes(12), _PROBE, None), None) != _PROBE:
            raise ValueError
    except (InvalidSignature, ValueError):
        raise Refused("key-self-test-failed") from None


def public_key_pem(key: Key) -> str:
    """SubjectPublicKeyInfo in PEM, or empty for a symmetric key."""
    if isinstance(key, Secret):
        return ""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def check_value(key: Key) -> str:
    """PKCS#11 `CKA_CHECK_VALUE` of a symmetric key: 3 bytes of AES-ECB over a zero block; else empty."""
    if not isinstance(key, Secret):
        return ""
    # One block of zeros under ECB is what the standard defines; nothing of a customer's is encrypted this way.
    encryptor = Cipher(algorithms.AES(key.raw), modes.ECB()).encryptor()  # noqa: S305
    return (encryptor.update(bytes(16)) + encryptor.finalize())[:3].hex()
