"""Where the portal's pages are, by docs/roles.md, which is the table that they go by."""

import re
from pathlib import Path

_ROW = re.compile(r"^\| ([\w-]+) \| `([^`]+)` \| (.*) \|$")
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"


def addresses(role: str) -> list[str]:
    """The addresses of the pages that people of a role read, with `{…}` for what stands for one of many things."""
    columns: list[str] = []
    found = []
    for line in _PAGE.read_text().splitlines():
        if line.startswith("| page |"):
            columns = [one.strip() for one in line.split("|")[3:-1]]
        elif (row := _ROW.match(line)) and role in columns:
            cells = [one.strip() for one in row[3].split("|")]
            if cells[columns.index(role)].startswith("read"):
                found.append(row[2])
    return found


def links_to(address: str, links: list[str]) -> list[str]:
    """Of these links those that lead to an address, whose `{…}` stands for anything."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/?#]+", re.escape(address))
    return [one for one in links if re.fullmatch(pattern, one)]
