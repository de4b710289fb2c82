"""Signatures checked here, by the public key in the device's receipt: nobody is asked."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.protocol.certification import is_for, read_subject
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism
from strongroom.protocol.statements import Receipt

_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    f"{scheme}-SHA{algorithm.digest_size * 8}": algorithm
    for scheme in ("RSA-PSS", "RSA-PKCS1", "ECDSA")
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
}
"""The mechanisms that sign a hash; the others sign the message itself."""


def file_digest(path: Path, mechanism: str) -> bytes:
    """The digest of a file of any size: what `prehashed` signing and verifying by `mechanism` take as payload.

    Raises `Refused("mechanism-unsupported")` for a mechanism that signs the message itself.
    """
    algorithm = _HASHES.get(mechanism)
    if algorithm is None:
        raise Refused("mechanism-unsupported", f"{mechanism} signs the message itself, which must be of at most 1 MiB")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm.name).digest()


def signature_holds(receipt: Receipt, mechanism: str, payload: bytes, signature: bytes, parameters: Parameters) -> bool:
    """Whether `signature` is by the key of the receipt. Raises `Refused("mechanism-unsupported")`."""
    return checker(receipt, mechanism, parameters)(payload, signature, from_b64u(parameters.aad))


def checker(receipt: Receipt, mechanism: str, parameters: Parameters) -> Callable[[bytes, bytes, bytes], bool]:
    """Tells of (payload, signature, additional data) whether the key of the receipt signed. For many of one kind.

    Raises `Refused("mechanism-unsupported")`.
    """
    if mechanism == Mechanism.X509_CSR:
        return lambda payload, request, _aad: _request_holds(receipt, payload, request)
    verify = _verifier(receipt, mechanism, parameters)

    def holds(payload: bytes, signature: bytes, aad: bytes) -> bool:
        try:
            verify(signature, payload, aad)
        except (InvalidSignature, ValueError):  # the latter for a digest or a context of a length that cannot be
            return False
        return True

    return holds


def _request_holds(receipt: Receipt, payload: bytes, request: bytes) -> bool:
    """Whether a certification request is for the receipt's key, signed by it, and names the subject in the payload."""
    try:
        read = x509.load_der_x509_csr(request)
        own = read.public_key() == load_pem_public_key(receipt.public_key.encode())
        return own and read.is_signature_valid and is_for(request, read_subject(payload))
    except (ValueError, UnsupportedAlgorithm):
        return False


def _verifier(receipt: Receipt, mechanism: str, parameters: Parameters) -> Callable[[bytes, bytes, bytes], None]:
    public = load_pem_public_key(receipt.public_key.encode()) if receipt.public_key else None
    if mechanism == Mechanism.ED25519 and isinstance(public, Ed25519PublicKey):
        ed25519 = public
        return lambda signature, payload, _aad: ed25519.verify(signature, payload)
    if mechanism == Mechanism.ML_DSA_65 and isinstance(public, MLDSA65PublicKey):
        return public.verify
    hashed = _HASHES.get(mechanism)
    if hashed is not None:
        algorithm = Prehashed(hashed) if parameters.prehashed else hashed
        if mechanism.startswith("ECDSA") and isinstance(public, ec.EllipticCurvePublicKey):
            key, scheme = public, ec.ECDSA(algorithm)
            if parameters.format != "raw":
                return lambda signature, payload, _aad: key.verify(signature, payload, scheme)
            size = (key.key_size + 7) // 8
            return lambda signature, payload, _aad: key.verify(_to_der(signature, size), payload, scheme)
        if mechanism.startswith("RSA") and isinstance(public, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
            rsa_key, rsa_padding = public, pss if mechanism.startswith("RSA-PSS") else padding.PKCS1v15()
            return lambda signature, payload, _aad: rsa_key.verify(signature, payload, rsa_padding, algorithm)
    raise Refused("mechanism-unsupported", f"{mechanism} does not fit the key")


def _to_der(signature: bytes, size: int) -> bytes:
    """r ‖ s, each of `size` bytes, in DER. Raises `ValueError`."""
    if len(signature) != 2 * size:
        raise ValueError
    return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
