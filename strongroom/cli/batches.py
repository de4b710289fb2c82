"""`--batch FILE.jsonl --out FILE.jsonl`: an item a line; its result or error on the same line of the other file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from strongroom.cli import prompts
from strongroom.cli.output import pairs, show
from strongroom.cli.prompts import connected
from strongroom.client import receipts
from strongroom.client.batches import ItemError, ItemOutcome, in_batches, operate_batch
from strongroom.client.operations import usual_mechanism
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, MAX_SEALED, Item, Parameters
from strongroom.protocol.mechanisms import Usage


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """An item; bytes are standard base64."""

    payload: bytes
    signature: bytes = b""
    aad: bytes = b""


@dataclass(frozen=True)
class Batch:
    """What is asked for every line of a file."""

    usage: Usage
    key: str
    version: int
    mechanism: str
    token_mode: bool
    sealed: bool
    parameters: Parameters

    def run(self, as_json: bool, source: Path, target: Path | None) -> None:
        """Write the answers as they come. Exit status 1 where an item failed, or a signature does not hold."""
        if target is None:
            raise Refused("configuration", "--batch needs --out, where the answers go")
        if target.exists() and target.samefile(source):
            raise Refused("configuration", "--batch and --out are the same file")
        unread: dict[int, ItemError] = {}
        counts = {"items": 0, "failed": 0, "invalid": 0}
        sealed = False
        with connected() as connection:
            receipt = receipts.find(connection, self.key, prompts.now(), self.version)
            mechanism = self.mechanism or usual_mechanism(receipt, self.usage)
            items = _items(source, unread)
            writer = _Writer(target, unread, counts)
            for batch in in_batches(items, self.usage, mechanism, self.parameters.length):
                outcome = operate_batch(
                    connection,
                    self.usage,
                    self.key,
                    batch,
                    now=prompts.now(),
                    version=self.version,
                    mechanism=mechanism,
                    parameters=self.parameters,
                    token_mode=self.token_mode,
                    sealed=self.sealed,
                )
                writer.write(outcome.results)
                sealed = outcome.sealed
            writer.close()
        data: dict[str, Any] = {"mechanism": mechanism, "sealed": sealed, **counts, "out": str(target)}
        show(as_json, data, pairs((name.capitalize(), value) for name, value in data.items()))
        if counts["failed"] or counts["invalid"]:
            raise typer.Exit(1)


def _items(source: Path, unread: dict[int, ItemError]) -> Iterator[Item]:
    """The items of a file; a line that cannot be read is in `unread`, and the others go on."""
    with source.open("rb") as lines:
        for number, line in enumerate(lines):
            try:
                one = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                unread[number] = ItemError("malformed", f"line {number + 1}: {error}")
                continue
            if len(one.payload) > MAX_SEALED:
                unread[number] = ItemError("too-large", f"line {number + 1}: at most {MAX_PAYLOAD} bytes")
                continue
            yield Item(one.payload, one.signature, one.aad)


class _Writer:
    """The answers' file, readable by its owner alone: opened when there is an answer, a line for each line read."""

    def __init__(self, target: Path, unread: dict[int, ItemError], counts: dict[str, int]) -> None:
        self._target = target
        self._unread = unread
        self._counts = counts
        self._file: Any = None

    def write(self, outcomes: list[ItemOutcome]) -> None:
        for one in outcomes:
            self._write_unread()
            self._line(one)

    def close(self) -> None:
        self._write_unread()
        if self._file is None:
            raise Refused("malformed", "the file holds no items")
        self._file.close()

    def _write_unread(self) -> None:
        while (error := self._unread.pop(self._counts["items"], None)) is not None:
            self._line(ItemOutcome(error=error))

    def _line(self, one: ItemOutcome) -> None:
        if self._file is None:
            self._target.unlink(missing_ok=True)
            self._file = os.fdopen(os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._counts["items"] += 1
        self._counts["failed"] += one.error is not None
        self._counts["invalid"] += one.valid is False
        self._file.write(msgspec.json.encode(one) + b"\n")
