"""Vectors that others made, through import and operation over the API of a running stack (docs/mechanisms.md)."""

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
