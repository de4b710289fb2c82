"""The data plane of a running stack: no database on its way, and every web process hears of what ends a token."""

import base64
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from portal.dataplane.changes import CHANNEL
from stack import postgres
from strongroom.client import account
from strongroom.protocol.mechanisms import Usage
from tests.support.stack import Stack, Tenant

CONNECTIONS = 12
ONE = {"payload": base64.b64encode(b"a contract").decode()}
SECONDS = 1.0
"""Within which a change is heeded, by what we promise."""
NAME = "data-plane"


@pytest.fixture(scope="module")
def acme(stack: Stack) -> Tenant:
    return with_key(stack.tenant("acme"))


def with_key(tenant: Tenant) -> Tenant:
    tenant.import_key(NAME, secrets.token_bytes(32), usages=[Usage.HASH], authorisation="token")
    return tenant


@contextmanager
def lines(stack: Stack, token: str) -> Iterator[list[httpx.Client]]:
    """Kept connections to the portal, which reach each of its processes; each has been used."""
    with ExitStack() as opened:
        found = [
            opened.enter_context(httpx.Client(headers={"Authorization": f"Bearer {token}"})) for _ in range(CONNECTIONS)
        ]
        assert [use(stack, one) for one in found] == [200] * CONNECTIONS
        assert min(served(stack)) > 0, "a web process has none of the connections"
        yield found


def use(stack: Stack, line: httpx.Client) -> int:
    """An operation's status."""
    return line.post(f"{stack.url}/api/v1/keys/{NAME}/hash", json=ONE).status_code


def served(stack: Stack) -> list[int]:
    """How many connections each web process has at the portal's port."""
    port = f":{int(stack.url.rpartition(':')[2]):04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "01"}
    web = stack.run.processes["web"].pid
    children = [one for one in Path("/proc").iterdir() if one.name.isdigit() and parent(one) == web]
    workers = [one for one in children if b"resource_tracker" not in (one / "cmdline").read_bytes()]
    return [len(established & {os.readlink(fd) for fd in (one / "fd").iterdir()}) for one in workers]


def parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def refused_everywhere(stack: Stack, found: list[httpx.Client], since: float) -> None:
    """Whether every process refuses by now, or within what is left of the second."""
    open_still = list(found)
    while open_still:
        open_still = [one for one in open_still if use(stack, one) != 401]
        assert not open_still or time.monotonic() - since < SECONDS, f"{len(open_still)} connections are served still"


@contextmanager
def database(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.database_url(stack.state, "postgres"), autocommit=True) as connection:
        yield connection


def revoke_token(tenant: Tenant, client: str, token: account.Token) -> None:
    with tenant.connect("person") as connection:
        account.revoke_token(connection, client, token.token_key)


def remove_client(tenant: Tenant, client: str, token: account.Token) -> None:
    with tenant.connect("person") as connection:
        account.revoke_client(connection, client)


def cut_and_revoke(tenant: Tenant, client: str, token: account.Token) -> None:
    """The notice itself gets lost: the channels of all processes are cut in the moment of the change."""
    with database(tenant.stack) as connection, tenant.connect("person") as person:
        cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s"
        row = connection.execute(cut, [CHANNEL]).fetchone()
        assert row is not None
        assert row[0] >= 2
        account.revoke_token(person, client, token.token_key)


@pytest.mark.parametrize("end", [revoke_token, remove_client, cut_and_revoke])
def test_what_is_ended_is_refused_by_every_process_within_a_second(
    stack: Stack, acme: Tenant, end: Callable[[Tenant, str, account.Token], None]
) -> None:
    client, token = acme.new_client_and_token(f"ended by {end.__name__}")
    with lines(stack, token.token) as found:
        end(acme, client, token)
        refused_everywhere(stack, found, time.monotonic())


def test_a_suspended_tenant_is_refused_by_every_process_within_a_second_and_served_again(stack: Stack) -> None:
    globex = with_key(stack.tenant("globex"))
    change = "UPDATE tenants_tenant SET status = %s WHERE slug = 'globex'"
    with database(stack) as connection, lines(stack, globex.new_client("suspended with its tenant")) as found:
        connection.execute(change, ["suspended"])
        try:
            refused_everywhere(stack, found, time.monotonic())
        finally:
            connection.execute(change, ["active"])
        time.sleep(SECONDS)
        assert [use(stack, one) for one in found] == [200] * CONNECTIONS


READ_AND_WRITTEN = """
    SELECT coalesce(sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del), 0)
    FROM pg_stat_user_tables WHERE relname LIKE 'knox\\_%%' OR relname IN ('tenants_user', 'tenants_membership')
"""
TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


def counted(connection: psycopg.Connection, query: str) -> int:
    time.sleep(1.5)  # a server process tells of its work at most so long after it
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_an_operation_reads_and_writes_nothing_in_the_database(stack: Stack, acme: Tenant) -> None:
    token = acme.new_client("reads nothing")
    with database(stack) as connection:
        cold = counted(connection, READ_AND_WRITTEN)
        with lines(stack, token) as found:
            for one in found:
                use(stack, one)
            tables, transactions = counted(connection, READ_AND_WRITTEN), counted(connection, TRANSACTIONS)
            assert tables > cold, "the counters count nothing"
            started = time.monotonic()
            for _ in range(50):
                assert {use(stack, one) for one in found} == {200}
            seconds = time.monotonic() - started
            # What is left are heartbeats, the copier of the log, and a look now and then at who is to be told of what:
            # so many a second, however many operations.
            for query, before in ((READ_AND_WRITTEN, tables), (TRANSACTIONS, transactions)):
                rate = (counted(connection, query) - before) / (seconds + 4.5)
                assert rate * seconds < 50 * CONNECTIONS / 4
