"""Setting up one-time codes, and the codes for when that device is lost."""

import secrets
from base64 import b32encode

from django.db import transaction

from portal.authenticators.models import Authenticator, RecoveryCodes, recovery_digest
from tenants.models import User

RECOVERY_CODES = 10
_RANDOM_BYTES = 10


def waiting_authenticator(user: User) -> Authenticator:
    """The one that a person is setting up: made once, its seed shown until its first code confirms it."""
    found, _ = Authenticator.objects.select_for_update().get_or_create(
        user=user, confirmed=False, defaults={"name": "authenticator"}
    )
    return found


def confirm(authenticator: Authenticator) -> list[str]:
    """Put a new authenticator in force, in the place of any before. Returns fresh recovery codes, kept nowhere."""
    with transaction.atomic():
        Authenticator.objects.filter(user=authenticator.user).exclude(pk=authenticator.pk).delete()
        authenticator.confirmed = True
        authenticator.save(update_fields=["confirmed"])
        codes = [b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
        RecoveryCodes.objects.filter(user=authenticator.user).delete()
        digests = [recovery_digest(one) for one in codes]
        RecoveryCodes.objects.create(user=authenticator.user, name="recovery codes", digests=digests)
    return ["-".join(one[at : at + 4] for at in range(0, len(one), 4)) for one in codes]
