"""Names of key types, operations and mechanisms, and which of them fit together: one registry for every domain."""

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import NamedTuple

from strongroom.protocol.errors import Refused


class KeyType(StrEnum):
    RSA = "RSA"
    EC_P256 = "EC-P256"
    EC_P384 = "EC-P384"
    EC_P521 = "EC-P521"
    EC_SECP256K1 = "EC-secp256k1"
    ED25519 = "Ed25519"
    ML_DSA_65 = "ML-DSA-65"
    X25519 = "X25519"
    AES_128 = "AES-128"
    AES_192 = "AES-192"
    AES_256 = "AES-256"
    CHACHA20 = "ChaCha20"
    HMAC = "HMAC"


class Usage(StrEnum):
    """What a key may be used for: a usage in its terms, and a right on an access list."""

    SIGN = "sign"
    VERIFY = "verify"
    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    HASH = "hash"
    TRANSLATE = "translate"
    DERIVE = "derive"
    WRAP = "wrap"
    UNWRAP = "unwrap"
    REWRAP = "rewrap"


class Mechanism(StrEnum):
    RSA_PSS_SHA256 = "RSA-PSS-SHA256"
    RSA_PSS_SHA384 = "RSA-PSS-SHA384"
    RSA_PSS_SHA512 = "RSA-PSS-SHA512"
    RSA_PKCS1_SHA256 = "RSA-PKCS1-SHA256"
    RSA_PKCS1_SHA384 = "RSA-PKCS1-SHA384"
    RSA_PKCS1_SHA512 = "RSA-PKCS1-SHA512"
    ECDSA_SHA256 = "ECDSA-SHA256"
    ECDSA_SHA384 = "ECDSA-SHA384"
    ECDSA_SHA512 = "ECDSA-SHA512"
    ED25519 = "Ed25519"
    ML_DSA_65 = "ML-DSA-65"
    AES_GCM = "AES-GCM"
    AES_GCM_SIV = "AES-GCM-SIV"
    CHACHA20_POLY1305 = "ChaCha20-Poly1305"
    RSA_OAEP_SHA256 = "RSA-OAEP-SHA256"
    RSA_OAEP_SHA384 = "RSA-OAEP-SHA384"
    RSA_OAEP_SHA512 = "RSA-OAEP-SHA512"
    RSA_OAEP_SHA1 = "RSA-OAEP-SHA1"
    AES_KWP = "AES-KWP"
    HMAC_SHA256 = "HMAC-SHA256"
    HMAC_SHA384 = "HMAC-SHA384"
    HMAC_SHA512 = "HMAC-SHA512"
    AES_CMAC = "AES-CMAC"
    SHA_256 = "SHA-256"
    SHA_384 = "SHA-384"
    SHA_512 = "SHA-512"
    SHA3_256 = "SHA3-256"
    SHA3_384 = "SHA3-384"
    SHA3_512 = "SHA3-512"
    ECDH_HKDF_SHA256 = "ECDH-HKDF-SHA256"
    X509_CSR = "X509-CSR"


class Row(NamedTuple):
    """One mechanism: its source, the key types that it fits, the operations that it offers, and its parameters.

    Verify takes a `signature`, translate and rewrap their `target…` with every mechanism, so that these are not listed.
    """

    source: str
    key_types: frozenset[KeyType]
    operations: frozenset[Usage]
    parameters: frozenset[str] = frozenset()


AES = frozenset({KeyType.AES_128, KeyType.AES_192, KeyType.AES_256})
EC = frozenset({KeyType.EC_P256, KeyType.EC_P384, KeyType.EC_P521})
EC_SIGNING = EC | {KeyType.EC_SECP256K1}
SYMMETRIC = AES | {KeyType.CHACHA20, KeyType.HMAC}
PUBLIC_USAGES = frozenset({Usage.VERIFY, Usage.ENCRYPT, Usage.HASH})
"""What a public key without its private half can serve for."""

_RSA = frozenset({KeyType.RSA})
_SIGNATURES = frozenset({Usage.SIGN, Usage.VERIFY})
_MACS = frozenset({Usage.HASH, Usage.VERIFY})
_CIPHERS = frozenset({Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE, Usage.REWRAP})
_WRAPS = frozenset({Usage.WRAP, Usage.UNWRAP})
_DIGEST = frozenset({Usage.HASH})
_PREHASHED = frozenset({"prehashed"})
_ECDSA = frozenset({"prehashed", "format"})
_AAD = frozenset({"aad"})

