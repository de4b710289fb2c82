"""Signatures checked here, by the public key in the device's receipt: nobody is asked."""

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism
from strongroom.protocol.statements import Receipt

_HASHES: dict[str, hashes.HashAlgorithm] = {
    Mechanism.RSA_PSS_SHA256: hashes.SHA256(),
    Mechanism.ECDSA_SHA256: hashes.SHA256(),
    Mechanism.ECDSA_SHA384: hashes.SHA384(),
    Mechanism.ECDSA_SHA512: hashes.SHA512(),
}


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
    public = load_pem_public_key(receipt.public_key.encode()) if receipt.public_key else None
    hashed = _HASHES.get(mechanism, hashes.SHA256())
    algorithm = Prehashed(hashed) if parameters.prehashed else hashed
    try:
        if mechanism == Mechanism.RSA_PSS_SHA256 and isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, payload, padding.PSS(padding.MGF1(hashed), 32), algorithm)
        elif mechanism.startswith("ECDSA") and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, payload, ec.ECDSA(algorithm))
        elif mechanism == Mechanism.ED25519 and isinstance(public, Ed25519PublicKey):
            public.verify(signature, payload)
        else:
            raise Refused("mechanism-unsupported", f"{mechanism} does not fit the key")
    except (InvalidSignature, ValueError):  # the latter for a digest of another length than the algorithm's
        return False
    return True
