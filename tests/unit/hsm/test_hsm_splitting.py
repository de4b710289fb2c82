"""Any K officers' parts join, fewer never do, and a wrong part gives nothing."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm import splitting
from tests.support.refusals import refused

WORLD = "wd_1"
SECRET = bytes(range(32))


@st.composite
def splits(draw: st.DrawFn) -> tuple[dict[str, str], int, list[str]]:
    """(officer by card, K, some cards): up to seven cards of up to five officers."""
    officers = draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=7))
    names = {f"card{n}": name for n, name in enumerate(officers)}
    threshold = draw(st.integers(1, len(set(officers))))
    return names, threshold, draw(st.lists(st.sampled_from(sorted(names)), unique=True))


@settings(max_examples=150, deadline=None)
@given(splits())
def test_k_distinct_officers_join_and_fewer_never(case: tuple[dict[str, str], int, list[str]]) -> None:
    names, threshold, chosen = case
    parts, wraps = splitting.split(SECRET, names, threshold, WORLD)
    given_ = {card: parts[card] for card in chosen}
    if len({names[card] for card in chosen}) >= threshold:
        assert splitting.join(given_, names, threshold, wraps, WORLD) == SECRET
    else:
        with refused("quorum-not-met"):
            splitting.join(given_, names, threshold, wraps, WORLD)


@given(st.integers(2, 4))
def test_fewer_parts_do_not_open_a_wrap_even_with_guesses_for_the_others(threshold: int) -> None:
    names = {f"card{n}": str(n) for n in range(4)}
    parts, wraps = splitting.split(SECRET, names, threshold, WORLD)
    known = sorted(names)[: threshold - 1]
    guessed = {card: parts[card] if card in known else os.urandom(32) for card in names}
    with refused("unseal-part-refused"):
        splitting.join(guessed, names, threshold, wraps, WORLD)


def test_parts_of_another_world_or_another_split_do_not_join() -> None:
    names = {"card0": "a", "card1": "b", "card2": "c"}
    parts, wraps = splitting.split(SECRET, names, 2, WORLD)
    others, _ = splitting.split(SECRET, names, 2, WORLD)
    with refused("unseal-part-refused"):
        splitting.join(parts, names, 2, wraps, "wd_2")
    with refused("unseal-part-refused"):
        splitting.join(parts | {"card0": others["card0"]}, names, 2, wraps, WORLD)
    exchanged = parts | {"card0": parts["card1"], "card1": parts["card0"]}
    with refused("unseal-part-refused"):
        splitting.join(exchanged, names, 2, wraps, WORLD)


def test_no_wrap_holds_two_cards_of_one_officer_and_none_holds_the_secret() -> None:
    names = {"card0": "a", "card1": "a", "card2": "b", "card3": "c"}
    parts, wraps = splitting.split(SECRET, names, 2, WORLD)
    assert set(wraps) == {"card0+card2", "card0+card3", "card1+card2", "card1+card3", "card2+card3"}
    assert all(SECRET not in one for one in (*wraps.values(), *parts.values()))
    assert len(set(parts.values())) == 4


def test_a_commitment_tells_one_part_of_one_card_of_one_world() -> None:
    part = os.urandom(32)
    made = {
        splitting.commitment(part, "card0", WORLD),
        splitting.commitment(part, "card1", WORLD),
        splitting.commitment(part, "card0", "wd_2"),
        splitting.commitment(os.urandom(32), "card0", WORLD),
    }
    assert len(made) == 4


def test_too_many_sets_are_refused_before_they_are_made() -> None:
    names = {f"card{n}": str(n) for n in range(40)}
    with refused("quorum-rule-refused"):
        splitting.split(SECRET, names, 20, WORLD)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_one_of_n_and_n_of_n(count: int) -> None:
    names = {f"card{n}": str(n) for n in range(count)}
    for threshold in (1, count):
        parts, wraps = splitting.split(SECRET, names, threshold, WORLD)
        assert splitting.join(parts, names, threshold, wraps, WORLD) == SECRET
