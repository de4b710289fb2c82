"""X.509 certificates of the manufacturer's hierarchy (RFC 5280): who is a device, and who may state things of devices.

A certificate carries a *profile* in an extension of its own: its role, and whether it is of the production or
of the development hierarchy. So the mode is certified by the manufacturer and not reported by the device.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.protocol import jws
from strongroom.protocol.encoding import canonical_json, make_id, read_json
from strongroom.protocol.errors import Refused

# An OID of the arc 2.25 (ITU-T X.667: made from a UUID), so that nobody else's meaning is touched.
PROFILE_OID = x509.ObjectIdentifier("2.25.239108274937846138372943857473822719043")

Role = Literal["root", "device", "statement"]
Mode = Literal["production", "development"]


class CertificateProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the profile extension."""

    role: Role
    mode: Mode

    def extension(self) -> x509.UnrecognizedExtension:
        return x509.UnrecognizedExtension(PROFILE_OID, canonical_json(self))


@dataclass(frozen=True)
class CertifiedKey:
    """A public key that the manufacturer's root vouches for, with what the certificate says of it."""

    public_key: Ed25519PublicKey
    role: Role
    mode: Mode
    subject: str

    @property
    def device_id(self) -> str:
        return device_id(self.public_key)


def device_id(identity: Ed25519PublicKey) -> str:
    """A device is named by its identity key."""
    return make_id("dev_", identity.public_bytes_raw())


def to_x5c(*certificates: x509.Certificate) -> list[str]:
    """The JWS `x5c` member (RFC 7515 §4.1.6): DER in standard base64, the signer's own certificate first."""
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates]


def from_x5c(chain: object) -> list[x509.Certificate]:
    """Inverse of `to_x5c`. Raises `Refused("certificate-invalid")`."""
    if not isinstance(chain, list) or not 1 <= len(chain) <= 4:
        raise Refused("certificate-invalid", "no certificate chain")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in chain]
    except (ValueError, TypeError, x509.InvalidVersion):
        raise Refused("certificate-invalid", "the chain cannot be read") from None


def profile_of(certificate: x509.Certificate) -> CertificateProfile:
    """The certificate's profile. Raises `Refused("certificate-invalid")` where there is none."""
    try:
        value = certificate.extensions.get_extension_for_oid(PROFILE_OID).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise Refused("certificate-invalid", "not a certificate of this hierarchy") from None
    if not isinstance(value, x509.UnrecognizedExtension):
        raise Refused("certificate-invalid", "not a certificate of this hierarchy")
    return read_json(value.value, CertificateProfile, "certificate-invalid")


def verify_certificate(
    certificate: x509.Certificate, roots: list[x509.Certificate], role: Role, now: int
) -> CertifiedKey:
    """Check that one of `roots` issued `certificate` for `role`, and that it is in force at `now` (unix seconds).

    A production root cannot vouch for a development certificate, nor the reverse: the modes must be equal.
    """
    # 1. The issuer is one of the roots that the caller was given.
    issuer = None
    for root in roots:
        try:
            certificate.verify_directly_issued_by(root)
        except (ValueError, TypeError, InvalidSignature):
            continue
        issuer = root
        break
    if issuer is None:
        raise Refused("certificate-invalid", "not issued by a trusted root")
    # 2. Both are in force.
    moment = datetime.fromtimestamp(now, UTC)
    for one in (issuer, certificate):
        if not one.not_valid_before_utc <= moment <= one.not_valid_after_utc:
            raise Refused("certificate-invalid", "outside its validity")
    # 3. Role and mode are as they must be.
    profile, issuer_profile = profile_of(certificate), profile_of(issuer)
    if issuer_profile.role != "root" or profile.role != role or profile.mode != issuer_profile.mode:
        raise Refused("certificate-invalid", f"not a {role} certificate of this root")
    # 4. The key is of the one kind that this hierarchy uses.
    public_key = certificate.public_key()
    if not isinstance(public_key, Ed25519PublicKey):
        raise Refused("certificate-invalid", "not an Ed25519 key")
    return CertifiedKey(public_key, profile.role, profile.mode, certificate.subject.rfc4514_string())


def verify_statement(
    token: str, kind: type[jws.S], roots: list[x509.Certificate], role: Role, now: int
) -> tuple[jws.S, CertifiedKey]:
    """A statement whose signer's certificate (`x5c`) leads to one of `roots` in `role`, and who signed it."""
    chain = from_x5c(jws.read_header(token).get("x5c"))
    certified = verify_certificate(chain[0], roots, role, now)
    return jws.verify(token, kind, certified.public_key), certified
