"""The provider's validator: its signed word on whether a provider key is its own and in force."""

import time
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from strongroom.protocol import jws
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.statements import Endorsement, KeyStatus, ValidationStatement
from tee import engine
from tee.models import EngineKey, ProviderKey

LIFETIME = 300
"""Seconds for which an answer counts."""


def validate_provider_key(*, key_id: str, nonce: str) -> str:
    """A `ValidationStatement` as JWS, over the asker's nonce. A key that is not ours is `unknown`, signed too."""
    # 1. What is known of the key, and of its device, if it is in one.
    facts = _of_device_key(key_id) or _of_engine_key(key_id) or _UNKNOWN
    now = int(time.time())
    # 2. Signed over the nonce.
    return jws.sign(
        ValidationStatement(
            validator=f"provider {settings.PROVIDER}",
            subject="provider-key",
            key_id=key_id,
            **facts,
            nonce=nonce,
            issued_at=now,
            expires_at=now + LIFETIME,
        ),
        _signing_key(),
    )


_UNKNOWN: dict[str, Any] = {
    "public_key_digest": "",
    "device": "",
    "device_status": "unknown",
    "provider": "",
    "status": "unknown",
    "not_before": None,
    "not_after": None,
}


def _of_device_key(key_id: str) -> dict[str, Any] | None:
    key = ProviderKey.objects.select_related("device").filter(key_id=key_id).first()
    if key is None:
        return None
    public_key = jws.read_unverified(key.endorsement, Endorsement).public_key
    return {"device": key.device.device_id, "device_status": _status(key.device.status), **_own(key, public_key)}


def _of_engine_key(key_id: str) -> dict[str, Any] | None:
    """No device: the engine's own custody is all that there is to be in force."""
    key = EngineKey.objects.using(engine.ALIAS).filter(key_id=key_id).first()
    return None if key is None else {"device": "", "device_status": "in-force", **_own(key, key.public_key)}


def _own(key: ProviderKey | EngineKey, public_key: str) -> dict[str, Any]:
    """What the provider says of a key of its own."""
    return {
        "public_key_digest": digest(from_b64u(public_key)),
        "provider": settings.PROVIDER,
        "status": _status(key.status),
        "not_before": int(key.not_before.timestamp()) if key.not_before else None,
        "not_after": int(key.not_after.timestamp()) if key.not_after else None,
    }


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
