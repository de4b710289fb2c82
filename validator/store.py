"""The validator's store: a folder of mode 0700 with its own keys, what it watches, and the history in SQLite."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.protocol.errors import Refused

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    key_id TEXT PRIMARY KEY,
    subject TEXT NOT NULL CHECK (subject IN ('vendor-key', 'provider-key')),
    public_key_digest TEXT NOT NULL,
    device TEXT NOT NULL,
    provider TEXT NOT NULL,
    single_use INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('in-force', 'retired', 'revoked')),
    device_status TEXT NOT NULL CHECK (device_status IN ('in-force', 'retired', 'revoked')),
    not_before INTEGER,
    not_after INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES keys (key_id),
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_of_a_key ON events (key_id, number);
CREATE TABLE IF NOT EXISTS looks (source TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Store:
    """Where things are."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "settings.json"

    @property
    def signing_key(self) -> Path:
        return self.folder / "signing.pem"

    @property
    def tls(self) -> Path:
        """Private key and certificate of the TLS port."""
        return self.folder / "tls.pem"

    @property
    def history(self) -> Path:
        return self.folder / "history.sqlite"

    def create(self) -> None:
        """Make the folder and the history where they are missing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.history.touch(mode=0o600)
        with closing(sqlite3.connect(self.history)) as history:
            history.execute("PRAGMA journal_mode = WAL")
            history.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction on the history: committed at the end, or nothing of it."""
        with self._connect() as history:
            history.execute("BEGIN IMMEDIATE")
            with history:
                yield history

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the history."""
        with self._connect() as history:
            history.execute("BEGIN")
            yield history

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        if not self.history.is_file():
            raise Refused("configuration", f"no validator's store in {self.folder}: run init first")
        with closing(sqlite3.connect(self.history, timeout=5, isolation_level=None)) as history:
            history.execute("PRAGMA foreign_keys = ON")
            history.row_factory = sqlite3.Row
            yield history


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file of mode 0600 or, when killed, none: it takes its name only when it is on the disk."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
