"""Barriers on a page, as axe-core finds them: every rule that it has, those of good practice too."""

import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Page

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
