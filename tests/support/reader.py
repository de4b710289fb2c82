"""Someone at a headless Chromium on the running stack, which notes whatever the browser complains of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, Request, Route

from tests.support.stack import Stack

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
"""Wide and narrow, light and dark."""


@dataclass
class Reader:
    """Someone at a browser. `complaints`: the console's errors and warnings, refused policies and failed requests."""

    page: Page
    stack: Stack
    complaints: list[str] = field(default_factory=list)
    username: str = ""

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._failed)

    def open(self, path: str) -> int:
        """Go to a page of the portal; its status."""
        response = self.page.goto(self.stack.url + path)
        return response.status if response else 0

    def screen(self, width: int, scheme: str) -> None:
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]

    def confirm(self) -> None:
        """Answer a page's question for a fresh one-time code."""
        self.page.get_by_label("A fresh one-time code").fill(self.stack.code(self.username))
        self.page.get_by_label("A fresh one-time code").press("Enter")

    def hears_from(self, path: str, change: Callable[[Any], None]) -> None:
        """Have `change` alter what the portal answers at a path of the interface."""

        def alter(route: Route) -> None:
            response = route.fetch()
            answer = response.json()
            change(answer)
            route.fulfill(response=response, json=answer)

        self.page.route(f"**/api/v1/{path}", alter)

    def log_in(self, username: str) -> None:
        self.username = username
        person = self.stack.people.of(username)
        self.open("/login/")
        self.page.get_by_label("User name").fill(username)
        self.page.get_by_label("Password").fill(person.password)
        self.page.get_by_label("One-time code").fill(self.stack.code(username))
        self.page.get_by_role("main").get_by_role("button", name="Log in").click()

    def _failed(self, request: Request) -> None:
        # Leaving a page ends what it was still loading.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")
