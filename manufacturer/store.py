"""The manufacturer's store: a folder of mode 0700 with identities in key files and the register in SQLite."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.protocol.errors import Refused

_SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (
    device TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('production', 'development')),
    certificate TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('in-force', 'retired', 'revoked')),
    certified_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS vendor_keys (
    key_id TEXT PRIMARY KEY,
    device TEXT NOT NULL REFERENCES devices (device),
    public_key BLOB NOT NULL,
    endorsement TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('in-force', 'retired', 'revoked')),
    listed_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
"""


@dataclass(frozen=True)
class Store:
    """Where things are. Only the files under `public` are handed out."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def register(self) -> Path:
        return self.folder / "register.sqlite"

    @contextmanager
    def create(self) -> Iterator[None]:
        """Make the folders and the register where they are missing; one process at a time is inside."""
        for folder in (self.folder, self.keys, self.public):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.register.touch(mode=0o600)
            with closing(sqlite3.connect(self.register)) as register:
                register.execute("PRAGMA journal_mode = WAL")
                register.executescript(_SCHEMA)
                # A register of before single-use keys.
                if "expires_at" not in [row[1] for row in register.execute("PRAGMA table_info (vendor_keys)")]:
                    register.execute("ALTER TABLE vendor_keys ADD COLUMN expires_at INTEGER")
            yield
        finally:
            os.close(lock)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One writing transaction on the register: committed at the end, or nothing of it."""
        with self._connect() as register:
            register.execute("BEGIN IMMEDIATE")
            with register:
                yield register

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view of the register."""
        with self._connect() as register:
            register.execute("BEGIN")
            yield register

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        if not self.register.is_file():
            raise Refused("configuration", f"no manufacturer's store in {self.folder}: run init first")
        with closing(sqlite3.connect(self.register, timeout=5, isolation_level=None)) as register:
            register.execute("PRAGMA synchronous = FULL")
            register.execute("PRAGMA foreign_keys = ON")
            register.row_factory = sqlite3.Row
            yield register


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file of mode 0600 or, when killed, none: it takes its name only when it is on the disk."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
