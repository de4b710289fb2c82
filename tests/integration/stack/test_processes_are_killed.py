"""kill -9 of anything: what dies is started again, and a killed supervisor is in nobody's way."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from stack import lifecycle
from stack.processes import alive, marked
from strongroom.client.operations import operate
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tests.support.stack import Stack, running_stack

SERVICES = ["postgres", "valkey", "manufacturer", "validator", "hsm", "web", "web-tls", "worker", "bulk-worker", "beat"]


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of these tests' own, beside the one that the others share."""
    with running_stack() as running:
        acme = running.tenant("acme")
        acme.import_key("kept", secrets.token_bytes(32), usages=[Usage.HASH])
        yield running


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "not within 30 s"
        time.sleep(0.1)


def key_is_usable(stack: Stack) -> bool:
    """Whether an operation succeeds; while a part is away, it is refused as something to be tried again."""
    with stack.tenant("acme").connect() as connection:
        try:
            outcome = operate(connection, Usage.HASH, "kept", b"message", now=int(time.time()))
        except Refused as refusal:
            if refusal.problem.status != 503:
                raise
            return False
        return len(outcome.result) == 32


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_is_started_again_and_the_key_is_usable(own: Stack, name: str) -> None:
    before = own.run.processes[name]
    kill(before.pid)
    wait_until(lambda: own.run.processes.get(name) not in (before, None) and alive(own.run.processes[name]))
    wait_until(lambda: key_is_usable(own))
    assert own.access["processes"][name] == own.run.processes[name].pid


def test_after_a_killed_supervisor_the_next_start_finds_everything_as_it_was(own: Stack) -> None:
    partition = own.tenant("acme").home.partition()
    left = list(own.run.processes.values())
    kill(own.run.supervisor.pid)
    second = lifecycle.start(own.state, port=0, log=True)
    try:
        assert not any(alive(one) for one in left)
        assert own.tenant("acme").home.partition() == partition
        assert key_is_usable(own)
    finally:
        lifecycle.stop(second)
    assert marked(str(own.state.runtime)) == []
    assert not own.state.access_file.exists()
