"""One-time codes that somebody gives for one act, beside the one given at login."""

import django_otp
from django.db import transaction
from django.utils import timezone

from portal.authenticators.models import Authenticator
from strongroom.protocol.errors import Refused
from tenants.models import User


def use_code(user: User, code: str) -> int:
    """Consume a fresh code and return its time step. A code that served before, here or at login, never serves again.

    Failures slow the next attempt down (django-otp). Raises `Refused`: `otp-refused`, whose detail says from when on
    codes are tried again; `otp-required` without an authenticator. A recovery code is none of them.
    """
    confirmed = Authenticator.objects.devices_for_user(user, confirmed=True)
    if not confirmed:
        raise Refused("otp-required")
    # Not inside a caller's transaction: whatever becomes of that, a code that was tried stays used, a failure counted.
    with transaction.atomic(durable=True):
        for device in confirmed:
            verified = django_otp.verify_token(user, device.persistent_id, code)
            if verified is not None:
                return int(verified.last_t)
    raise Refused("otp-refused", _until(user))


def _until(user: User) -> str:
    """From when on a code of the user's is tried again, in words; empty where that is now."""
    waits = [one.verify_is_allowed() for one in Authenticator.objects.devices_for_user(user, confirmed=True)]
    if not waits or any(allowed for allowed, _ in waits):
        return ""
    moment = min(told["locked_until"] for _, told in waits)
    seconds = max(1, round((moment - timezone.now()).total_seconds()))
    return f"After several wrong codes none is tried before {moment:%H:%M:%S} UTC, in {seconds} s."
