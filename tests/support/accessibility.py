"""Barriers on a page, as axe-core finds them: every rule that it has, those of good practice too."""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from tests.support.reader import SCREENS, Reader

_MODULES = Path(__file__).resolve().parents[1] / "browser" / "npm"
_RUN = """() => axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.flatMap(
    (one) => one.nodes.map((node) => `${one.id}: ${node.html} ${node.failureSummary}`)))"""


def install_axe(folder: Path) -> str:
    """The source of axe-core as it is pinned, installed by npm into `folder`."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_MODULES / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def barriers(page: Page, axe: str) -> list[str]:
    """What axe-core finds on an open page, each with its rule and element.

    Its source comes by the DevTools protocol, to which the page's content security policy does not apply.
    """
    page.evaluate(axe)
    found: list[str] = page.evaluate(_RUN)
    return found


@dataclass
class Look:
    """Looks at pages on every screen. What is in somebody's way is kept in `found`."""

    axe: str
    found: list[str] = field(default_factory=list)

    def here(self, reader: Reader) -> None:
        """At the page that is open."""
        for width, scheme in SCREENS:
            reader.screen(width, scheme)
            place = f"{reader.page.url} at {width}, {scheme}"
            self.found.extend(f"{place}: {one}" for one in barriers(reader.page, self.axe))

    def at(self, reader: Reader, path: str) -> list[str]:
        """Opens a page; the links on it."""
        reader.open(path)
        self.here(reader)
        return [str(one.get_attribute("href")) for one in reader.page.locator("a[href]").all()]
