"""The X.509 certificates (RFC 5280) that the manufacturer issues: pure, from keys and a time to a certificate."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.protocol.certificates import CertificateProfile, Mode, Role, device_id, profile_of

ORGANISATION = "Strongroom Manufacturer"
_CLOCK_SKEW = timedelta(minutes=5)


class Identity(NamedTuple):
    """An Ed25519 key of the manufacturer's own, and its certificate."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate


def root_certificate(key: Ed25519PrivateKey, mode: Mode, now: int) -> x509.Certificate:
    """A self-signed root. The name of the development root says what it is wherever its certificates are shown."""
    name = f"{ORGANISATION} root" if mode == "production" else "DEVELOPMENT ONLY root, not for production"
    builder = _builder(name, key.public_key(), issuer=_name(name), issuer_key=key.public_key(), years=20, now=now)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(CertificateProfile(role="root", mode=mode).extension(), critical=False)
        .sign(key, None)
    )


def statement_certificate(key: Ed25519PublicKey, root: Identity, now: int) -> x509.Certificate:
    """For the key that signs validation statements in the root's mode."""
    return _issue(f"{ORGANISATION} statements", key, "statement", root=root, years=20, now=now)


def device_certificate(key: Ed25519PublicKey, root: Identity, now: int) -> x509.Certificate:
    """For a device's identity key, in the root's mode; its common name is the device id."""
    return _issue(device_id(key), key, "device", root=root, years=10, now=now)


def tls_certificate(key: EllipticCurvePrivateKey, now: int) -> x509.Certificate:
    """For the service's own TLS port. It is self-signed: clients pin it, and nothing else vouches for it."""
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    public_key, name = key.public_key(), "localhost"
    builder = _builder(name, public_key, issuer=_name(name), issuer_key=public_key, years=1, now=now)
    return (
        builder.add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )


def _issue(
    common_name: str, key: Ed25519PublicKey, role: Role, *, root: Identity, years: int, now: int
) -> x509.Certificate:
    issuer, issuer_key = root.certificate.subject, root.key.public_key()
    profile = CertificateProfile(role=role, mode=profile_of(root.certificate).mode)
    return (
        _builder(common_name, key, issuer=issuer, issuer_key=issuer_key, years=years, now=now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(profile.extension(), critical=False)
        .sign(root.key, None)
    )


def _builder(
    common_name: str,
    key: Ed25519PublicKey | EllipticCurvePublicKey,
    *,
    issuer: x509.Name,
    issuer_key: Ed25519PublicKey | EllipticCurvePublicKey,
    years: int,
    now: int,
) -> x509.CertificateBuilder:
    moment = datetime.fromtimestamp(now, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _CLOCK_SKEW)
        .not_valid_after(moment + timedelta(days=365 * years))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
