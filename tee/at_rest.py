"""Secrets of the provider's own that rest in the database: AES-256-GCM under the key in STRONGROOM_ENGINE_KEY_FILE."""

import os
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_NONCE = 12


def is_configured() -> bool:
    """Whether this provider has a key to keep secrets under."""
    return bool(settings.ENGINE_KEY_FILE)


def seal(name: str, secret: bytes) -> bytes:
    """`secret` encrypted, bound to the id of what it is the secret of. Raises `ImproperlyConfigured`."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_key()).encrypt(nonce, secret, name.encode())


def open_sealed(name: str, sealed: bytes) -> bytes:
    """Inverse of `seal`. Raises `ImproperlyConfigured` where the file holds another key."""
    try:
        return AESGCM(_key()).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
    except InvalidTag:
        raise ImproperlyConfigured("STRONGROOM_ENGINE_KEY_FILE is not what secrets were encrypted under") from None


@cache
def _key() -> bytes:
    path = Path(settings.ENGINE_KEY_FILE)
    try:
        key, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise ImproperlyConfigured(f"STRONGROOM_ENGINE_KEY_FILE: {error.strerror}") from None
    if len(key) != 32 or mode & 0o077:
        raise ImproperlyConfigured("STRONGROOM_ENGINE_KEY_FILE: not 32 random bytes that only their owner may read")
    return key