# In the order of preference: where a request names no mechanism, the first that fits is taken.
REGISTRY: dict[Mechanism, Row] = {
    Mechanism.RSA_PSS_SHA256: Row("RFC 8017 §8.1, salt of 32 bytes, MGF1 with SHA-256", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.RSA_PSS_SHA384: Row("RFC 8017 §8.1, salt of 48 bytes, MGF1 with SHA-384", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.RSA_PSS_SHA512: Row("RFC 8017 §8.1, salt of 64 bytes, MGF1 with SHA-512", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.RSA_PKCS1_SHA256: Row("RFC 8017 §8.2", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.RSA_PKCS1_SHA384: Row("RFC 8017 §8.2", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.RSA_PKCS1_SHA512: Row("RFC 8017 §8.2", _RSA, _SIGNATURES, _PREHASHED),
    Mechanism.ECDSA_SHA256: Row("FIPS 186-5; DER, or r ‖ s with `format` raw", EC_SIGNING, _SIGNATURES, _ECDSA),
    Mechanism.ECDSA_SHA384: Row("FIPS 186-5; DER, or r ‖ s with `format` raw", EC_SIGNING, _SIGNATURES, _ECDSA),
    Mechanism.ECDSA_SHA512: Row("FIPS 186-5; DER, or r ‖ s with `format` raw", EC_SIGNING, _SIGNATURES, _ECDSA),
    Mechanism.ED25519: Row("RFC 8032, over the message itself", frozenset({KeyType.ED25519}), _SIGNATURES),
    Mechanism.ML_DSA_65: Row(
        "FIPS 204, over the message itself; `aad` is the context", frozenset({KeyType.ML_DSA_65}), _SIGNATURES, _AAD
    ),
    Mechanism.AES_GCM: Row("SP 800-38D, nonce made inside, nonce ‖ ciphertext ‖ tag", AES, _CIPHERS, _AAD),
    Mechanism.AES_GCM_SIV: Row(
        "RFC 8452, nonce made inside, nonce ‖ ciphertext ‖ tag",
        frozenset({KeyType.AES_128, KeyType.AES_256}),
        _CIPHERS,
        _AAD,
    ),
    Mechanism.CHACHA20_POLY1305: Row(
        "RFC 8439, nonce made inside, nonce ‖ ciphertext ‖ tag", frozenset({KeyType.CHACHA20}), _CIPHERS, _AAD
    ),
    Mechanism.RSA_OAEP_SHA256: Row("RFC 8017 §7.1, MGF1 with SHA-256; `aad` is the label", _RSA, _CIPHERS, _AAD),
    Mechanism.RSA_OAEP_SHA384: Row("RFC 8017 §7.1, MGF1 with SHA-384; `aad` is the label", _RSA, _CIPHERS, _AAD),
    Mechanism.RSA_OAEP_SHA512: Row("RFC 8017 §7.1, MGF1 with SHA-512; `aad` is the label", _RSA, _CIPHERS, _AAD),
    Mechanism.RSA_OAEP_SHA1: Row(
        "RFC 8017 §7.1, MGF1 with SHA-1: only to read what others wrote",
        _RSA,
        frozenset({Usage.DECRYPT, Usage.TRANSLATE, Usage.REWRAP}),
        _AAD,
    ),
    Mechanism.AES_KWP: Row("SP 800-38F, RFC 5649", AES, _WRAPS, frozenset({"generate", "clear"})),
    Mechanism.HMAC_SHA256: Row("RFC 2104, FIPS 198-1", frozenset({KeyType.AES_256, KeyType.HMAC}), _MACS),
    Mechanism.HMAC_SHA384: Row("RFC 2104, FIPS 198-1", frozenset({KeyType.HMAC}), _MACS),
    Mechanism.HMAC_SHA512: Row("RFC 2104, FIPS 198-1", frozenset({KeyType.HMAC}), _MACS),
    Mechanism.AES_CMAC: Row("SP 800-38B, RFC 4493", AES, _MACS),
    Mechanism.SHA_256: Row("FIPS 180-4; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.SHA_384: Row("FIPS 180-4; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.SHA_512: Row("FIPS 180-4; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.SHA3_256: Row("FIPS 202; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.SHA3_384: Row("FIPS 202; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.SHA3_512: Row("FIPS 202; the key only authorises", frozenset(KeyType), _DIGEST),
    Mechanism.ECDH_HKDF_SHA256: Row(
        "SP 800-56A, RFC 7748, then RFC 5869: payload the peer's SubjectPublicKeyInfo in DER, `aad` the info, `salt`, "
        "`length` bytes (32)",
        EC | {KeyType.X25519},
        frozenset({Usage.DERIVE}),
        frozenset({"aad", "salt", "length"}),
    ),
    Mechanism.X509_CSR: Row(
        "RFC 2986: payload JSON with `subject` (RFC 4514) and `san` (`DNS:`, `IP:`, `email:`, `URI:`), result the "
        "request in DER, signed by RSA PKCS#1 v1.5 with SHA-256, ECDSA with the curve's hash, or Ed25519",
        _RSA | EC | {KeyType.ED25519},
        frozenset({Usage.SIGN}),
    ),
}

_OF_WRAP = frozenset({"generate", "clear"})
OF_OPERATION: dict[Usage, frozenset[str]] = {
    Usage.VERIFY: frozenset({"signature"}),
    Usage.TRANSLATE: frozenset({"target", "target_mechanism", "target_aad"}),
    Usage.REWRAP: frozenset({"target_mechanism", "target_aad"}),
}
"""What an operation takes with every mechanism."""
_CURVE_HASH = {KeyType.EC_P384: Mechanism.ECDSA_SHA384, KeyType.EC_P521: Mechanism.ECDSA_SHA512}


def with_implied(names: Collection[str]) -> frozenset[str]:
    """Usages or rights, and what they imply: rewrap, which gives less than translate, or encrypt with decrypt."""
    rewraps = Usage.TRANSLATE in names or (Usage.ENCRYPT in names and Usage.DECRYPT in names)
    return frozenset(names) | ({Usage.REWRAP.value} if rewraps else set())


def fits(mechanism: str, key_type: str, operation: str) -> bool:
    """Whether the registry has a row for these three names."""
    row = REGISTRY.get(mechanism)  # type: ignore[call-overload]
    return row is not None and key_type in row.key_types and operation in row.operations


def check_fits(mechanism: str, key_type: str, operation: str) -> None:
    """Raise `Refused("mechanism-unsupported")`, which names those that fit, where these three names do not."""
    if not fits(mechanism, key_type, operation):
        raise Refused(
            "mechanism-unsupported", f"{mechanism} does not {operation} with {key_type}; {_hint(key_type, operation)}"
        )


def _hint(key_type: str, operation: str) -> str:
    fitting = [name.value for name in REGISTRY if fits(name, key_type, operation)]
    if fitting:
        return f"of these one does: {', '.join(fitting)}"
    able = [one.value for one in Usage if any(fits(name, key_type, one) for name in REGISTRY)]
    return f"no mechanism does, but such a key can {', '.join(able)}"


def mechanisms_of(operation: Usage) -> Iterator[tuple[Mechanism, Row, frozenset[str]]]:
    """The mechanisms that offer an operation, each with its row and the parameters that it then takes."""
    for mechanism, row in REGISTRY.items():
        if operation in row.operations:
            not_here = _OF_WRAP if operation is Usage.UNWRAP else frozenset()
            yield mechanism, row, row.parameters - not_here | OF_OPERATION.get(operation, frozenset())


def default_mechanism(key_type: KeyType, operation: Usage) -> Mechanism:
    """The mechanism that is taken where none is named: the curve's own hash, else the first that fits.

    Raises `Refused("mechanism-unsupported")` where none does.
    """
    fitting = [name for name in REGISTRY if fits(name, key_type, operation)]
    if not fitting:
        raise Refused("mechanism-unsupported", f"{key_type} cannot {operation}; {_hint(key_type, operation)}")
    return _CURVE_HASH[key_type] if _CURVE_HASH.get(key_type) in fitting else fitting[0]
