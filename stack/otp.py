"""One-time codes of the development people, as their authenticators would show them (TOTP, RFC 6238).

A code serves once, and only after all earlier ones; the portal tolerates one step of 30 s either way. So each person's
last step is kept beside their seeds, and whoever needs a code takes the next one and waits until it is in time.
"""

import base64
import fcntl
import time

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from stack.layout import State
from stack.people import Person

STEP = 30
MARGIN = 10
"""Seconds that a code is still in time when it is handed out: for whoever types it."""


def next_code(state: State, person: Person) -> str:
    """A code that was not used before; waits up to a minute where all that are in time were used."""
    step = _take_step(state, person.username)
    earliest = (step - 1) * STEP
    time.sleep(max(0.0, earliest - time.time()))
    # SHA-1 is what authenticators take when nothing else is said.
    generator = TOTP(base64.b32decode(person.otp_seed), 6, SHA1(), STEP, enforce_key_length=False)  # noqa: S303
    return generator.generate(step * STEP).decode()


def _take_step(state: State, username: str) -> int:
    with (state.folder("people") / "steps.json").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        content = file.read()
        steps = msgspec.json.decode(content, type=dict[str, int]) if content else {}
        step = max(steps.get(username, 0) + 1, int(time.time() + MARGIN) // STEP - 1)
        file.truncate(0)
        file.write(msgspec.json.encode(steps | {username: step}))
        return step
