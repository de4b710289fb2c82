"""The validator's own keys: the one that signs its statements, and the one of its TLS port. Made once and kept."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.errors import Refused
from validator.store import Store, write_file

_SKEW = timedelta(minutes=5)
_TLS_LIFETIME = timedelta(days=365)


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is given out of band: where the validator answers, the key that signs, the certificate to pin."""

    url: str
    credential: PublicCredential
    tls: str


def create(*, store: Store, now: int) -> None:
    """Make what is missing. A TLS certificate that has run out is replaced; clients then need the new anchor."""
    if not store.signing_key.exists():
        key = Ed25519PrivateKey.generate()
        write_file(store.signing_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if not store.tls.exists() or _certificate(store).not_valid_after_utc <= datetime.fromtimestamp(now, UTC):
        write_file(store.tls, _make_tls(now))


def signing_key(store: Store) -> Ed25519PrivateKey:
    """Raises `Refused("configuration")` where there is none."""
    if not store.signing_key.is_file():
        raise Refused("configuration", f"no validator's store in {store.folder}: run init first")
    key = load_pem_private_key(store.signing_key.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("configuration", f"{store.signing_key} does not hold an Ed25519 key")
    return key


def anchor(*, store: Store, url: str) -> Anchor:
    credential = public_credential(signing_key(store))
    return Anchor(url=url, credential=credential, tls=_certificate(store).public_bytes(Encoding.PEM).decode())


def _certificate(store: Store) -> x509.Certificate:
    return x509.load_pem_x509_certificate(store.tls.read_bytes())


def _make_tls(now: int) -> bytes:
    """A P-256 key and its self-signed certificate: clients pin it, and nothing else vouches for it."""
    key, moment = generate_private_key(SECP256R1()), datetime.fromtimestamp(now, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _SKEW)
        .not_valid_after(moment + _TLS_LIFETIME)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
