"""What the revocator keeps of each watched version, and when it is asked about: pages of versions that share a source.

Pure bookkeeping: no calls, no threads, no store. Times are in ns of `age_ns`.
"""

import heapq
import random
from dataclasses import dataclass, field

from hsm import standings as st
from hsm.clock import NANO
from hsm.revocation_sources import Outcome, Source, Subject

LEAST_GAP = NANO // 5
"""Between two calls about the same page that are not on schedule."""
FAILED_GAP = NANO
LONGEST_RETRY = 60 * NANO


@dataclass(slots=True, eq=False)
class Watched:
    """One version of a key, and what its sources last said."""

    path: str
    place: int
    subject: Subject
    watches: list["Watch"] = field(default_factory=list)
    logged: bool = False
    """Whether the log says that it is suspended."""

    @property
    def good_until(self) -> int:
        first = self.watches[0]  # mostly there is no other, and this is asked for each of a hundred thousand
        return first.good_until if len(self.watches) == 1 else min(one.good_until for one in self.watches)

    @property
    def calls(self) -> int:
        return self.watches[0].calls if len(self.watches) == 1 else sum(one.calls for one in self.watches)


@dataclass(slots=True, eq=False)
class Watch:
    """One source's word on one version: its last answer, and what came of the last call. In unix seconds, when."""

    watched: Watched
    source: Source
    page: "Page"
    good_until: int = 0
    calls: int = 0
    why: int = st.UNCHECKED
    said: str = ""
    answer: str = ""
    answered_at: int = 0
    checked: int = 0
    failure: str = ""


@dataclass(slots=True, eq=False)
class Page:
    """Versions that are asked about in one call."""

    source: Source
    watches: list[Watch] = field(default_factory=list)
    due: int = 0
    asked_at: int = 0
    seconds: float = 0.0
    failures: int = 0
    under_way: bool = False
    again: bool = False


class Pages:
    """All pages, and which is due next."""

    def __init__(self) -> None:
        self._by_group: dict[object, list[Page]] = {}
        self._due: list[tuple[int, int, Page]] = []
        self._numbers = 0

    def add(self, watched: Watched, source: Source, now: int) -> None:
        """Put a version on a page that is about to be asked about, or on one of its own; due at once."""
        pages = self._by_group.setdefault(source.group, [])
        page = next((one for one in pages[-2:] if _has_room(one, now)), None)
        if page is None:
            page = Page(pages[0].source if pages else source)
            pages.append(page)
            self._put(page, now)
        watch = Watch(watched, page.source, page)
        page.watches.append(watch)
        watched.watches.append(watch)

    def remove(self, watched: Watched) -> None:
        for watch in watched.watches:
            watch.page.watches.remove(watch)
            if not watch.page.watches:
                self._drop(watch.page)

    def next_due(self) -> int | None:
        while self._due and self._due[0][2].due != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def take(self, now: int) -> Page | None:
        """The next page that is due, with others of its group that soon would be; it is under way from here on."""
        while (due := self.next_due()) is not None and due <= now:
            page = heapq.heappop(self._due)[2]
            if page.watches and not page.under_way:
                self._merge(page, now)
                page.under_way, page.asked_at = True, now
                return page
        return None

    def hurry(self, page: Page, now: int) -> None:
        """Have a page asked about now, unless that was only just done."""
        if page.under_way:
            page.again = True
            return
        earliest = page.asked_at + (FAILED_GAP if page.failures else LEAST_GAP)
        if page.due > max(now, earliest):
            self._put(page, max(now, earliest))

    def back(self, page: Page, outcomes: list[Outcome | None] | None, now: int) -> None:
        """A call has ended; without outcomes it failed. Says when the page is due again."""
        page.under_way = False
        every = page.source.every * NANO
        if outcomes is None:
            page.failures += 1
            wait = max(NANO // 4, min(NANO << min(page.failures - 1, 10), every // 2, LONGEST_RETRY))
            self._put(page, now + wait)
        else:
            page.failures = 0
            holds = [one.good_until - page.asked_at for one in outcomes if one is not None and one.good_until]
            self._put(page, page.asked_at + int(min([*holds, every]) * random.uniform(0.5, 0.75)))  # noqa: S311
        if page.again:
            page.again = False
            self.hurry(page, now)

    def _put(self, page: Page, due: int) -> None:
        page.due = due
        self._numbers += 1
        heapq.heappush(self._due, (due, self._numbers, page))

    def _merge(self, page: Page, now: int) -> None:
        """Take in pages of the group that are due within a quarter of the interval: many versions, few calls."""
        soon = now + page.source.every * NANO // 4
        for other in list(self._by_group.get(page.source.group, [])):
            fits = len(other.watches) + len(page.watches) <= page.source.most
            if other is not page and fits and not other.under_way and other.due <= soon and not other.failures:
                for watch in other.watches:
                    watch.page = page
                page.watches += other.watches
                other.watches = []
                self._drop(other)

    def _drop(self, page: Page) -> None:
        group = self._by_group[page.source.group]
        group.remove(page)
        if not group:
            del self._by_group[page.source.group]


def _has_room(page: Page, now: int) -> bool:
    return not page.under_way and page.due <= now and len(page.watches) < page.source.most
