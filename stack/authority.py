"""The development authority: a CA of this installation alone, and the TLS certificate of its portal.

An identity is one file, its private key and its certificate together, so that a kill can never part the two. Clients
are given `ca.pem`; the authority's key is used again only when the server's certificate has run out.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stack.layout import StackError, State, write_private

_SKEW = timedelta(minutes=5)
_YEAR = timedelta(days=365)


def make_authority(state: State) -> None:
    """Make what is missing, and a new server certificate where the old one ends within a day."""
    now = datetime.now(UTC)
    folder = state.folder("provider/authority")
    authority = folder / "authority.pem"
    # 1. The authority.
    if not authority.exists():
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom DEVELOPMENT ONLY authority")])
        builder = _builder(name, name, key, key, now=now, lifetime=10 * _YEAR)
        certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = certificate.add_extension(_key_usage(signs_certificates=True), critical=True)
        write_private(authority, _identity(key, certificate.sign(key, SHA256())))
    # 2. What clients are given.
    key, certified = _read(authority)
    write_private(state.tls_ca, certified.public_bytes(Encoding.PEM))
    # 3. The portal's certificate.
    if not state.tls_server.exists() or _read(state.tls_server)[1].not_valid_after_utc < now + timedelta(days=1):
        own = generate_private_key(SECP256R1())
        names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        issued = (
            _builder(subject, certified.subject, own, key, now=now, lifetime=_YEAR)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, SHA256())
        )
        write_private(state.tls_server, _identity(own, issued))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey,
    issuer_key: EllipticCurvePrivateKey,
    *,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


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


def _identity(key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _read(path: Path) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
    data = path.read_bytes()
    key = load_pem_private_key(data, None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise StackError(f"{path} does not hold an elliptic-curve key. Remove it, and it is made again.")
    return key, x509.load_pem_x509_certificate(data)
