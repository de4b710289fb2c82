"""Names of the simulated installation, and keys with certificates of the manufacturer's hierarchy."""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.protocol.certificates import CertificateProfile, Mode, Role

URL = "http://localhost"
TENANT, PARTITION, PROVIDER = "acme", "pt_acme", "provider"
WORLD = "wd_one"


def certificate(
    key: Ed25519PrivateKey, issuer: "Authority | None", role: Role, mode: Mode = "development"
) -> x509.Certificate:
    """A certificate of the manufacturer's hierarchy; without `issuer` a root."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role)])
    today = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(CertificateProfile(role, mode).extension(), critical=False)
        .sign(issuer.key if issuer else key, None)
    )


@dataclass
class Authority:
    """A key with its certificate."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, role: Role, issuer: "Authority | None" = None, mode: Mode = "development") -> "Authority":
        key = Ed25519PrivateKey.generate()
        return cls(key, certificate(key, issuer, role, mode))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)
