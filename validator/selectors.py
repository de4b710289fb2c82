"""Reads of the history: keys as they stand, what happened to them, and when a source was last seen."""

import sqlite3
from typing import Literal

import msgspec

from validator.sightings import Subject

Status = Literal["in-force", "retired", "revoked"]
Source = Literal["manufacturer", "provider"]


class WatchedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was seen and believed. `last_seen` is when its source last showed it."""

    key_id: str
    subject: Subject
    public_key_digest: str
    device: str
    provider: str
    single_use: int
    status: Status
    device_status: Status
    not_before: int | None
    not_after: int | None
    first_seen: int
    last_seen: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a key: `first-seen`, `status`, `device-status`, `unlisted` or `seen-differently`."""

    at: int
    what: str
    detail: str


def get_key(history: sqlite3.Connection, key_id: str) -> WatchedKey | None:
    row = history.execute("SELECT * FROM keys WHERE key_id = ?", (key_id,)).fetchone()
    return None if row is None else msgspec.convert(dict(row), WatchedKey)


def events_of(history: sqlite3.Connection, key_id: str) -> list[Event]:
    """Oldest first."""
    rows = history.execute("SELECT at, what, detail FROM events WHERE key_id = ? ORDER BY number", (key_id,))
    return [msgspec.convert(dict(row), Event) for row in rows]


def standing_keys(history: sqlite3.Connection, subject: Subject) -> list[WatchedKey]:
    """The keys that must be in their source's list to stay in force."""
    rows = history.execute(
        "SELECT * FROM keys WHERE subject = ? AND NOT single_use AND status = 'in-force'", (subject,)
    )
    return [msgspec.convert(dict(row), WatchedKey) for row in rows]


def last_look(history: sqlite3.Connection, source: Source) -> int:
    """When the source last answered in full; 0 for never."""
    row = history.execute("SELECT at FROM looks WHERE source = ?", (source,)).fetchone()
    return 0 if row is None else int(row["at"])
