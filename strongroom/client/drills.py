"""Rehearsals: whether the device can ask about a key, and how long a revocation would take to bite.

What the portal says here is no evidence: it is the device's answer, passed on. What it cannot lie about is the key's
use, which ends with the interval that is sealed in the terms.
"""

import time
from dataclasses import dataclass

from strongroom.client import receipts
from strongroom.client.connection import Connection
from strongroom.client.http import segment
from strongroom.protocol.commands import RevocationStatusReply, VersionStatus
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import SAID_BY

PATIENCE = 15.0
"""Seconds for a check to be made: the device gives a call 5."""
LATEST = 0.75
"""Of the interval: when a check is due at the latest after the one before (docs/spec/revocation.md)."""
WATCHED = ("unchecked", "good", "suspended")
GONE = ("revoked", "destroyed")


@dataclass(frozen=True)
class Standing:
    """How a version stands. `every`: seconds for which an answer holds, where this folder sealed the key; else 0."""

    status: VersionStatus
    every: int

    @property
    def undisturbed(self) -> float:
        """Seconds from the customer's word until the device has heard it, while nobody is in the way."""
        return min(self.every, LATEST * self.every + self.status.seconds)


def standings(connection: Connection, key: str, now: int) -> list[Standing]:
    """How the versions of a key (name or id) stand. Raises `Refused` as `receipts.find` does; what the device says."""
    receipt = receipts.find(connection, key, now)
    found = connection.portal.get(f"keys/{segment(receipt.key_id)}/revocation", RevocationStatusReply)
    sent = {one.version: receipts.find_sent(connection.home, receipt.name, one.version) for one in found.versions}
    return [Standing(one, made.answer_holds if (made := sent[one.version]) else 0) for one in found.versions]


def drill(connection: Connection, key: str, now: int) -> list[Standing]:
    """Have the device ask now; how the versions stand when it has.

    Raises `Refused`: `key-suspended` where no check was made in time, `key-not-active` for a key that is revoked or
    destroyed already, `not-found` where nobody is asked about it.
    """
    found = standings(connection, key, now)
    if not any(one.status.state in WATCHED for one in found):
        if gone := [in_words(one.status) for one in found if one.status.state in GONE]:
            raise Refused("key-not-active", "; ".join(gone))
        raise Refused("not-found", f"nobody is asked about {key}: its terms name no endpoint and no certificate")
    # Twice: what comes first may be the answer to a question that was under way already.
    for _ in range(2):
        found = _asked(connection, key, now, found)
    return found


def check_answered(found: list[Standing]) -> None:
    """Raise `Refused("unavailable")` where the last call about a version brought no valid answer."""
    failed = [f"version {one.status.version}: {one.status.failure}" for one in found if one.status.failure]
    if failed:
        raise Refused("unavailable", f"the device asked, and had no valid answer. {'; '.join(failed)}")


def in_words(status: VersionStatus) -> str:
    """How a version that is gone came to be so."""
    if status.revoked_by:
        reason = f": {status.why}" if status.why else ""
        return f"version {status.version} was revoked by {SAID_BY.get(status.revoked_by, status.revoked_by)}{reason}"
    return f"version {status.version} is {status.state}"


def _asked(connection: Connection, key: str, now: int, before: list[Standing]) -> list[Standing]:
    """How the versions stand when each has been asked about once more."""
    receipt = receipts.find(connection, key, now)
    connection.portal.post(f"keys/{segment(receipt.key_id)}/revocation/check", {}, type(None))
    counted = {one.status.version: one.status.checks for one in before}
    deadline = time.monotonic() + PATIENCE
    while True:
        found = standings(connection, key, now)
        if not any(_waits(one.status, counted) for one in found):
            return found
        if time.monotonic() > deadline:
            raise Refused("key-suspended", f"the device has made no check within {PATIENCE:.0f} s")
        time.sleep(0.1)


def _waits(status: VersionStatus, counted: dict[int, int]) -> bool:
    return status.state in WATCHED and status.checks <= counted.get(status.version, 0)
