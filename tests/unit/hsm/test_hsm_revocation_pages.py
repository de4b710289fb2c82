"""Which versions are asked about together, and when: on schedule, again after failures, at once where it is asked."""

import pytest

from hsm.clock import NANO
from hsm.revocation_pages import Page, Pages, Watched
from hsm.revocation_sources import Outcome, Subject

EVERY = 8


class Source:
    """One endpoint; `group` says which."""

    every = EVERY
    most = 3
    name = "endpoint"

    def __init__(self, group: str = "one") -> None:
        self.group = group


def watched(n: int) -> Watched:
    return Watched(f"partitions/p/keys/k{n}/1", n, Subject(f"k{n}", "r"))


def good(page: Page) -> list[Outcome | None]:
    return [Outcome("active", "", page.asked_at + EVERY * NANO, "") for _ in page.watches]


def taken(pages: Pages, now: int) -> list[list[str]]:
    found = []
    while (page := pages.take(now)) is not None:
        found.append([one.watched.subject.key for one in page.watches])
    return found


@pytest.fixture
def pages() -> Pages:
    return Pages()


def test_versions_of_one_source_share_calls_and_others_do_not(pages: Pages) -> None:
    for n in range(4):
        pages.add(watched(n), Source(), 0)
    pages.add(watched(9), Source("another"), 0)  # type: ignore[arg-type]
    assert sorted(map(sorted, taken(pages, 0))) == [["k0", "k1", "k2"], ["k3"], ["k9"]]


def test_versions_that_came_one_by_one_are_asked_about_together_later(pages: Pages) -> None:
    for n in range(3):
        pages.add(watched(n), Source(), n * NANO // 10)
        page = pages.take(n * NANO // 10)
        assert page is not None
        pages.back(page, good(page), n * NANO // 10)
    assert sorted(key for page in taken(pages, EVERY * NANO) for key in page) == ["k0", "k1", "k2"]
    assert pages.next_due() is None  # one call is under way for all of them


def test_it_is_due_again_before_its_answer_runs_out_at_no_fixed_moment(pages: Pages) -> None:
    pages.add(watched(1), Source(), 0)
    dues = set()
    now = 0
    for _ in range(50):
        page = pages.take(now)
        assert page is not None
        pages.back(page, good(page), now)
        wait = page.due - now
        assert EVERY * NANO // 2 <= wait <= EVERY * NANO * 3 // 4
        dues.add(wait)
        now = page.due
    assert len(dues) > 40


def test_after_failures_it_waits_longer_each_time_up_to_half_the_interval(pages: Pages) -> None:
    pages.add(watched(1), Source(), 0)
    waits, now = [], 0
    for _ in range(5):
        page = pages.take(now)
        assert page is not None
        pages.back(page, None, now)
        waits.append((page.due - now) / NANO)
        now = page.due
    assert waits == [1, 2, 4, 4, 4]


def test_who_hurries_is_asked_at_once_but_not_all_the_time(pages: Pages) -> None:
    pages.add(watched(1), Source(), 0)
    page = pages.take(0)
    assert page is not None
    pages.hurry(page, 0)  # while a call is under way: once more after it
    pages.back(page, good(page), NANO // 100)
    assert page.due == NANO // 5
    page = pages.take(page.due)
    assert page is not None
    pages.back(page, good(page), 5 * NANO)
    pages.hurry(page, 5 * NANO)
    assert pages.take(5 * NANO) is page


def test_what_is_gone_is_asked_about_no_more(pages: Pages) -> None:
    kept, gone = watched(1), watched(2)
    for one in (kept, gone):
        pages.add(one, Source(), 0)
    pages.remove(gone)
    assert taken(pages, 0) == [["k1"]]
    pages.remove(kept)
    assert pages.next_due() is None
