"""Vectors that others made, through import and operation over the API of a running stack (docs/mechanisms.md)."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.known_answers import Bench, Case, Check
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def bench(stack: Stack) -> Iterator[Bench]:
    """Acme's keys, and its API client, which may do everything with them."""
    tenant = stack.tenant("acme")
    made = Bench(tenant, tenant.home.token())
    yield made
    made.close()


@pytest.fixture
def check(bench: Bench) -> Check:
    """Every vector has the answer that is expected of it, and among these are right ones and wrong ones."""

    def holds(cases: list[Case]) -> None:
        wrong = [
            (case.where, case.expected, answer)
            for case, answer in zip(cases, bench.answers(cases), strict=True)
            if answer != case.expected
        ]
        assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong[:5]}"
        assert any(case.good for case in cases)
        assert not all(case.good for case in cases)

    return holds


@pytest.fixture(autouse=True)
def _all_that_is_named_has_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test says it has vectors for was imported and used: with right ones, and with wrong ones.

    `vectors(…)` names mechanisms with both, `wrong_vectors(…)` those with wrong ones alone.
    """
    both = {one for mark in request.node.iter_markers("vectors") for one in mark.args}
    wrong = {one for mark in request.node.iter_markers("wrong_vectors") for one in mark.args}
    if not both | wrong:
        yield
        return
    bench: Bench = request.getfixturevalue("bench")
    before = Counter(bench.ran)
    yield
    ran = bench.ran - before
    wanted = {(one, good) for one in both for good in (True, False)} | {(one, False) for one in wrong}
    assert wanted <= set(ran), f"nothing ran of {wanted - set(ran)}"
    assert {one for one, good in ran if good} <= both, "with right ones, and not named"
