"""Until when a watched version may be used: nothing before its first answer, and nothing once an answer has run out."""

import pytest

from hsm import standings as st
from hsm.clock import NANO, age_ns
from hsm.preparing import while_in_force
from hsm.standings import Standings
from strongroom.protocol.errors import Refused
from tests.support.refusals import refused

PATH = "partitions/pt_1/keys/key_1/1"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Standings:
    monkeypatch.setattr(st, "WAIT_SECONDS", 0.05)
    return Standings()


def test_what_was_never_answered_may_not_be_used(table: Standings) -> None:
    with refused("key-suspended"):
        table.of(PATH).check()


def test_a_good_answer_holds_until_its_moment_and_a_worse_one_ends_it_at_once(table: Standings) -> None:
    early = table.of(PATH)
    place = table.add(PATH)
    table.set(place, age_ns() + 3600 * NANO, 1, st.UNCHECKED)
    late = table.of(PATH)
    early.check()
    late.check()
    table.set(place, 0, 2, st.SUSPENDED)
    for one in (early, late):
        with pytest.raises(Refused, match="suspended it"):
            one.check()
    table.set(place, age_ns() - 1, 3, st.UNCHECKED)
    with refused("key-suspended"):
        late.check()


def test_each_version_has_its_own_place_also_where_they_meet(table: Standings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "SLOTS", 8)
    places = {table.add(f"{PATH}{n}"): f"{PATH}{n}" for n in range(8)}
    assert len(places) == 8
    assert {table.find(path): path for path in places.values()} == places
    assert table.add(f"{PATH}3") == table.find(f"{PATH}3")


def test_who_made_an_operation_wait_in_vain_is_not_waited_for_again(
    table: Standings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr(st, "WAIT_SECONDS", 0.001)
    table.add(PATH)
    for _ in range(2):
        with refused("key-suspended"):
            table.of(PATH).check()
    first = len(waited)
    with refused("key-suspended"):
        table.of(PATH + "2").check()
    assert first >= 1
    assert len(waited) == first


def test_what_cannot_be_told_is_not_forgotten(table: Standings) -> None:
    assert not table.overflowed()
    for n in range(20_000):
        table.changed(f"{PATH}{n}" + "x" * 100)
    assert table.overflowed()
    assert not table.overflowed()


def test_before_each_item_of_a_batch_it_is_looked_at_again(table: Standings) -> None:
    class Loaded:
        standing = table.of(PATH)

    place = table.add(PATH)
    table.set(place, age_ns() + 3600 * NANO, 1, st.UNCHECKED)
    run = while_in_force(lambda payload, _signature, _aad: payload, Loaded(), None)  # type: ignore[arg-type]
    assert run(b"first", b"", b"") == b"first"
    table.set(place, 0, 2, st.REVOKED)
    with pytest.raises(Refused, match="revoked"):
        run(b"second", b"", b"")
