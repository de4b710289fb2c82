"""Which keys are accepted, in the owner's words where they are not; and a test of each before it is sealed."""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from strongroom.protocol.envelope import Origin
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

LEAST_EXPONENT = 65537
"""Of a key with its private half; what others signed with a smaller one may still be verified."""
RSA_BITS = range(2048, 4097)
HMAC_BYTES = range(16, 1025)
AES_BYTES = {KeyType.AES_128: 16, KeyType.AES_192: 24, KeyType.AES_256: 32}
SECRET_BYTES = {**AES_BYTES, KeyType.CHACHA20: 32}
ACCEPTED = (
    "accepted are RSA of 2048 to 4096 bits, EC on P-256, P-384, P-521 or secp256k1, Ed25519, ML-DSA-65, X25519, "
    "AES, ChaCha20 and HMAC"
)
_CURVES = {
    "secp256r1": KeyType.EC_P256,
    "secp384r1": KeyType.EC_P384,
    "secp521r1": KeyType.EC_P521,
    "secp256k1": KeyType.EC_SECP256K1,
}
_PROBE = b"strongroom self-test"

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | MLDSA65PublicKey | X25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey | MLDSA65PrivateKey | X25519PrivateKey


@dataclass(frozen=True)
class Material:
    """A key as it will be wrapped. `form` says in words what the file was.

    `public_key` is PEM, or empty; `check_value` is 6 hexadecimal digits, or empty. `public_only`: `secret` is a
    SubjectPublicKeyInfo and there is no private half. `certificates`: the key's own first, DER in base64url. `origin`
    other than `imported`: the device makes the key, of `size` where its type has several, or keeps the one it has.
    """

    key_type: KeyType
    secret: bytes = field(repr=False)
    form: str
    public_key: str = ""
    check_value: str = ""
    public_only: bool = False
    certificates: list[str] = field(default_factory=list)
    origin: Origin = "imported"
    size: int | None = None


def key_pair(key: object, form: str) -> Material:
    """A private key as material. Raises `Refused("key-unparsable" | "key-weak" | "key-self-test-failed")`."""
    if not isinstance(key, PrivateKey):
        raise Refused("key-unparsable", f"the file holds {_kind(key)}; {ACCEPTED}")
    key_type = _key_type(key.public_key(), LEAST_EXPONENT)
    _self_test(key)
    return Material(
        key_type=key_type,
        secret=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        form=form,
        public_key=spki(key.public_key(), Encoding.PEM).decode(),
    )


def public_half(key: object, form: str) -> Material:
    """A public key without its private half as material. Raises `Refused("key-unparsable" | "key-weak")`."""
    if not isinstance(key, PublicKey):
        raise Refused("key-unparsable", f"the file holds {_kind(key)}; {ACCEPTED}")
    return Material(
        key_type=_key_type(key),
        secret=spki(key, Encoding.DER),
        form=form,
        public_key=spki(key, Encoding.PEM).decode(),
        public_only=True,
    )


def symmetric(raw: bytes, key_type: KeyType, form: str) -> Material:
    """A symmetric key as material. Raises `Refused("key-unparsable" | "key-weak")` for a length that does not fit."""
    if key_type is KeyType.HMAC:
        if len(raw) not in HMAC_BYTES:
            raise Refused("key-weak", f"an HMAC key has 16 to 1024 bytes; this one has {len(raw)}")
    elif len(raw) != SECRET_BYTES[key_type]:
        raise Refused("key-unparsable", f"a key of type {key_type} has {SECRET_BYTES[key_type]} bytes, not {len(raw)}")
    if key_type not in AES_BYTES:
        # What PKCS#11 defines for a key that is no block cipher's; nothing rests on the hash's strength.
        check_value = hashlib.sha1(raw, usedforsecurity=False).digest()[:3].hex()
    else:
        # ECB over one zero block is how PKCS#11 defines CKA_CHECK_VALUE; nothing is encrypted with it.
        encryptor = Cipher(algorithms.AES(raw), modes.ECB()).encryptor()  # noqa: S305
        check_value = encryptor.update(bytes(16))[:3].hex()
    return Material(key_type, raw, form, check_value=check_value)


def spki(key: PublicKey, encoding: Encoding) -> bytes:
    """A public key as SubjectPublicKeyInfo."""
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def _key_type(key: PublicKey, least_exponent: int = 3) -> KeyType:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in RSA_BITS:
            raise Refused("key-weak", f"an RSA key of {key.key_size} bits; accepted are 2048 to 4096")
        if key.public_numbers().e < least_exponent:
            raise Refused("key-weak", f"an RSA key with a public exponent below {least_exponent}")
        return KeyType.RSA
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise Refused("key-unparsable", f"the file holds a key on the curve {key.curve.name}; {ACCEPTED}")
        return _CURVES[key.curve.name]
    if isinstance(key, MLDSA65PublicKey):
        return KeyType.ML_DSA_65
    return KeyType.ED25519 if isinstance(key, Ed25519PublicKey) else KeyType.X25519


def type_of_public_key(pem: str) -> KeyType | None:
    """The type of a SubjectPublicKeyInfo in PEM; None where it is none that is accepted."""
    try:
        key = load_pem_public_key(pem.encode())
        return _key_type(key) if isinstance(key, PublicKey) else None
    except (ValueError, UnsupportedAlgorithm, Refused):
        return None


def _kind(key: object) -> str:
    return f"a key of the kind {type(key).__name__.removesuffix('PrivateKey').removesuffix('PublicKey')}"


def _self_test(key: PrivateKey) -> None:
    """Use the key once in each direction, as the device will: its halves must belong together."""
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.public_key().verify(key.sign(_PROBE, pss, hashes.SHA256()), _PROBE, pss, hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            algorithm = ec.ECDSA(hashes.SHA256())
            key.public_key().verify(key.sign(_PROBE, algorithm), _PROBE, algorithm)
        elif isinstance(key, Ed25519PrivateKey | MLDSA65PrivateKey):
            key.public_key().verify(key.sign(_PROBE), _PROBE)
        else:
            other = X25519PrivateKey.generate()
            if key.exchange(other.public_key()) != other.exchange(key.public_key()):
                raise ValueError
    except (InvalidSignature, ValueError):
        raise Refused("key-self-test-failed", "the private and the public half do not belong together") from None
