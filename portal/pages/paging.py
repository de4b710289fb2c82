"""Lists that are shown a page at a time, with links that keep what was looked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.http import HttpRequest, QueryDict

Row = TypeVar("Row")


@dataclass(frozen=True)
class Shown:
    """Which page is shown of how many; `query` is what else the address says, to go on from there."""

    number: int
    pages: int
    query: str

    @property
    def before(self) -> str:
        return self._at(self.number - 1) if self.number > 1 else ""

    @property
    def after(self) -> str:
        return self._at(self.number + 1) if self.number < self.pages else ""

    def _at(self, number: int) -> str:
        return f"?{self.query}{'&' if self.query else ''}page={number}"


def pages_of(
    request: HttpRequest, size: int, load: Callable[[int], tuple[list[Row], int]]
) -> tuple[Shown, list[Row], int]:
    """The page that the address names (else the first), its rows, and how many rows there are in all."""
    text = request.GET.get("page", "")
    number = min(max(1, int(text)), 1_000_000) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    rows, total = load(number)
    pages = max(1, -(-total // size))
    if number > pages:
        number = pages
        rows, total = load(number)
    return Shown(number, pages, without(request.GET, "page")), rows, total


def without(query: QueryDict, *names: str) -> str:
    """A query without those members and without empty ones, as text."""
    kept = QueryDict(mutable=True)
    for name, values in query.lists():
        if name not in names and any(values):
            kept.setlist(name, values)
    return kept.urlencode()
