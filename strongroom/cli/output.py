"""What the command prints: JSON for programs, tables for people. What others wrote is shown as plain text only."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from strongroom.protocol.errors import Refused

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

out = Console(highlight=False)
aside = Console(stderr=True, highlight=False)


def show(as_json: bool, data: Any, *text: RenderableType) -> None:
    """The result: `data` as one line of JSON, or `text` for people."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(data).decode() + "\n")
        return
    for one in text:
        # Only the terminal breaks long lines: what is copied from it then has no break in it.
        out.print(one, soft_wrap=not isinstance(one, Table), crop=False)


def plain(value: Any) -> Text:
    """Anything as text without markup or control characters: no stranger's label can disguise what is shown."""
    if isinstance(value, Text):
        return value
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Text("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text))


def moment(seconds: int | None) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def short(name: str) -> str:
    """The beginning of a long id, for tables in which many stand; JSON always has the whole."""
    return name if len(name) <= 14 else name[:13] + "…"


def pairs(rows: Iterable[tuple[str, Any]]) -> Text:
    """Names and values. An id stays on its line, however long; words stay beside their name."""
    written = [(name, plain(value)) for name, value in rows]
    width = max((len(name) for name, _ in written), default=0)
    lines = [
        Text.assemble(" ", (name.ljust(width), "bold"), "  ", _beside(value, width + 3)) for name, value in written
    ]
    return Text("\n").join(lines)


def _beside(value: Text, indent: int) -> Text:
    """What has spaces in it is broken here: left to the terminal, a long label could look like the next line."""
    if " " not in value.plain:
        return value
    return Text("\n" + " " * indent).join(value.wrap(out, max(20, out.width - indent), overflow="fold"))


def records(rows: Sequence[Any], columns: Sequence[str], *, empty: str) -> RenderableType:
    """A table of records (mappings or structs), or the sentence `empty`.

    Where a word, such as an id, would have to be broken for it to fit the terminal: each record as lines instead.
    """
    if not rows:
        return Text(empty)
    names = [column.replace("_", " ") for column in columns]
    values = [one if isinstance(one, dict) else {name: getattr(one, name) for name in columns} for one in rows]
    cells = [[plain(one.get(name)) for name in columns] for one in values]
    widths = _widths(names, cells, out.width - 3 * (len(names) - 1))
    if widths is None:
        return Text("\n\n").join(pairs(zip(names, row, strict=True)) for row in cells)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, width in zip(names, widths, strict=True):
        table.add_column(name, width=width)
    for row in cells:
        table.add_row(*row)
    return table


def _widths(names: list[str], cells: list[list[Text]], room: int) -> list[int] | None:
    """Of each column, so that all fit into `room` and no word is broken; None where that cannot be."""
    columns = [[name, *(row[place].plain for row in cells)] for place, name in enumerate(names)]
    least = [max(cell_len(word) for text in column for word in text.split()) for column in columns]
    widths = [max(map(cell_len, column)) for column in columns]
    while sum(widths) > room:
        spare = [width - needed for width, needed in zip(widths, least, strict=True)]
        if not any(spare):
            return None
        widths[spare.index(max(spare))] -= 1
    return widths


def next_step(text: str) -> Text:
    return Text(f"Next: {text}", style="cyan")


def warn_of_mode(mode: str) -> None:
    """Say loudly that a device is for development."""
    if mode != "production":
        words = "DEVELOPMENT DEVICE: its certificate says so. Do not give it a key that matters."
        aside.print(Panel(words, style="bold yellow"))


def show_refusal(as_json: bool, error: Refused) -> None:
    """The one place where a refusal meets a person or a program."""
    if as_json:
        show(True, {"code": error.code, "sentence": error.problem.sentence, "detail": error.detail})
        return
    aside.print(Text.assemble(("refused ", "bold red"), (error.code, "bold"), f": {error.problem.sentence}"))
    if error.detail not in ("", error.problem.sentence):
        aside.print(plain(error.detail), soft_wrap=True)
