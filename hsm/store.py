"""What survives: one SQLite file of sealed records and the administrative log, changed in whole transactions.

A commit is flushed to the disk before it returns (WAL, `synchronous=FULL`), so a kill or a power failure loses nothing
that was confirmed. Paths and log entries are readable by the provider, records are not. Workers read by connections
of their own, opened after the fork.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.protocol.errors import Refused

ALTERED = (
    "what the device stores was altered or damaged. Stop it and put back its whole state folder from an intact copy; "
    "without one its keys are lost, and customers import them again into a new device."
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (path TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    position INTEGER PRIMARY KEY AUTOINCREMENT, partition TEXT NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (partition, n)
);
"""


class Store:
    """Records by path, and the administrative log in the order written."""

    def __init__(self, file: Path) -> None:
        """Raises `Refused("internal")` where the file is damaged."""
        self._file = file
        try:
            self._open()
        except sqlite3.Error as error:
            if _tells_damage(error):
                raise Refused("internal", ALTERED) from None
            raise

    def _open(self) -> None:
        self._db = sqlite3.connect(self._file, isolation_level=None, timeout=10)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Closed inside: SQLite's locks must not be carried across a fork (sqlite.org/howtocorrupt.html §2.6)."""
        self._db.close()
        try:
            yield
        finally:
            self._open()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are committed together, or not at all.

        Raises `Refused("log-unwritable")` where the disk does not take them: every transaction has its log entry.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            if _tells_damage(error):
                raise Refused("internal", ALTERED) from None
            raise Refused("log-unwritable") from None

    def forget_history(self) -> None:
        """Write over what former pages held: the WAL keeps a record that was replaced or deleted until then."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def read(self, path: str) -> bytes | None:
        """The sealed record. Raises `Refused("internal")` where the file is damaged."""
        try:
            row = self._db.execute("SELECT sealed FROM record WHERE path = ?", (path,)).fetchone()
        except sqlite3.Error as error:
            if _tells_damage(error):
                raise Refused("internal", ALTERED) from None
            raise
        return None if row is None else row[0]

    def paths(self, folder: str) -> list[str]:
        """Paths of the records directly in `folder` (which ends with a slash)."""
        return list(self.paths_from(folder, folder))

    def paths_from(self, folder: str, first: str) -> Iterator[str]:
        """The same in order, those before `first` left out; each is looked for when it is asked for."""
        rows = self._db.execute(
            "SELECT path FROM record WHERE path >= ? AND path < ? AND instr(substr(path, ?), '/') = 0 ORDER BY path",
            (max(folder, first), folder[:-1] + "0", len(folder) + 1),
        )
        return (row[0] for row in rows)

    def paths_like(self, pattern: str, after: str, limit: int) -> list[str]:
        """Up to `limit` paths after `after` that fit a GLOB pattern, in order."""
        rows = self._db.execute(
            "SELECT path FROM record WHERE path > ? AND path GLOB ? ORDER BY path LIMIT ?", (after, pattern, limit)
        )
        return [row[0] for row in rows]

    def write(self, path: str, sealed: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (path, sealed))

    def delete(self, path: str) -> None:
        self._db.execute("DELETE FROM record WHERE path = ?", (path,))

    def append(self, partition: str, n: int, body: bytes) -> None:
        self._db.execute("INSERT INTO entry (partition, n, body) VALUES (?, ?, ?)", (partition, n, body))

    def entries_after(self, position: int) -> Iterator[tuple[int, str, int, bytes]]:
        """(position, partition, n, entry) of the administrative log after `position`."""
        return self._db.execute(
            "SELECT position, partition, n, body FROM entry WHERE position > ? ORDER BY position", (position,)
        )


def _tells_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is no sound database (sqlite.org/rescode.html), not that it is out of reach."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
