"""Key bytes into keys that can be used: parsing, strength, and the self-test before a key becomes active."""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import AES, KeyType
from strongroom.protocol.terms import Terms

LEAST_EXPONENT = 65537
RSA_BITS = range(2048, 4097)
HMAC_BYTES = range(16, 1025)
SECRET_BYTES = {KeyType.AES_128: 16, KeyType.AES_192: 24, KeyType.AES_256: 32, KeyType.CHACHA20: 32}
CURVES: dict[KeyType, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1 | ec.SECP256K1]] = {
    KeyType.EC_P256: ec.SECP256R1,
    KeyType.EC_P384: ec.SECP384R1,
    KeyType.EC_P521: ec.SECP521R1,
    KeyType.EC_SECP256K1: ec.SECP256K1,
}
_P25519 = 2**255 - 19
_SMALL_ORDER = {
    0,
    1,
    _P25519 - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
}
"""y of the points of edwards25519 whose order is 1, 2, 4 or 8, as libsodium lists them."""
_PROBE = b"strongroom self-test"


@dataclass(frozen=True)
class Secret:
    """A symmetric key ready for use; `raw` never leaves this process."""

    raw: bytes
    key_type: KeyType

    def __repr__(self) -> str:
        return "Secret(…)"


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | X25519PrivateKey | MLDSA65PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | X25519PublicKey | MLDSA65PublicKey
Key = PrivateKey | PublicKey | Secret
_PRIVATE = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, Ed25519PrivateKey, X25519PrivateKey, MLDSA65PrivateKey)
_PUBLIC = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, Ed25519PublicKey, X25519PublicKey, MLDSA65PublicKey)


def load(terms: Terms, material: bytes, *, checked: bool) -> Key:
    """The key inside `material`: PKCS#8 (RFC 5958) or SubjectPublicKeyInfo in DER for key pairs, raw bytes for others.

    `checked`: the bytes passed `self_test` before and come from a sealed record, so that the slow consistency checks of
    RSA can be left out. Raises `Refused("key-unparsable" | "key-weak" | "key-self-test-failed")`, which say nothing of
    the bytes.
    """
    if terms.key_type in SECRET_BYTES:
        if len(material) != SECRET_BYTES[terms.key_type]:
            raise Refused("key-unparsable", f"an {terms.key_type} key has {SECRET_BYTES[terms.key_type]} bytes")
        return Secret(material, terms.key_type)
    if terms.key_type is KeyType.HMAC:
        if len(material) not in HMAC_BYTES:
            raise Refused("key-weak", "an HMAC key has 16 to 1024 bytes")
        return Secret(material, terms.key_type)
    if terms.material == "secret":
        material = _without_filling(material)
    key = _load_pair(material, public=terms.material == "public")
    _check_type(key, terms.key_type)
    if isinstance(key, rsa.RSAPrivateKey) and not checked:
        _check_rsa_numbers(material)
    return key


def _without_filling(material: bytes) -> bytes:
    """DER without the zero bytes, at most seven, with which SoftHSM fills a key before it is wrapped."""
    long_form = material[1] & 0x7F if len(material) > 1 and material[1] & 0x80 else 0
    end = 2 + long_form + int.from_bytes(material[2 : 2 + long_form] if long_form else material[1:2], "big")
    filling = material[end:]
    return material if len(filling) > 7 or any(filling) else material[:end]


def public_half(key: Key) -> PublicKey | None:
    """The public key of a pair, the key itself where it is public, None for a symmetric key."""
    if isinstance(key, Secret):
        return None
    return key.public_key() if isinstance(key, _PRIVATE) else key


