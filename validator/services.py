"""Writes to the history: what was seen, and what that changes."""

import logging
import sqlite3

from validator.selectors import Source, WatchedKey, get_key, standing_keys
from validator.sightings import Sighting, Subject
from validator.store import Store

SUBJECT: dict[Source, Subject] = {"manufacturer": "vendor-key", "provider": "provider-key"}
"""The keys of which each source's word counts."""

logger = logging.getLogger("validator")


def record(*, store: Store, sightings: list[Sighting], now: int) -> None:
    """Enter what was seen. A key that is seen otherwise than before is revoked here, for ever."""
    with store.transaction() as history:
        for seen in sightings:
            _enter(history, seen, now)


def record_look(*, store: Store, source: Source, sightings: list[Sighting], began: int, now: int) -> None:
    """As `record`, for everything that a source shows: keys of its that it no longer shows are retired here."""
    record(store=store, sightings=sightings, now=now)
    shown = {one.key_id for one in sightings if not one.doubt}
    with store.transaction() as history:
        for known in standing_keys(history, SUBJECT[source]):
            # A key that was seen by its id while this look was under way may be younger than the list.
            if known.key_id not in shown and known.last_seen < began:
                _change(history, known, now, "unlisted", status="retired")
        history.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (source, now))


def record_absence(*, store: Store, key_id: str, now: int) -> None:
    """The key's source was asked for this one key and has none of that id."""
    with store.transaction() as history:
        known = get_key(history, key_id)
        if known is not None and known.status == "in-force":
            _change(history, known, now, "unlisted", status="retired")


def _enter(history: sqlite3.Connection, seen: Sighting, now: int) -> None:
    known = get_key(history, seen.key_id)
    # 1. The same key under the same id, for ever, whoever shows it.
    if known is not None and (difference := _difference(known, seen)):
        # Seen again and again, it is one event.
        if known.status != "revoked" or not _last_event_is(history, known, difference):
            _change(history, known, now, "seen-differently", difference, status="revoked")
        return
    # 2. What is not believed changes nothing else.
    if seen.doubt:
        return
    if known is None:
        _begin(history, seen, now)
        return
    history.execute("UPDATE keys SET last_seen = ? WHERE key_id = ?", (now, known.key_id))
    # 3. Its source's word on it. What was revoked once stays revoked.
    if known.device_status not in (seen.device_status, "revoked"):
        _change(history, known, now, "device-status", device_status=seen.device_status)
    if known.status not in (seen.status, "revoked"):
        _change(history, known, now, "status", status=seen.status)
    if (seen.not_before, seen.not_after) != (known.not_before, known.not_after):
        validity = f"{seen.not_before}..{seen.not_after}"
        _change(history, known, now, "validity", validity, not_before=seen.not_before, not_after=seen.not_after)


def _begin(history: sqlite3.Connection, seen: Sighting, now: int) -> None:
    history.execute(
        "INSERT INTO keys VALUES (:key_id, :subject, :public_key_digest, :device, :provider, :single_use, :status,"
        " :device_status, :not_before, :not_after, :now, :now)",
        {name: getattr(seen, name) for name in Sighting.__struct_fields__} | {"now": now},
    )
    _log(history, seen.key_id, now, "first-seen", seen.status)


def _difference(known: WatchedKey, seen: Sighting) -> str:
    """What was seen otherwise than before, in words; empty where nothing was."""
    for name in ("subject", "public_key_digest", "device", "provider"):
        before, after = getattr(known, name), getattr(seen, name)
        # Not every source says who the device's provider is. An engine's key has no device: there, none is a fact.
        if after != before and (after or (name == "device" and not seen.doubt)):
            return f"{name} was {before!r} and is shown as {after!r}"
    return ""


def _last_event_is(history: sqlite3.Connection, known: WatchedKey, detail: str) -> bool:
    row = history.execute(
        "SELECT detail FROM events WHERE key_id = ? ORDER BY number DESC LIMIT 1", (known.key_id,)
    ).fetchone()
    return row is not None and row["detail"] == detail


def _change(
    history: sqlite3.Connection, known: WatchedKey, now: int, what: str, detail: str = "", **changes: object
) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in changes)
    history.execute(f"UPDATE keys SET {columns} WHERE key_id = :key_id", changes | {"key_id": known.key_id})  # noqa: S608
    _log(history, known.key_id, now, what, detail or ", ".join(str(value) for value in changes.values()))


def _log(history: sqlite3.Connection, key_id: str, now: int, what: str, detail: str) -> None:
    history.execute("INSERT INTO events (key_id, at, what, detail) VALUES (?, ?, ?, ?)", (key_id, now, what, detail))
    logger.log(logging.ERROR if what == "seen-differently" else logging.INFO, "%s: %s %s", key_id, what, detail)
