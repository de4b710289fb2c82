"""The digest of the software that runs: a reference value that anyone can recompute from a release."""

import hashlib
import platform
from pathlib import Path

import cryptography
from cryptography.hazmat.backends.openssl.backend import backend

import hsm
import strongroom.protocol


def measure() -> str:
    """SHA-256 over this package's and the protocol's sources, and the versions of Python, cryptography and OpenSSL.

    An emulator measures itself: whoever controls its host can make it lie (README, what an emulator cannot do).
    """
    hasher = hashlib.sha256()
    for package in (hsm, strongroom.protocol):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            source = path.read_bytes()
            name = f"{package.__name__}/{path.relative_to(root).as_posix()}"
            hasher.update(f"{name}\x00{len(source)}\x00".encode() + source)
    versions = (platform.python_version(), cryptography.__version__, backend.openssl_version_text())
    hasher.update("\x00".join(versions).encode())
    return hasher.hexdigest()
