"""Searching every place that the provider has for key bytes: what "where is my key?" in the story rests on.

A *trace* is one form in which a secret could lie about: raw in either byte order, hexadecimal, or base64 in any of its
three alignments. Only a part of each secret is looked for, so that a torn copy or a line break does not hide it.
"""

import base64
import itertools
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

CHUNK = 16 * 1024 * 1024
WINDOW = 18
"""Bytes of a secret that are looked for together."""
Chunks = Iterator[bytes]


@dataclass(frozen=True)
class Trace:
    """`pattern` is one form of the secret called `secret`."""

    secret: str
    pattern: bytes = field(repr=False)


@dataclass
class Place:
    """Somewhere to look: `open` gives its content in chunks. Places of one `name` are counted together."""

    name: str
    open: Callable[[], Chunks]


@dataclass
class Searched:
    """What was found in the places of one name. `refused` counts those that could not be read."""

    name: str
    places: int = 0
    size: int = 0
    refused: int = 0
    found: set[str] = field(default_factory=set)


def traces(secret: str, data: bytes) -> list[Trace]:
    """All forms of parts of `data` (16 bytes or more), each of 12 bytes at least: more than chance could make.

    Two parts are looked for, which no single line break of base64 text (every 48 bytes) can tear both.
    """
    half = len(data) // 2
    windows = [data[half - WINDOW : half], data[half:][:WINDOW]] if half >= WINDOW else [data[:half], data[half:]]
    found = set()
    for window in windows:
        found |= {window, window[::-1], window.hex().encode(), window.hex().upper().encode()}
        for alignment in range(3):
            whole = window[alignment:]
            whole = whole[: len(whole) // 3 * 3]
            found |= {base64.b64encode(whole), base64.urlsafe_b64encode(whole)}
    return [Trace(secret, pattern) for pattern in sorted(found)]


def search(places: list[Place], wanted: list[Trace]) -> list[Searched]:
    """Look for every trace in every place."""
    found: dict[str, Searched] = {}
    overlap = max(len(trace.pattern) for trace in wanted) - 1
    for place in places:
        result = found.setdefault(place.name, Searched(place.name))
        tail = b""
        try:
            for chunk in place.open():
                result.size += len(chunk)
                text = tail + chunk
                result.found |= {trace.secret for trace in wanted if trace.pattern in text}
                tail = text[-overlap:]
            result.places += 1
        except PermissionError:
            result.refused += 1
        except (FileNotFoundError, ProcessLookupError):  # gone while we were looking: there is nothing left to search
            continue
    return list(found.values())


def files(name: str, folder: Path) -> list[Place]:
    """Every file below `folder`."""
    return [Place(name, partial(_read, path)) for path in sorted(folder.rglob("*")) if path.is_file()]


def memory(name: str, pid: int, seen: set[tuple[str, str]]) -> Place:
    """Everything that a process can write to in its memory. Shared mappings in `seen` were searched already."""
    return Place(name, lambda: _read_memory(pid, seen))


def output(name: str, command: list[str]) -> Place:
    """What a command prints; one that fails counts as a place that could not be read."""
    return Place(name, lambda: _read_output(command))


def descendants(pid: int) -> list[int]:
    """The processes that descend from `pid`, parents before children."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found, generation = [], [pid]
    while generation:
        generation = [child for one in generation for child in parents.get(one, [])]
        found += generation
    return found


def _read(path: Path) -> Chunks:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")


def _read_output(command: list[str]) -> Chunks:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise subprocess.CalledProcessError(1, command)
        yield from iter(lambda: process.stdout.read(CHUNK), b"")  # type: ignore[union-attr]
    if process.returncode:
        raise PermissionError(f"{Path(command[0]).name} was refused")


def _read_memory(pid: int, seen: set[tuple[str, str]]) -> Chunks:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, offset, device, inode = line.split()[:5]
            if "w" not in rights or "r" not in rights:
                continue
            if "s" in rights:
                if (f"{device}:{inode}", offset) in seen:
                    continue
                seen.add((f"{device}:{inode}", offset))
            start, end = (int(bound, 16) for bound in span.split("-"))
            for position in itertools.chain(range(start, end, CHUNK)):
                try:
                    file.seek(position)
                    yield file.read(min(CHUNK, end - position))
                except OSError as error:
                    if isinstance(error, PermissionError):
                        raise
                    continue  # the mapping has gone, or is a device's
