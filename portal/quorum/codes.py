"""One-time codes that an officer gives for one act, beside the one given at login."""

import django_otp
from django.db import transaction

from portal.authenticators.models import Authenticator
from strongroom.protocol.errors import Refused
from tenants.models import User


def use_code(user: User, code: str) -> int:
    """Consume a fresh code and return its time step. A code that served before, here or at login, never serves again.

    Failures slow the next attempt down (django-otp). Raises `Refused("otp-refused")`; `otp-required` without a device.
    A recovery code is none of them.
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
    raise Refused("otp-refused")
