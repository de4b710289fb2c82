"""The manufacturer's own identities: a root and a statement key for each mode, and the key of its TLS port.

An identity is one file, its private key and its certificate together, so that a kill can never part the two.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from manufacturer.issuing import Identity, root_certificate, statement_certificate, tls_certificate
from manufacturer.store import Store, write_file
from strongroom.protocol.certificates import Mode
from strongroom.protocol.errors import Refused


@dataclass(frozen=True)
class Hierarchy:
    """What vouches for the devices of one mode, and what states things of them."""

    mode: Mode
    root: Identity
    statement: Identity


Hierarchies = dict[Mode, Hierarchy]


def modes_in_use() -> tuple[Mode, ...]:
    """Where STRONGROOM_ENV is `production` the development hierarchy is not made, not trusted and not handed out."""
    return ("production",) if os.environ.get("STRONGROOM_ENV") == "production" else ("production", "development")


def create(*, store: Store, now: int) -> None:
    """Make what is missing of the store and leave what is there. Killed at any moment, the next call completes it."""
    with store.create():
        # 1. Each mode's root, then the statement key under it.
        for mode in modes_in_use():
            if not _root_file(store, mode).exists():
                key = Ed25519PrivateKey.generate()
                _write_identity(_root_file(store, mode), key, root_certificate(key, mode, now))
            root = _read_identity(_root_file(store, mode))
            if not _statement_file(store, mode).exists():
                key = Ed25519PrivateKey.generate()
                certificate = statement_certificate(key.public_key(), root, now)
                _write_identity(_statement_file(store, mode), key, certificate)
        # 2. The TLS certificate. One that has run out serves nobody, so it alone is replaced.
        if not tls_file(store).exists() or _has_run_out(tls_file(store), now):
            tls_key = generate_private_key(SECP256R1())
            _write_identity(tls_file(store), tls_key, tls_certificate(tls_key, now))
        # 3. What clients are given.
        bundle = b"".join(one.public_bytes(Encoding.PEM) for one in roots(load(store)))
        write_file(store.public / "root.pem", bundle)
        tls = x509.load_pem_x509_certificate(tls_file(store).read_bytes())
        write_file(store.public / "tls.pem", tls.public_bytes(Encoding.PEM))


def load(store: Store) -> Hierarchies:
    """The hierarchies in use, by mode. Raises `Refused("configuration")` where the store is not complete."""
    return {
        mode: Hierarchy(mode, _read_identity(_root_file(store, mode)), _read_identity(_statement_file(store, mode)))
        for mode in modes_in_use()
    }


def roots(hierarchies: Hierarchies) -> list[x509.Certificate]:
    return [hierarchy.root.certificate for hierarchy in hierarchies.values()]


def tls_file(store: Store) -> Path:
    """Private key and certificate of the TLS port."""
    return store.keys / "tls.pem"


def _root_file(store: Store, mode: Mode) -> Path:
    return store.keys / f"{mode}-root.pem"


def _statement_file(store: Store, mode: Mode) -> Path:
    return store.keys / f"{mode}-statement.pem"


def _has_run_out(path: Path, now: int) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return certificate.not_valid_after_utc <= datetime.fromtimestamp(now, UTC)


def _write_identity(
    path: Path, key: Ed25519PrivateKey | EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_file(path, private + certificate.public_bytes(Encoding.PEM))


def _read_identity(path: Path) -> Identity:
    if not path.is_file():
        raise Refused("configuration", f"{path} is missing: run init first")
    data = path.read_bytes()
    key = load_pem_private_key(data, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("configuration", f"{path} does not hold an Ed25519 key")
    return Identity(key, x509.load_pem_x509_certificate(data))
