"""Names of key types, operations and mechanisms, and which of them fit together: one registry for every domain."""

from enum import StrEnum
from typing import NamedTuple


class KeyType(StrEnum):
    RSA = "RSA"
    EC_P256 = "EC-P256"
    EC_P384 = "EC-P384"
    EC_P521 = "EC-P521"
    ED25519 = "Ed25519"
    X25519 = "X25519"
    AES_128 = "AES-128"
    AES_192 = "AES-192"
    AES_256 = "AES-256"
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


class Mechanism(StrEnum):
    RSA_PSS_SHA256 = "RSA-PSS-SHA256"
    ECDSA_SHA256 = "ECDSA-SHA256"
    ECDSA_SHA384 = "ECDSA-SHA384"
    ECDSA_SHA512 = "ECDSA-SHA512"
    ED25519 = "Ed25519"
    AES_GCM = "AES-GCM"
    RSA_OAEP_SHA256 = "RSA-OAEP-SHA256"
    SHA_256 = "SHA-256"
    HMAC_SHA256 = "HMAC-SHA256"
    ECDH_HKDF_SHA256 = "ECDH-HKDF-SHA256"


class Row(NamedTuple):
    """One mechanism: its source, the key types that it fits, and the operations that it offers."""

    source: str
    key_types: frozenset[KeyType]
    operations: frozenset[Usage]


_SIGNATURES = frozenset({Usage.SIGN, Usage.VERIFY})
_CIPHERS = frozenset({Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE})
AES = frozenset({KeyType.AES_128, KeyType.AES_192, KeyType.AES_256})
EC = frozenset({KeyType.EC_P256, KeyType.EC_P384, KeyType.EC_P521})
SYMMETRIC = AES | {KeyType.HMAC}
PUBLIC_USAGES = frozenset({Usage.VERIFY, Usage.ENCRYPT, Usage.HASH})
"""What a public key without its private half can serve for."""

REGISTRY: dict[Mechanism, Row] = {
    Mechanism.RSA_PSS_SHA256: Row(
        "RFC 8017 §8.1, salt of 32 bytes, MGF1 with SHA-256", frozenset({KeyType.RSA}), _SIGNATURES
    ),
    Mechanism.ECDSA_SHA256: Row("FIPS 186-5, signature in DER", frozenset({KeyType.EC_P256}), _SIGNATURES),
    Mechanism.ECDSA_SHA384: Row("FIPS 186-5, signature in DER", frozenset({KeyType.EC_P384}), _SIGNATURES),
    Mechanism.ECDSA_SHA512: Row("FIPS 186-5, signature in DER", frozenset({KeyType.EC_P521}), _SIGNATURES),
    Mechanism.ED25519: Row("RFC 8032, over the message itself", frozenset({KeyType.ED25519}), _SIGNATURES),
    Mechanism.AES_GCM: Row("SP 800-38D, nonce made inside, nonce ‖ ciphertext ‖ tag", AES, _CIPHERS),
    Mechanism.RSA_OAEP_SHA256: Row("RFC 8017 §7.1, MGF1 with SHA-256", frozenset({KeyType.RSA}), _CIPHERS),
    Mechanism.SHA_256: Row("FIPS 180-4; the key only authorises", frozenset(KeyType), frozenset({Usage.HASH})),
    Mechanism.HMAC_SHA256: Row(
        "RFC 2104, FIPS 198-1", frozenset({KeyType.AES_256, KeyType.HMAC}), frozenset({Usage.HASH})
    ),
    Mechanism.ECDH_HKDF_SHA256: Row(
        "SP 800-56A, RFC 7748, then RFC 5869: payload the peer's SubjectPublicKeyInfo in DER, `aad` the info; 32 bytes",
        EC | {KeyType.X25519},
        frozenset({Usage.DERIVE}),
    ),
}


def fits(mechanism: str, key_type: str, operation: str) -> bool:
    """Whether the registry has a row for these three names."""
    row = REGISTRY.get(mechanism)  # type: ignore[call-overload]
    return row is not None and key_type in row.key_types and operation in row.operations


def default_mechanism(key_type: KeyType, operation: Usage) -> Mechanism:
    """The keyed mechanism that fits first; a key type has at most one for each operation today. Raises `KeyError`."""
    fitting = [name for name in REGISTRY if fits(name, key_type, operation)]
    keyed = [name for name in fitting if name is not Mechanism.SHA_256] or fitting
    if not keyed:
        raise KeyError(f"{key_type} cannot {operation}")
    return keyed[0]
