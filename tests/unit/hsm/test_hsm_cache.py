"""What a worker keeps at hand: never more than its bound, the most recently used, and never what has changed since."""

from pathlib import Path

import pytest

from hsm.keytree import KeyTree
from hsm.loaded_keys import Cache
from hsm.records import Records
from hsm.shared import Generations
from hsm.store import Store


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Store(tmp_path / "store.db"), KeyTree(bytes(32), bytes(32)), Generations())


def test_together_they_weigh_no_more_than_allowed_and_the_least_used_goes_first(records: Records) -> None:
    cache, loaded = Cache(records, 10, len), []

    def get(path: str) -> str:
        return cache.get(path, lambda: loaded.append(path) or path * 4)  # type: ignore[func-returns-value]

    for path in "abacaba":  # four each: two fit
        assert get(path) == path * 4
    assert loaded == ["a", "b", "c", "b"]
    # One that is heavier than the whole is used, and leaves no room for another.
    assert cache.get("long", lambda: "x" * 11) == "x" * 11
    assert [get("a"), get("b"), get("a")] == ["aaaa", "bbbb", "aaaa"]
    assert loaded[4:] == ["a", "b"]


def test_a_value_whose_record_has_changed_is_loaded_again_also_if_it_changes_meanwhile(records: Records) -> None:
    cache, found = Cache(records, 10, lambda _: 1), iter(range(9))

    def load() -> int:
        value = next(found)
        if value == 1:
            records.generations.moved("a")  # behind the back of whoever reads it now
        return value

    assert [cache.get("a", load) for _ in range(2)] == [0, 0]
    records.generations.moved("a")
    assert [cache.get("a", load) for _ in range(3)] == [1, 2, 2]
    cache.drop("a")
    assert cache.get("a", load) == 3
