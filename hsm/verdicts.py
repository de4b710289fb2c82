"""What a version's sources have said of it, and why it rests when none of their answers holds."""

from hsm import standings as st
from hsm.clock import NANO
from hsm.revocation_pages import Watch, Watched
from hsm.revocation_sources import Outcome

_WHY = {"active": st.UNCHECKED, "suspended": st.SUSPENDED, "revoked": st.REVOKED, "unknown": st.UNKNOWN}


def note(watch: Watch, outcome: Outcome | None, failure: str, moment: int) -> None:
    """What one source now says of one version. Where it says nothing, its last good answer runs out by itself."""
    watch.checked = moment
    if outcome is None:
        watch.failure = watch.said = failure or "the answer says nothing of this key"
        watch.why = st.FAILED
        return
    watch.answered_at, watch.failure = moment, ""
    watch.good_until, watch.answer, watch.said = outcome.good_until, outcome.status, outcome.reason
    watch.why = _WHY[outcome.status]


def _worst(watched: Watched, now: int) -> Watch:
    for one in watched.watches:
        if one.good_until <= now:
            return one
    return watched.watches[0]


def why(watched: Watched, now: int) -> int:
    """Why a version rests at `now`, where it does: a code of `hsm.standings`."""
    return _worst(watched, now).why


def words(watched: Watched, now: int) -> str:
    """The same for people, and for the log."""
    worst = _worst(watched, now)
    if worst.why == st.UNCHECKED:
        silent = f"; asked {(now - worst.page.asked_at) // NANO} s ago, and not answered yet"
        return ("its last answer has run out" if worst.calls else "no answer yet") + (
            silent if worst.page.under_way else ""
        )
    said = {st.SUSPENDED: "suspended", st.UNKNOWN: "unknown", st.REVOKED: "revoked"}.get(worst.why, "no valid answer")
    return f"{said}: {worst.said}" if worst.said else said
