"""A key's certificates, as its terms bring them: the first is the key's own, each next one issued the one before."""

import itertools

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused

MAX_CERTIFICATES = 10


def check_chain(certificates: list[str], public_key: bytes) -> None:
    """Raise `Refused("certificate-mismatch")` unless the chain (base64url of DER) belongs to the key (SPKI in DER)."""
    if len(certificates) > MAX_CERTIFICATES:
        raise Refused("certificate-mismatch", f"a chain has at most {MAX_CERTIFICATES} certificates")
    try:
        chain = [x509.load_der_x509_certificate(from_b64u(one, "certificate-mismatch")) for one in certificates]
        own = chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if chain else b""
    except (Refused, ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise Refused("certificate-mismatch", "a certificate cannot be read") from None
    if chain and own != public_key:
        raise Refused("certificate-mismatch", "the first certificate is another key's")
    try:
        for subject, issuer in itertools.pairwise(chain):
            subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise Refused("certificate-mismatch", "a certificate was not issued by the next") from None