def _load_pair(material: bytes, *, public: bool) -> Key:
    try:
        key = (
            load_der_public_key(material)
            if public
            else load_der_private_key(material, None, unsafe_skip_rsa_key_validation=True)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        what = "a SubjectPublicKeyInfo" if public else "an unencrypted PKCS#8 private key"
        raise Refused("key-unparsable", f"not {what} in DER") from None
    if not isinstance(key, (*_PRIVATE, *_PUBLIC)):
        raise Refused("key-unparsable", "a kind of key that is not accepted")
    return key


def _check_type(key: Key, key_type: KeyType) -> None:
    public = public_half(key)
    if isinstance(public, rsa.RSAPublicKey) and key_type is KeyType.RSA:
        # What others signed with a small exponent may still be verified (FIPS 186-5 §5.1 is about making signatures).
        least = LEAST_EXPONENT if isinstance(key, _PRIVATE) else 3
        if public.key_size not in RSA_BITS or public.public_numbers().e < least:
            raise Refused("key-weak", "RSA keys have 2048 to 4096 bits, and with a private half an exponent of 65537")
    elif isinstance(public, ec.EllipticCurvePublicKey) and key_type in CURVES:
        if not isinstance(public.curve, CURVES[key_type]):
            raise Refused("key-unparsable", f"the curve is not that of {key_type}")
    elif isinstance(public, Ed25519PublicKey) and key_type is KeyType.ED25519:
        _check_point(public)
    elif not (
        (isinstance(public, X25519PublicKey) and key_type is KeyType.X25519)
        or (isinstance(public, MLDSA65PublicKey) and key_type is KeyType.ML_DSA_65)
    ):
        raise Refused("key-unparsable", f"not a key of type {key_type}")


def _check_point(public: Ed25519PublicKey) -> None:
    """Refuse a point under which one signature holds for any message, and an encoding that RFC 8032 §5.1.3 refuses."""
    y = int.from_bytes(public.public_bytes_raw(), "little") & (2**255 - 1)
    if y >= _P25519:
        raise Refused("key-unparsable", "the point is not encoded as RFC 8032 wants it")
    if y in _SMALL_ORDER:
        raise Refused("key-weak", "a public key of small order")


def _check_rsa_numbers(material: bytes) -> None:
    """What signing by the CRT numbers would not show, such as an altered private exponent."""
    try:
        load_der_private_key(material, None)
    except ValueError:
        raise Refused("key-self-test-failed") from None


def self_test(key: Key) -> None:
    """Use the key once in each direction that it has. Raises `Refused("key-self-test-failed")` where that fails."""
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.public_key().verify(key.sign(_PROBE, pss, hashes.SHA256()), _PROBE, pss, hashes.SHA256())
        elif isinstance(key, rsa.RSAPublicKey):
            key.encrypt(_PROBE, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = ec.ECDSA(hashes.SHA256())
            key.public_key().verify(key.sign(_PROBE, algorithm), _PROBE, algorithm)
        elif isinstance(key, Ed25519PrivateKey):
            key.public_key().verify(key.sign(_PROBE), _PROBE)
        elif isinstance(key, X25519PrivateKey):
            other = X25519PrivateKey.generate()
            if key.exchange(other.public_key()) != other.exchange(key.public_key()):
                raise ValueError
        elif isinstance(key, MLDSA65PrivateKey):
            key.public_key().verify(key.sign(_PROBE), _PROBE)
        elif isinstance(key, Secret) and key.key_type is not KeyType.HMAC:
            _test_cipher(key)
    except (InvalidSignature, ValueError):
        raise Refused("key-self-test-failed") from None


def _test_cipher(key: Secret) -> None:
    aead = ChaCha20Poly1305(key.raw) if key.key_type is KeyType.CHACHA20 else AESGCM(key.raw)
    if aead.decrypt(bytes(12), aead.encrypt(bytes(12), _PROBE, None), None) != _PROBE:
        raise ValueError


def public_key_der(key: Key) -> bytes:
    """SubjectPublicKeyInfo in DER, or empty for a symmetric key."""
    public = public_half(key)
    return b"" if public is None else public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key_pem(key: Key) -> str:
    """SubjectPublicKeyInfo in PEM, or empty for a symmetric key."""
    public = public_half(key)
    return "" if public is None else public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def check_value(key: Key) -> str:
    """PKCS#11 `CKA_CHECK_VALUE` of a symmetric key: 3 bytes of AES-ECB over a zero block, or for a key that is no
    cipher's of its SHA-1; else empty."""
    if not isinstance(key, Secret):
        return ""
    if key.key_type not in AES:
        return hashlib.sha1(key.raw, usedforsecurity=False).digest()[:3].hex()
    # One block of zeros under ECB is what the standard defines; nothing of a customer's is encrypted this way.
    encryptor = Cipher(algorithms.AES(key.raw), modes.ECB()).encryptor()  # noqa: S305
    return (encryptor.update(bytes(16)) + encryptor.finalize())[:3].hex()
