"""What the customer says of its keys: a SQLite database in the endpoint's folder, read anew for each request."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import Answer, Check, check_reason
from strongroom.protocol.statements import Receipt

Said = Literal["active", "suspended", "revoked"]
WAIT_SECONDS = 10.0

# A key's status counts for all of its versions. Only a key and receipt that are both known can be active.
_TABLES = """
    CREATE TABLE IF NOT EXISTS keys (
        key TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, changed INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS receipts (
        receipt TEXT PRIMARY KEY, key TEXT NOT NULL, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changes (
        id INTEGER PRIMARY KEY, time INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS keys_by_name ON keys (name);
    CREATE INDEX IF NOT EXISTS receipts_of_key ON receipts (key);
"""
_ANSWERS = """
    SELECT json_extract(asked.value, '$[0]') AS key, json_extract(asked.value, '$[1]') AS receipt,
           keys.status, keys.reason, keys.changed, receipts.key IS keys.key
    FROM json_each(?) AS asked
    LEFT JOIN keys ON keys.key = json_extract(asked.value, '$[0]')
    LEFT JOIN receipts ON receipts.receipt = json_extract(asked.value, '$[1]')
"""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the customer has it on its list. `changed` is in unix seconds."""

    key: str
    name: str
    status: Said
    reason: str
    changed: int
    versions: int


class Change(msgspec.Struct, frozen=True):
    """One change of a key's status: never altered afterwards."""

    id: int
    time: int
    key: str
    name: str
    status: Said
    reason: str


class Statuses:
    """The statuses in one folder's `statuses.db`. Any number of processes and threads may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Raises `Refused("configuration")` where the database cannot be used."""
        self._path = folder / "statuses.db"
        if not self._path.exists():
            self._path.touch(mode=0o600)
        try:
            with self._open() as database:
                # Readers never wait for a writer.
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise Refused("configuration", f"{self._path} cannot be used: {error}") from None

    # --- what is asked ---

    def answers(self, checks: list[Check]) -> list[Answer]:
        """What is said of each version of a key, in order.

        `unknown` where the key is not listed, or is active and the receipt is not one of its own.
        """
        asked = msgspec.json.encode([(one.key, one.receipt) for one in checks]).decode()
        with self._open() as database:
            rows = database.execute(_ANSWERS, [asked]).fetchall()
        return [
            Answer(key=key, receipt=receipt, status="unknown")
            if status is None or (status == "active" and not own)
            else Answer(key=key, receipt=receipt, status=status, reason=reason, at=changed)
            for key, receipt, status, reason, changed, own in rows
        ]

    # --- what the customer says ---

    def add(self, receipts: list[tuple[Receipt, str]]) -> list[Listed]:
        """Put keys on the list as active, or further versions of listed keys, whose status stays. Idempotent.

        Each comes with its receipt and the receipt's digest.
        """
        with self._changing() as database:
            for receipt, digest in receipts:
                if not database.execute("SELECT 1 FROM keys WHERE key = ?", [receipt.key_id]).fetchone():
                    self._set(database, receipt.key_id, receipt.name, "active", "")
                row = [digest, receipt.key_id, receipt.version]
                database.execute("INSERT OR IGNORE INTO receipts VALUES (?, ?, ?)", row)
            keys = dict.fromkeys(receipt.key_id for receipt, _ in receipts)
            return [self._find(database, key) for key in keys]

    def change(self, reference: str, status: Said, reason: str = "") -> Listed:
        """Change what is said of a key, by name or id. Idempotent. A key that is not listed can be revoked by its id.

        Raises `Refused`: `not-found`; `conflict` for a name of several keys, and for any way back from `revoked`;
        `malformed` for a reason that is no short line.
        """
        check_reason(reason)
        with self._changing() as database:
            try:
                found = self._find(database, reference)
            except Refused as refusal:
                if refusal.code != "not-found" or status == "active" or not reference.startswith("key_"):
                    raise
                self._set(database, reference, "", status, reason)
                return self._find(database, reference)
            if found.status == "revoked" and status != "revoked":
                raise Refused("conflict", f"{found.name or found.key} is revoked, and that is for ever")
            if found.status != status:
                self._set(database, found.key, found.name, status, reason)
            return self._find(database, found.key)

    def listed(self) -> list[Listed]:
        with self._open() as database:
            return _select(database, "true", [])

    def changes(self, after: int) -> list[Change]:
        """The changes after number `after`, oldest first."""
        with self._open() as database:
            found = database.execute("SELECT * FROM changes WHERE id > ? ORDER BY id", [after]).fetchall()
        return [Change(*row) for row in found]

    def last_change(self) -> int:
        with self._open() as database:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM changes").fetchone()[0])

    # --- the database ---

    def _find(self, database: sqlite3.Connection, reference: str) -> Listed:
        found = _select(database, "keys.key = ? OR name = ?", [reference, reference])
        if not found:
            raise Refused("not-found", f"{reference} is not listed here: strongroom revocation add")
        if len(found) > 1:
            raise Refused("conflict", f"several keys are called {reference}: use the key's id")
        return found[0]

    def _set(self, database: sqlite3.Connection, key: str, name: str, status: Said, reason: str) -> None:
        now = int(time.time())
        values = [key, name, status, reason, now]
        database.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", values)
        row = [now, key, name, status, reason]
        database.execute("INSERT INTO changes (time, key, name, status, reason) VALUES (?, ?, ?, ?, ?)", row)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS, isolation_level=None)) as database:
            yield database

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One change, done on disk when this ends, or not at all."""
        with self._open() as database:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            with database:
                yield database


def _select(database: sqlite3.Connection, where: str, values: list[str]) -> list[Listed]:
    query = f"""
        SELECT keys.key, name, status, reason, changed, count(receipts.receipt)
        FROM keys LEFT JOIN receipts ON receipts.key = keys.key WHERE {where} GROUP BY keys.key ORDER BY name, keys.key
    """  # noqa: S608 - the condition is one of ours
    return [
        Listed(key=key, name=name, status=status, reason=reason, changed=changed, versions=versions)
        for key, name, status, reason, changed, versions in database.execute(query, values)
    ]
