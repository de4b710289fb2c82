"""What the command prints: JSON for programs, tables for people. What others wrote is shown as plain text only."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
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
        out.print(one)


def plain(value: Any) -> Text:
    """Anything as text without markup or control characters: no stranger's label can disguise what is shown."""
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return Text("".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text), overflow="fold")


def moment(seconds: int | None) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def short(name: str) -> str:
    """The beginning of a long id, for tables in which many stand; JSON always has the whole."""
    return name if len(name) <= 20 else name[:19] + "…"


def pairs(rows: Iterable[tuple[str, Any]], title: str = "") -> Table:
    """Names and values, one a line."""
    table = Table(box=None, show_header=False, title=title or None, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, plain(value))
    return table


def records(rows: Sequence[Any], columns: Sequence[str], *, empty: str) -> RenderableType:
    """A table of records (mappings or structs), or the sentence `empty`."""
    if not rows:
        return Text(empty)
    table = Table()
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        values = row if isinstance(row, dict) else {name: getattr(row, name) for name in columns}
        table.add_row(*(plain(values.get(name)) for name in columns))
    return table


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
        aside.print(plain(error.detail))
