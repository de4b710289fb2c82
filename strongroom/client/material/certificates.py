"""A key's own certificate and its chain, in the order in which the device wants them."""

import base64
import warnings

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused

MOST = 10


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """All certificates in a file: PEM, DER, or PKCS#7. Raises `Refused("certificate-mismatch")`."""
    for load in (
        x509.load_pem_x509_certificates,
        lambda der: [x509.load_der_x509_certificate(der)],
        pkcs7.load_pem_pkcs7_certificates,
        pkcs7.load_der_pkcs7_certificates,
    ):
        try:
            with warnings.catch_warnings(action="ignore"):  # that a set is not in the order of DER
                return load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue
    raise Refused("certificate-mismatch", "the file holds no X.509 certificate in PEM, DER or PKCS#7")


def from_x5c(chain: list[str]) -> list[x509.Certificate]:
    """Certificates of a JWK (RFC 7517 §4.7). Raises `Refused("certificate-mismatch")`."""
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain]
    except ValueError:
        raise Refused("certificate-mismatch", "the JWK's x5c cannot be read") from None


def own_chain(found: list[x509.Certificate], public_key: bytes) -> list[str]:
    """`found` in order: the certificate of `public_key` (SPKI in DER), then the issuer of each one before.

    Raises `Refused("certificate-mismatch")` where none is the key's, or one has nothing to do with it.
    """
    left = {one.public_bytes(Encoding.DER): one for one in found}
    own = next((name for name, one in left.items() if _public_key(one) == public_key), None)
    if own is None:
        raise Refused("certificate-mismatch", "no certificate in the file belongs to the key")
    chain = [left.pop(own)]
    while issuer := next((name for name, one in left.items() if _issued(chain[-1], by=one)), None):
        chain.append(left.pop(issuer))
    if left:
        names = "; ".join(one.subject.rfc4514_string() for one in left.values())
        raise Refused("certificate-mismatch", f"not in the chain of the key's certificate: {names}")
    if len(chain) > MOST:
        raise Refused("certificate-mismatch", f"a chain of more than {MOST} certificates")
    return [b64u(one.public_bytes(Encoding.DER)) for one in chain]


def leaf(found: list[x509.Certificate]) -> x509.Certificate:
    """The one certificate that issued none of the others: whose key a file of certificates alone is about."""
    leaves = [one for one in found if not any(_issued(other, by=one) for other in found if other is not one)]
    if len(leaves) != 1:
        raise Refused("key-unparsable", "the file holds certificates of several keys; keep one with its chain")
    return leaves[0]


def _public_key(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return b""


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
