"""How a key stands with those who may revoke it."""

from typing import Literal

import msgspec

from strongroom.protocol.commands.calling import Command


class RevocationStatus(Command, frozen=True, kw_only=True):
    """How the versions of a key stand with those who may revoke it."""

    NAME = "revocation.status"
    partition: str
    key: str


class VersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `state`: `none` (its terms name nobody to ask), `unchecked` (no answer yet since import or start),
    `good`, `suspended`, `revoked`, `destroyed`. Times are unix seconds. `answer` is the last valid one (`active`,
    `suspended`, `unknown`), and `answered_at` when it came; `last_check` is when the last call ended, and `failure`
    what went wrong with it: empty where it brought that answer. `why` says why the key is suspended, or was revoked;
    `revoked_by` on whose word (`owner`: a signed order; `endpoint`, `ocsp`, `crl`) and `revoked_at` when. `checks`
    counts the calls since the device's start, `seconds` is what the last one took from sending to being applied.

    Where several are asked about a key, answer and call are of the one whose good answer runs out first, or has.
    """

    version: int
    state: Literal["none", "unchecked", "good", "suspended", "revoked", "destroyed"]
    answer: str = ""
    answered_at: int | None = None
    last_check: int | None = None
    failure: str = ""
    next_check: int | None = None
    why: str = ""
    revoked_by: str = ""
    revoked_at: int | None = None
    checks: int = 0
    seconds: float = 0.0


class RevocationStatusReply(msgspec.Struct, frozen=True, kw_only=True):
    versions: list[VersionStatus]


class CheckNow(Command, frozen=True, kw_only=True):
    """Ask now for every version of these keys (at most 1000). Answered at once with `Done`: `revocation.status` tells
    what came of it, once `checks` has grown.
    """

    NAME = "revocation.check-now"
    partition: str
    keys: list[str]
