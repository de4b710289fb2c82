"""The secret services engine: provider keys in its custody, encrypted at rest, and the layer that it takes off.

Private halves rest under the key in `STRONGROOM_ENGINE_KEY_FILE` (AES-256-GCM, the key's id as associated data); the
tenants' database role has no right to them. Without that file this provider has no engine custody.
"""

import os
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from strongroom.protocol.envelope import Envelope, ImportHeader, strip_provider_layer
from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import SUITES, AnyPrivateKey, Suite, generate, private_key
from tee.models import EngineKey, PublishedStatus
from tenants.errors import conflict
from tenants.signals import emit

ALIAS = "provider"
_NONCE = 12


def is_configured() -> bool:
    """Whether this provider keeps provider keys itself."""
    return bool(settings.ENGINE_KEY_FILE)


def make_engine_keys(*, actor: str) -> list[EngineKey]:
    """Make the key of each suite that has none in force. Returns those that were made now.

    Raises `Refused("conflict")` where another process makes them at this moment.
    """
    in_force = EngineKey.objects.using(ALIAS).filter(status=PublishedStatus.IN_FORCE)
    there = set(in_force.values_list("suite", flat=True))
    return [rotate_engine_key(suite=suite, actor=actor) for suite in SUITES if suite not in there]


def rotate_engine_key(*, suite: Suite, actor: str) -> EngineKey:
    """Retire the key of `suite` that is in force, if there is one, and put a new one in its place. Returns the new one.

    What was wrapped to the retired key is refused from now on. Raises `Refused("conflict")` for two at a time.
    """
    pair, now = generate(suite), timezone.now()
    key_id = pair.public().key_id("pk_")
    made = EngineKey(
        key_id=key_id, suite=suite, public_key=pair.public().text, private_key=_seal(key_id, pair.raw), not_before=now
    )
    with conflict("another rotation of that suite is under way"), transaction.atomic(using=ALIAS):
        # Nothing is opened with a retired key any more, so its private half need not be kept.
        EngineKey.objects.using(ALIAS).filter(suite=suite, status=PublishedStatus.IN_FORCE).update(
            status=PublishedStatus.RETIRED, not_after=now, private_key=b""
        )
        made.save(using=ALIAS)
    emit(tag="provider:engine-key:made", tenant=None, actor=actor, key=key_id, suite=suite)
    return made


def strip(envelope: Envelope, header: ImportHeader) -> Envelope:
    """The envelope without the layer that was put on for the engine. `header` is verified already.

    Raises `Refused`: `provider-key-unknown`, also for a retired one; `envelope-unopenable` whichever part fails.
    """
    key = EngineKey.objects.using(ALIAS).filter(suite=header.suite, status=PublishedStatus.IN_FORCE).first()
    if key is None or key.key_id != header.provider_key:
        raise Refused("provider-key-unknown")
    return strip_provider_layer(envelope, header, _open(key))


def _seal(key_id: str, raw: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_key_at_rest()).encrypt(nonce, raw, key_id.encode())


def _open(key: EngineKey) -> AnyPrivateKey:
    sealed = bytes(key.private_key)
    try:
        raw = AESGCM(_key_at_rest()).decrypt(sealed[:_NONCE], sealed[_NONCE:], key.key_id.encode())
    except InvalidTag:
        raise ImproperlyConfigured("STRONGROOM_ENGINE_KEY_FILE is not what engine keys were encrypted under") from None
    return private_key(key.suite, raw)


@cache
def _key_at_rest() -> bytes:
    path = Path(settings.ENGINE_KEY_FILE)
    try:
        key, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise ImproperlyConfigured(f"STRONGROOM_ENGINE_KEY_FILE: {error.strerror}") from None
    if len(key) != 32 or mode & 0o077:
        raise ImproperlyConfigured("STRONGROOM_ENGINE_KEY_FILE: not 32 random bytes that only their owner may read")
    return key
