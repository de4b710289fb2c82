"""The log of the world on the officers' page: looked through by kind, officer, outcome and time."""

import re
from typing import Any

import pytest

from tests.support.officers import Officer
from tests.support.pages import Visitor, as_role, text
from tests.support.portal import Organisation


@pytest.fixture(scope="module")
def support(acme: Organisation, officers: dict[str, Officer]) -> Visitor:
    return as_role(acme.tenant, "support")


@pytest.fixture(autouse=True)
def copied(action: dict[str, Any]) -> None:
    """Something that an officer has done is in the copy."""
    from portal.audit.services import copy_log

    copy_log(wait=True)


def events(page: str) -> set[str]:
    return set(re.findall(r'data-label="Event"><span>([\w:-]+)', page))


def test_entries_are_found_by_kind(support: Visitor) -> None:
    everything = events(text(support.get("/officer/log/")))
    assert len(everything) > 1
    (one, *_) = sorted(everything)
    page = text(support.get(f"/officer/log/?event={one}"))
    assert events(page) == {one}
    assert f'<option value="{one}" selected>' in page


def test_entries_are_found_by_an_officers_name_or_card(support: Visitor, officers: dict[str, Officer]) -> None:
    card = officers["partition1"].card.fingerprint
    by_name = text(support.get("/officer/log/?principal=partition1"))
    assert set(re.findall(r'data-label="Who"><span title="([^"]+)"', by_name)) == {card}
    assert events(text(support.get(f"/officer/log/?principal={card}"))) == events(by_name)
    assert '<option value="partition1"></option>' in by_name
    assert "Nothing is like that" in text(support.get("/officer/log/?principal=nobody"))


def test_entries_are_found_by_outcome_and_time(support: Visitor) -> None:
    results = re.findall(
        r'data-label="Result"><span class="state \w*">([^<]+)', text(support.get("/officer/log/?outcome=done"))
    )
    assert set(results) == {"ok"}
    assert "Nothing is like that" in text(support.get("/officer/log/?until=2000-01-01T00:00"))
    assert events(text(support.get("/officer/log/?since=2000-01-01T00:00")))
    assert "valid date/time" in text(support.get("/officer/log/?since=yesterday"))


def test_older_entries_keep_what_is_looked_for(support: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.audit import selectors

    newest = selectors.newest_of_world
    monkeypatch.setattr(selectors, "newest_of_world", lambda **wanted: newest(**wanted, limit=1))
    page = text(support.get("/officer/log/?outcome=done"))
    older = re.search(r'href="(\?[^"]+before=\d+)" rel="next"', page)
    assert older is not None
    assert "outcome=done" in older.group(1)
    assert events(text(support.get(f"/officer/log/{older.group(1)}")))
