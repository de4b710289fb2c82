"""What many rows cost: one connection's signatures with few keys or tenants known to the portal, then with very many.

The rows are made in bulk in the database of a stack of their own; only the key that is used is in the device.
"""

from collections.abc import Callable

import psycopg
from psycopg import sql

from bench import rest
from bench.measure import Figure, compare
from bench.rig import Rig, stack
from stack import postgres
from stack.layout import State

COLUMNS = """
    SELECT column_name FROM information_schema.columns
    WHERE table_name = 'tee_key' AND column_name NOT IN ('id', 'key_id', 'name')
"""
KEYS = """
    INSERT INTO tee_key (key_id, name, {columns}) SELECT 'key_' || md5(n::text), 'many-' || n, {columns}
    FROM (SELECT * FROM tee_key WHERE key_id = %s) one, generate_series(1, 1000000) n
"""
TENANTS = [
    """INSERT INTO tenants_tenant (slug, name, status, created)
        SELECT 'many-' || n, 'Many', 'active', now() FROM generate_series(1, 10000) n""",
    """INSERT INTO tenants_user (username, password, kind, is_active, created)
        SELECT 'cl_' || slug, '!', 'service', true, now() FROM tenants_tenant WHERE slug LIKE 'many-%'""",
    """INSERT INTO tenants_membership (user_id, tenant_id, role, email)
        SELECT u.id, t.id, 'client', '' FROM tenants_tenant t JOIN tenants_user u ON u.username = 'cl_' || t.slug""",
    """INSERT INTO knox_authtoken (digest, token_key, user_id, created, expiry)
        SELECT encode(sha512(username::bytea), 'hex'), left(md5(username), 15), id, now(), now() + interval '1 day'
        FROM tenants_user WHERE username LIKE 'cl_many-%'""",
]


def keys(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    """A million keys of the tenant's against ten or so."""

    def grow(connection: psycopg.Connection, grown: Rig) -> None:
        columns = sql.SQL(", ").join(sql.Identifier(name) for (name,) in connection.execute(COLUMNS))
        connection.execute(sql.SQL(KEYS).format(columns=columns), [grown.token_keys["p256"].key_id])
        connection.execute("ANALYZE tee_key")

    return _grown(rig, name, runs, seconds, grow)


def tenants(rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    """Ten thousand tenants, each with a client and its token, against two."""

    def grow(connection: psycopg.Connection, grown: Rig) -> None:
        for statement in TENANTS:
            connection.execute(statement)

    return _grown(rig, name, runs, seconds, grow)


def _grown(rig: Rig, name: str, runs: int, seconds: float, grow: Callable[[psycopg.Connection, Rig], None]) -> Figure:
    with stack() as grown:
        with psycopg.connect(postgres.database_url(State(grown.state), "postgres"), autocommit=True) as connection:
            grow(connection, grown)
        return compare(
            name=name,
            ours=rest.rate(rest.ours(grown, rest.SIGN_P256, 1)),
            yardstick=rest.rate(rest.ours(rig, rest.SIGN_P256, 1)),
            runs=runs,
            seconds=seconds,
            note="wrk, 1 connection; two stacks, in turn: one with as many, one with as few",
        )
