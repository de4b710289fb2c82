"""Keys made here: nobody outside ever had them. What comes out is material as an import would have brought it."""

import os
from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hsm.material import CURVES, SECRET_BYTES, PrivateKey
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.terms import Terms

_PAIRS: dict[KeyType, Callable[[], PrivateKey]] = {
    **{key_type: partial(ec.generate_private_key, curve()) for key_type, curve in CURVES.items()},
    KeyType.ED25519: Ed25519PrivateKey.generate,
    KeyType.X25519: X25519PrivateKey.generate,
    KeyType.ML_DSA_65: MLDSA65PrivateKey.generate,
}


def make_material(terms: Terms) -> bytes:
    """A fresh key of the terms' type, and `size` where the type has several: PKCS#8 in DER, or raw bytes."""
    if terms.key_type in SECRET_BYTES:
        return os.urandom(SECRET_BYTES[terms.key_type])
    if terms.key_type is KeyType.HMAC:
        return os.urandom(terms.size or 0)
    return _make_pair(terms).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _make_pair(terms: Terms) -> PrivateKey:
    if terms.key_type is KeyType.RSA:
        return rsa.generate_private_key(65537, terms.size or 0)
    return _PAIRS[terms.key_type]()
