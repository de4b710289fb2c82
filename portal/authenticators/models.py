"""What people show beside the password: one-time codes, and codes for when the telephone is lost.

Seeds rest encrypted (`tee.at_rest`), each bound to its person; of recovery codes only digests are kept.
"""

import hashlib
import secrets
import time
from base64 import b32encode
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin
from django_otp.oath import TOTP

from tee import at_rest
from tenants.models import User

STEP, DIGITS, TOLERANCE = 30, 6, 1
SEED_BYTES = 20


class Authenticator(ThrottlingMixin, Device):
    """A generator of one-time codes (TOTP, RFC 6238). `last_t` is the step of the last code that served."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    sealed_seed = models.BinaryField()
    last_t = models.BigIntegerField(default=-1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        seed = kwargs.pop("seed", b"")
        super().__init__(*args, **kwargs)
        if not self.sealed_seed and self.user_id is not None:
            self.sealed_seed = at_rest.seal(self._name(), seed or secrets.token_bytes(SEED_BYTES))

    @property
    def seed(self) -> bytes:
        """Raises `ImproperlyConfigured` where it was encrypted under another key, or for another person."""
        return at_rest.open_sealed(self._name(), bytes(self.sealed_seed))

    @property
    def config_url(self) -> str:
        """What the QR code says to an authenticator app."""
        issuer = settings.OTP_TOTP_ISSUER
        label = quote(f"{issuer}:{self.user.get_username()}")
        says = {"secret": b32encode(self.seed).decode(), "algorithm": "SHA1", "digits": DIGITS, "period": STEP}
        return f"otpauth://totp/{label}?{urlencode(says | {'issuer': issuer})}"

    def verify_token(self, token: str) -> bool:
        """Whether this is a code of now that has not served. Failures slow the next attempt down.

        Whoever calls it holds the row (`django_otp.verify_token`), so that a code serves one of two at a time.
        """
        if not self.verify_is_allowed()[0]:
            return False
        given = TOTP(self.seed, STEP, 0, DIGITS)
        given.time = time.time()
        if not (token.isascii() and token.isdigit() and given.verify(int(token), TOLERANCE, self.last_t + 1)):
            self.throttle_increment()
            return False
        self.last_t = given.t()
        self.throttle_reset(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> int:
        return 1

    def _name(self) -> str:
        return f"authenticator of {self.user_id}"


class RecoveryCodes(ThrottlingMixin, Device):
    """Codes that each open one session, for who has lost the authenticator. They approve nothing."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digests = models.JSONField(default=list)

    def verify_token(self, token: str) -> bool:
        """Whether this is one of the codes. It serves no second time."""
        if not self.verify_is_allowed()[0]:
            return False
        found = recovery_digest(token)
        if found not in self.digests:
            self.throttle_increment()
            return False
        self.digests = [one for one in self.digests if one != found]
        self.throttle_reset(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> int:
        return 1


def recovery_digest(code: str) -> str:
    """The codes are random and long (80 bits), so that a plain hash keeps them."""
    return hashlib.sha256(code.replace("-", "").replace(" ", "").lower().encode()).hexdigest()
