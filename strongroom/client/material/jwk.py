"""JSON Web Keys (RFC 7517, 7518, 8037): one key, private, public or symmetric."""

from dataclasses import replace
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from strongroom.client.material.certificates import from_x5c, own_chain
from strongroom.client.material.kinds import AES_BYTES, Material, key_pair, public_half, spki, symmetric
from strongroom.protocol.encoding import b64u, from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType

_ALGORITHMS: dict[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm}
_CURVES: dict[str, Any] = {
    "Ed25519": (Ed25519PrivateKey, Ed25519PublicKey),
    "X25519": (X25519PrivateKey, X25519PublicKey),
}


def as_jwk(data: bytes) -> dict[str, Any] | None:
    """The JSON object in a file, if it is a JWK or a set with one (a set of several is refused); else None."""
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        found: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    keys = found.get("keys")
    if isinstance(keys, list):
        if len(keys) != 1 or not isinstance(keys[0], dict):
            raise Refused("key-unparsable", f"the JWK set holds {len(keys)} keys; keep the one to import in the file")
        found = keys[0]
    return found if "kty" in found else None


def read_jwk(jwk: dict[str, Any], key_type: KeyType | None) -> Material:
    """The key of a JWK. Raises `Refused` in the owner's words, which never quote it."""
    kind = jwk["kty"]
    if kind == "oct":
        return _octets(jwk, key_type)
    if kind not in ("RSA", "EC", "OKP"):
        raise Refused("key-unparsable", "a JWK of a kind that is not known; kty must be RSA, EC, OKP or oct")
    try:
        key = _octet_key_pair(jwk) if kind == "OKP" else _ALGORITHMS[kind].from_jwk(jwk)
    except (jwt.InvalidKeyError, ValueError, TypeError, UnsupportedAlgorithm, KeyError):
        raise Refused(
            "key-unparsable", "the JWK's members do not make a key: one is missing, or its halves do not fit"
        ) from None
    if "d" not in jwk:
        return _with_chain(public_half(key, "JWK (public)"), jwk, key)
    return _with_chain(key_pair(key, "JWK"), jwk, key.public_key())


def _octet_key_pair(jwk: dict[str, Any]) -> Any:
    """RFC 8037, which PyJWT knows for signatures only."""
    if jwk["crv"] not in _CURVES:
        raise Refused("key-unparsable", "a JWK on a curve that is not accepted; OKP keys are Ed25519 or X25519")
    private, public = _CURVES[jwk["crv"]]
    if "d" not in jwk:
        return public.from_public_bytes(from_b64u(jwk["x"]))
    key = private.from_private_bytes(from_b64u(jwk["d"]))
    if jwk["x"] != b64u(key.public_key().public_bytes_raw()):
        raise Refused("key-self-test-failed", "the JWK's x is not the public half of its d")
    return key


def _with_chain(material: Material, jwk: dict[str, Any], public_key: Any) -> Material:
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not all(isinstance(one, str) for one in chain):
        return material
    return replace(material, certificates=own_chain(from_x5c(chain), spki(public_key, Encoding.DER)))


def _octets(jwk: dict[str, Any], key_type: KeyType | None) -> Material:
    if not isinstance(jwk.get("k"), str):
        raise Refused("key-unparsable", "the JWK has no k, which holds a symmetric key")
    raw = from_b64u(jwk["k"], "key-unparsable")
    if key_type is None:
        by_length = {size: one for one, size in AES_BYTES.items()}
        hmac = str(jwk.get("alg", "")).startswith("HS") or len(raw) not in by_length
        key_type = KeyType.HMAC if hmac else by_length[len(raw)]
    return symmetric(raw, key_type, "JWK (symmetric)")
