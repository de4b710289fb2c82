"""The provider's validator: its signed word on whether a provider key is its own and in force."""

import time
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from strongroom.protocol import jws
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.statements import Endorsement, KeyStatus, ValidationStatement
from tee.models import ProviderKey

LIFETIME = 300
"""Seconds for which an answer counts."""


def validate_provider_key(*, key_id: str, nonce: str) -> str:
    """A `ValidationStatement` as JWS, over the asker's nonce. A key that is not ours is `unknown`, signed too."""
    # 1. What is known of the key and of its device.
    key = ProviderKey.objects.select_related("device").filter(key_id=key_id).first()
    now = int(time.time())
    # 2. Signed over the nonce.
    return jws.sign(
        ValidationStatement(
            validator=f"provider {settings.PROVIDER}",
            subject="provider-key",
            key_id=key_id,
            public_key_digest=_public_key_digest(key) if key else "",
            device=key.device.device_id if key else "",
            device_status=_status(key.device.status) if key else "unknown",
            provider=settings.PROVIDER if key else "",
            status=_status(key.status) if key else "unknown",
            not_before=int(key.not_before.timestamp()) if key and key.not_before else None,
            not_after=int(key.not_after.timestamp()) if key and key.not_after else None,
            nonce=nonce,
            issued_at=now,
            expires_at=now + LIFETIME,
        ),
        _signing_key(),
    )


def _public_key_digest(key: ProviderKey) -> str:
    return digest(from_b64u(jws.read_unverified(key.endorsement, Endorsement).public_key))


def _status(stored: str) -> KeyStatus:
    statuses: dict[str, KeyStatus] = {"in-force": "in-force", "retired": "retired", "revoked": "revoked"}
    return statuses[stored]


@cache
def _signing_key() -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(Path(settings.VALIDATION_KEY_FILE).read_bytes(), password=None)
    except (OSError, ValueError):
        raise ImproperlyConfigured("STRONGROOM_VALIDATION_KEY_FILE is not a readable private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ImproperlyConfigured("STRONGROOM_VALIDATION_KEY_FILE is not an Ed25519 key")
    return key
