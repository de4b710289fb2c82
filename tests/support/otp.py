"""One-time codes for tests that are not about codes."""

import time
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP


def fresh_code(device: Any) -> str:
    """A code that a TOTP device takes now: its memory of used codes and wrong guesses is cleared, to save waiting."""
    type(device).objects.filter(pk=device.pk).update(
        last_t=-1, throttling_failure_count=0, throttling_failure_timestamp=None
    )
    totp = TOTP(device.seed, 6, SHA1(), 30, enforce_key_length=False)  # noqa: S303
    return totp.generate(int(time.time())).decode()
