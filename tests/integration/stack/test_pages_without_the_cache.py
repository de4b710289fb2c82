"""The cache does not answer: who is logged in goes on, nobody is let in uncounted, people read what to do."""

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.support.addresses import addresses
from tests.support.session import Session
from tests.support.stack import Stack, running_stack

SENTENCE = "A part that this needs does not answer."


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of these tests' own, beside the one that the others share."""
    with running_stack() as running:
        yield running


@pytest.fixture(scope="module")
def inside(own: Stack) -> Iterator[dict[str, Session]]:
    """Who has logged in before: Alice, and a partition officer."""
    with Session(own) as alice, Session(own) as officer:
        alice.log_in(own.people.admins["acme"].username)
        officer.log_in("partition3")
        yield {"owner": alice, "partition": officer}


@pytest.fixture
def away(own: Stack, inside: dict[str, Session]) -> Iterator[None]:
    """Valkey takes connections and says nothing: killed, it would be there again at once."""
    pid = own.run.processes["valkey"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_nobody_logs_in_uncounted_and_the_page_says_what_to_do(own: Stack, away: None) -> None:
    alice = own.people.admins["acme"]
    right = (alice.password, own.code(alice.username))
    with Session(own) as late:
        # Not with what is right either, however often it is tried.
        for password, code in (*[("wrong", "000000")] * 6, right):
            answer = late.try_login(alice.username, password, code)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert SENTENCE in answer.text
            assert "Load this page again in a minute" in answer.text
        assert late.get("/").headers["location"] == "/login/?next=/"
    login = {"username": alice.username, "password": alice.password, "otp": right[1]}
    told = httpx.post(f"{own.url}/api/v1/login", json=login, timeout=60)
    assert (told.status_code, told.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("role", ["owner", "partition"])
def test_who_is_logged_in_goes_on_reading(inside: dict[str, Session], role: str, away: None) -> None:
    plain = [one for one in addresses(role) if "{" not in one]
    statuses = {one: inside[role].get(one).status_code for one in plain}
    assert len(statuses) > 8
    assert {one: status for one, status in statuses.items() if status not in (200, 302)} == {}


def test_afterwards_everybody_is_let_in_again(own: Stack) -> None:
    with Session(own) as late:
        late.log_in(own.people.admins["acme"].username)
        assert late.get("/keys/").status_code == 200
