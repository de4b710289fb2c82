"""The keys under which records rest: each record has a key of its own, derived from its path.

device secret ──────────────┬─ device key ── records under `device/`, which a sealed device must be able to read
unseal secret (K parts) ────┴─ storage root ── wraps the world key ─┬─ world records
                                                                    └─ one key for each partition ── its records
"""

import functools
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hsm.store import ALTERED
from strongroom.protocol.errors import Refused

_NONCE = 12


def derive(secret: bytes, purpose: str, *context: str) -> bytes:
    """32 bytes by HKDF-SHA256 (RFC 5869), bound to a purpose and its context."""
    info = "\x00".join(["strongroom", purpose, *context]).encode()
    return HKDF(hashes.SHA256(), 32, salt=None, info=info).derive(secret)


def storage_root(unseal_secret: bytes, device_secret: bytes) -> bytes:
    """Officers with the state files lack the device secret; a stolen device lacks the unseal secret."""
    return derive(unseal_secret + device_secret, "storage-root")


class KeyTree:
    """Seals and opens records. Without a world key only `device/` records can be opened."""

    def __init__(self, device_secret: bytes, world_key: bytes | None = None) -> None:
        self._device_key = derive(device_secret, "device-records")
        self._world_key = world_key
        self._base = functools.lru_cache(maxsize=4096)(self._derive_base)

    def seal(self, path: str, plaintext: bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag (AES-256-GCM) with the record's path as associated data."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher(path).encrypt(nonce, plaintext, path.encode())

    def open(self, path: str, sealed: bytes) -> bytes:
        """Inverse of `seal`. Raises `Refused("internal")` for a record that was altered or moved."""
        try:
            return self._cipher(path).decrypt(sealed[:_NONCE], sealed[_NONCE:], path.encode())
        except (InvalidTag, ValueError):
            raise Refused("internal", ALTERED) from None

    def lane_key(self) -> bytes:
        """The key that authenticates the workers' log files."""
        return derive(self.world_key(), "lanes")

    def _cipher(self, path: str) -> AESGCM:
        kind, _, rest = path.partition("/")
        base = self._base(kind, rest.partition("/")[0] if kind == "partitions" else "")
        return AESGCM(derive(base, "record", path))

    def _derive_base(self, kind: str, partition: str) -> bytes:
        if kind == "device":
            return self._device_key
        return derive(self.world_key(), kind, partition)

    def world_key(self) -> bytes:
        """Raises `Refused("hsm-sealed")` where there is none."""
        if self._world_key is None:
            raise Refused("hsm-sealed")
        return self._world_key
