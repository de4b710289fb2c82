"""EC private keys whose number has other than its curve's bytes: GnuTLS puts a zero before every second one.

RFC 5915 §3 wants exactly the curve's length, and the library insists on it.
"""

from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

_BYTES = {"1.2.840.10045.3.1.7": 32, "1.3.132.0.34": 48, "1.3.132.0.35": 66}


@asn1.sequence
class _ECPrivateKey:
    version: int
    private_key: bytes
    parameters: Annotated[ObjectIdentifier | None, asn1.Explicit(0)]
    public_key: Annotated[asn1.BitString | None, asn1.Explicit(1)]


@asn1.sequence
class _Algorithm:
    algorithm: ObjectIdentifier
    parameters: ObjectIdentifier


@asn1.sequence
class _PrivateKeyInfo:
    version: int
    algorithm: _Algorithm
    private_key: bytes


def with_full_length(der: bytes) -> bytes | None:
    """SEC1 in DER with a private number of its curve's length, from SEC1 or PKCS#8; None where `der` is neither."""
    try:
        info = asn1.decode_der(_PrivateKeyInfo, der)
        inner, curve = info.private_key, info.algorithm.parameters
    except ValueError:
        inner, curve = der, None
    try:
        key = asn1.decode_der(_ECPrivateKey, inner)
    except ValueError:
        return None
    curve = key.parameters or curve
    size = _BYTES.get(curve.dotted_string) if curve else None
    number = key.private_key.lstrip(b"\0")
    if size is None or len(number) > size:
        return None
    return asn1.encode_der(
        _ECPrivateKey(
            version=key.version, private_key=number.rjust(size, b"\0"), parameters=curve, public_key=key.public_key
        )
    )
