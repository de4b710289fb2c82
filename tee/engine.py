"""The secret services engine: provider keys in its custody, encrypted at rest, and the layer that it takes off.

Private halves rest encrypted (`tee.at_rest`); the tenants' database role has no right to them. Without
STRONGROOM_ENGINE_KEY_FILE this provider has no engine custody.
"""

from django.db import transaction
from django.utils import timezone

from strongroom.protocol.envelope import Envelope, ImportHeader, strip_provider_layer
from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import SUITES, Suite, generate, private_key
from tee import at_rest
from tee.models import EngineKey, PublishedStatus
from tenants.errors import conflict
from tenants.signals import emit

ALIAS = "provider"


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
        key_id=key_id,
        suite=suite,
        public_key=pair.public().text,
        private_key=at_rest.seal(key_id, pair.raw),
        not_before=now,
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
    private = private_key(key.suite, at_rest.open_sealed(key.key_id, bytes(key.private_key)))
    return strip_provider_layer(envelope, header, private)
