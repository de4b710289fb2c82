"""Files that only their owner may read, written whole or not at all; and signing keys kept in such files."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from strongroom.protocol.errors import Refused

AskPassphrase = Callable[[str], bytes]
"""Given the name of a key file, its passphrase."""


def write_private(path: Path, data: bytes) -> None:
    """Write `data` with mode 0600 so that a crash leaves the old content or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_file(path: Path, advice: str) -> bytes:
    """The file's bytes. Raises `Refused("configuration")` with `advice` where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Refused("configuration", f"{path} is missing: {advice}") from None


def write_signing_key(path: Path, key: Ed25519PrivateKey, passphrase: bytes = b"") -> None:
    """Keep `key` as PKCS#8 PEM (RFC 5958), encrypted where a passphrase is given."""
    protection: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))


def read_signing_key(path: Path, ask: AskPassphrase | None, advice: str) -> Ed25519PrivateKey:
    """The Ed25519 key in `path`; `ask` is called only where it is under a passphrase.

    Raises `Refused("configuration")` for a missing file, a wrong passphrase or another kind of key, and
    `Refused("secret-missing")` where nobody can be asked for the passphrase.
    """
    data = read_file(path, advice)
    passphrase = None
    if b"ENCRYPTED PRIVATE KEY" in data:
        if ask is None:
            raise Refused("secret-missing", f"{path.name} is under a passphrase")
        passphrase = ask(path.name)
    try:
        key = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError):
        raise Refused("configuration", f"{path.name} cannot be read, or the passphrase is wrong") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("configuration", f"{path.name} does not hold an Ed25519 key")
    return key
