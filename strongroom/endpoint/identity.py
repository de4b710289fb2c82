"""What an endpoint is known by: its TLS certificate, which the terms pin, and the token that it is asked with."""

import secrets
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.client.files import write_private

CERTIFICATE, KEY, TOKEN = "cert.pem", "key.pem", "token"
# The terms that pin it are sealed with keys and cannot be renewed, so it has to outlive them.
_LIFETIME = timedelta(days=365 * 30)
_SKEW = timedelta(minutes=5)


def make(folder: Path, names: list[str]) -> bool:
    """Make what is missing in `folder`: certificate with its key, and token. Returns whether the certificate is new.

    `names`: DNS names and addresses under which the TEE reaches the endpoint, besides those of this machine.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / TOKEN).exists():
        write_private(folder / TOKEN, secrets.token_urlsafe(32).encode() + b"\n")
    if (folder / CERTIFICATE).exists():
        return False
    # The certificate last: with it the pair is whole.
    key, certificate = _certified([*names, "localhost", "127.0.0.1", "::1", socket.gethostname()])
    write_private(folder / KEY, key)
    write_private(folder / CERTIFICATE, certificate)
    return True


def _certified(names: list[str]) -> tuple[bytes, bytes]:
    """A P-256 key and its self-signed certificate (RFC 5280), both in PEM."""
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Strongroom revocation endpoint")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in dict.fromkeys(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
