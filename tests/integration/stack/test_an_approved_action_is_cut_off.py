"""kill -9 between the K-th approval and the execution: it is done once or not at all, and the portal learns which."""

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import httpx
import psycopg
import pytest

from stack import postgres
from stack.processes import alive
from strongroom.client import log
from strongroom.officer import actions
from strongroom.protocol import commands, jws
from strongroom.protocol.action_table import RotateVendorKey
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement
from tests.support.hardware import Line
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.timeout(600)

PATIENCE = 120
WEB = "web-tls"
"""The one that officers' commands speak to."""
EVENTS = "LOCK TABLE audit_portalevent IN EXCLUSIVE MODE"
"""Held, an approval is kept, and whoever kept it gets no further: it tells of that before it asks the device."""


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of these tests' own, beside the one that the others share."""
    with running_stack() as running:
        yield running


@pytest.fixture
def action(own: Stack) -> actions.OpenedAction:
    """A rotation of the vendor key that one approval is still missing from."""
    wait_until(lambda: is_operational(own))
    connection, card = own.officer("security1")
    with connection:
        made = actions.request_action(connection, card, RotateVendorKey(), int(time.time()))
    return approve(own, made, "security2")


def approve(stack: Stack, action: actions.OpenedAction, username: str) -> actions.OpenedAction:
    connection, card = stack.officer(username)
    with connection:
        return actions.approve(connection, card, action, stack.code(username), int(time.time()))


def database(stack: Stack) -> psycopg.Connection:
    return psycopg.connect(postgres.database_url(stack.state, "postgres"))


def outcome(action: actions.OpenedAction) -> str:
    """Held, the device carries the action out, and its answer cannot be recorded."""
    return f"SELECT FROM quorum_adminaction WHERE id = {int(action.id)} FOR NO KEY UPDATE"


@contextmanager
def holding(stack: Stack, locks: str) -> Iterator[None]:
    """While a transaction of the tester's has these locks."""
    with database(stack) as connection:
        connection.execute(locks)  # type: ignore[call-overload]
        yield


@contextmanager
def last_approval(stack: Stack, action: actions.OpenedAction, locks: str) -> Iterator[Future[actions.OpenedAction]]:
    """The K-th approval, given while these locks are held, and its answer, which comes afterwards."""
    connection, card = stack.officer("security3")
    code = stack.code("security3")
    with connection, ThreadPoolExecutor(1) as pool, holding(stack, locks):
        yield pool.submit(actions.approve, connection, card, action, code, int(time.time()))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
        time.sleep(0.1)


def approvals(stack: Stack, action: actions.OpenedAction) -> int:
    with database(stack) as connection:
        found = connection.execute("SELECT count(*) FROM quorum_approval WHERE action_id = %s", [action.id]).fetchone()
    return int(found[0]) if found else 0


def is_operational(stack: Stack) -> bool:
    return Line(stack.state.hsm_socket).call(commands.Status(), commands.StatusReply).state == "operational"


def vendor_keys(stack: Stack) -> list[str]:
    """Ids of those in force, by the device's own word."""
    published = Line(stack.state.hsm_socket).call(commands.PublishKeys(), commands.PublishKeysReply)
    return [jws.read_unverified(one, Endorsement).key_id for one in published.vendor_keys]


def kill(stack: Stack, name: str) -> None:
    """The process and its children, all in the same moment, and wait until it has been started again."""
    before = stack.run.processes[name]
    children = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit() and parent(one) == before.pid]
    for pid in (before.pid, *children):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.run.processes.get(name) not in (before, None) and alive(stack.run.processes[name]))
    wait_until(lambda: name != WEB or answers(stack))


def answers(stack: Stack) -> bool:
    context = ssl.create_default_context(cafile=stack.access["tls_ca"])
    try:
        return httpx.get(f"{stack.access['tls_url']}/healthz", verify=context).status_code == 200
    except httpx.RequestError:
        return False


def parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def state(stack: Stack, action: actions.OpenedAction) -> str:
    """As the portal shows it; nothing while the portal is away."""
    try:
        connection, _ = stack.officer("domain1")
        with connection:
            return actions.action(connection, str(action.id)).state
    except Refused as refusal:
        if refusal.problem.status < 500:
            raise
        return ""


def is_carried_out_once(stack: Stack, action: actions.OpenedAction, before: list[str]) -> bool:
    """Whether the portal says so, and the device's log and keys do."""
    wait_until(lambda: state(stack, action) == "executed")
    connection, _ = stack.officer("domain1")
    with connection:
        shown = actions.action(connection, str(action.id))
        verified = log.verify(connection, int(time.time()), source=log.WORLD)
    executed = [one for one in verified.decided if one.entry.digest == action.digest]
    new = set(vendor_keys(stack)) - set(before)
    with database(stack) as connected:
        query = "SELECT count(*) FROM audit_portalevent WHERE tag = %s AND details->>'digest' = %s"
        told = connected.execute(query, ["device:action:executed", action.digest]).fetchone()
    return (len(executed), new, told) == (1, {shown.result}, (1,))


def test_the_web_process_dies_before_it_has_asked_the_device_and_the_worker_as_it_records_the_answer(
    own: Stack, action: actions.OpenedAction
) -> None:
    before = vendor_keys(own)
    with holding(own, outcome(action)):
        with last_approval(own, action, EVENTS) as answer:
            wait_until(lambda: approvals(own, action) == 2)
            kill(own, WEB)
            assert answer.exception() is not None
        # The worker asks the device, of its own accord, and dies with the answer.
        wait_until(lambda: vendor_keys(own) != before)
        assert state(own, action) in ("open", "")
        kill(own, "worker")
    assert is_carried_out_once(own, action, before)


def test_the_web_process_dies_as_it_records_the_answer(own: Stack, action: actions.OpenedAction) -> None:
    before = vendor_keys(own)
    with last_approval(own, action, outcome(action)) as answer:
        wait_until(lambda: vendor_keys(own) != before)
        kill(own, WEB)
        assert answer.exception() is not None
    assert is_carried_out_once(own, action, before)


def test_the_device_dies_before_it_is_asked(own: Stack, action: actions.OpenedAction) -> None:
    before = vendor_keys(own)
    with last_approval(own, action, EVENTS) as answer:
        wait_until(lambda: approvals(own, action) == 2)
        kill(own, "hsm")
    # The approval was taken, whatever has become of the action by then.
    assert answer.result().state in ("open", "executed")
    assert is_carried_out_once(own, action, before)


def test_the_device_dies_with_the_question_unanswered(own: Stack, action: actions.OpenedAction) -> None:
    before = vendor_keys(own)
    with last_approval(own, action, EVENTS) as answer:
        wait_until(lambda: approvals(own, action) == 2)
        os.kill(own.run.processes["hsm"].pid, signal.SIGSTOP)
        # A second after the locks are gone: it is asked, and does not answer.
        Timer(1, kill, [own, "hsm"]).start()
    assert answer.result().state in ("open", "executed")
    assert is_carried_out_once(own, action, before)
