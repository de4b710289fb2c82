"""A key's public half in the forms that others read."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from tee.models import Key

MEDIA_TYPES = {"pem": "application/x-pem-file", "der": "application/octet-stream", "jwk": "application/jwk+json"}


def public_key(*, key: Key, form: str) -> bytes:
    """SubjectPublicKeyInfo in PEM or DER, or a JWK (RFC 7517) whose `kid` names key and version.

    Raises `Refused("not-found")` for a key that has no public half.
    """
    if not key.public_key:
        raise Refused("not-found", "a symmetric key has no public half")
    if form == "pem":
        return key.public_key.encode()
    public = load_pem_public_key(key.public_key.encode())
    if form == "der":
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return json.dumps(_jwk(public) | {"kid": f"{key.key_id}/{key.version}"}).encode()


def _jwk(public: Any) -> dict[str, Any]:
    if isinstance(public, rsa.RSAPublicKey):
        return _without_operations(RSAAlgorithm.to_jwk(public, as_dict=True))
    if isinstance(public, ec.EllipticCurvePublicKey):
        return _without_operations(ECAlgorithm.to_jwk(public, as_dict=True))
    raw = b64u(public.public_bytes_raw())
    if isinstance(public, MLDSA65PublicKey):
        return {"kty": "AKP", "alg": "ML-DSA-65", "pub": raw}
    # RFC 8037, which PyJWT knows for signatures only.
    curves = {Ed25519PublicKey: "Ed25519", X25519PublicKey: "X25519"}
    return {"kty": "OKP", "crv": next(name for kind, name in curves.items() if isinstance(public, kind)), "x": raw}


def _without_operations(jwk: dict[str, Any]) -> dict[str, Any]:
    """What a key may be used for is in its terms, which the portal does not know."""
    return {name: value for name, value in jwk.items() if name != "key_ops"}
