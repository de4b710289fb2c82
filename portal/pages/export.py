"""A tenant's log as a file, a line at a time: as the device wrote it, or for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

from portal.audit.models import LogEntry
from portal.pages.selectors import Names, who_in
from strongroom.protocol.log import Entry

MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
COLUMNS = [
    "time", "partition", "lane", "n", "event", "result", "principal", "principal_name", "key", "key_name", "mechanism",
]  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def json_lines(rows: Iterable[LogEntry]) -> Iterator[bytes]:
    """Each line is an entry's exact bytes, over which the log's chain is."""
    for row in rows:
        yield bytes(row.entry) + b"\n"


def csv_lines(rows: Iterable[LogEntry], names: Names) -> Iterator[bytes]:
    """With the words of the log's page for who did it and with what."""
    yield _line(COLUMNS)
    for row in rows:
        entry = msgspec.json.decode(bytes(row.entry), type=Entry)
        yield _line(
            [
                row.at.isoformat(),
                entry.partition,
                entry.lane,
                str(entry.n),
                entry.event,
                entry.result,
                entry.principal,
                who_in(entry, names),
                entry.key,
                names.keys.get(entry.key, ""),
                entry.mechanism,
            ]
        )


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    # A name that a spreadsheet would take for a formula is one no more.
    csv.writer(text).writerow([f"'{one}" if one.startswith(_FORMULA) else one for one in cells])
    return text.getvalue().encode()
