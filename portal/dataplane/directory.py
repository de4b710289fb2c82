"""From a token to its API client, and from a key's name to where it is: remembered until something changes."""

import hashlib
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from portal.dataplane.changes import Changes, NewKey
from strongroom.protocol.access import client_principal
from strongroom.protocol.errors import Refused
from tenants.authentication import SUSPENDED
from tenants.quotas import Quota, quota_of

V = TypeVar("V")

REMEMBERED = 100_000
UNKNOWN_SECONDS = 1.0
"""So long an unknown token or key is taken for unknown without asking again."""

FIND_CLIENT = """
    SELECT t.expiry, u.kind, u.username, m.tenant_id, n.status,
        n.requests_a_minute, n.items_a_minute, m.requests_a_minute, m.items_a_minute
    FROM knox_authtoken t
    JOIN tenants_user u ON u.id = t.user_id AND u.is_active
    LEFT JOIN tenants_membership m ON m.user_id = u.id
    LEFT JOIN tenants_tenant n ON n.id = m.tenant_id
    WHERE t.digest = %s AND (n.id IS NULL OR n.status IN ('active', 'suspended'))
"""
FIND_KEY = """
    SELECT k.key_id, p.partition_id
    FROM tee_key k JOIN tenants_partition p ON p.id = k.partition_id
    WHERE k.tenant_id = %(tenant)s AND (k.key_id = %(reference)s OR k.name = %(reference)s)
    GROUP BY k.key_id, p.partition_id
    ORDER BY k.key_id = %(reference)s DESC
    LIMIT 2
"""


@dataclass(frozen=True, slots=True)
class Client:
    """An API client, as the TEE's access lists name it."""

    principal: str
    tenant: int
    expiry: float
    suspended: bool
    quota: Quota


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """A key's id and the partition that it is in."""

    key_id: str
    partition: str


class Memory(Generic[V]):
    """Values of one generation of `Changes`. What is loaded while a change arrives is used once and not kept."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._generation = -1
        self._forgotten = 0
        self._forgetting = threading.Lock()
        self._values: dict[Hashable, V] = {}
        self._unknown: dict[Hashable, float] = {}

    def get(self, key: Hashable, load: Callable[[], V | None]) -> V | None:
        """The value of `key`, by `load` where it is not remembered or memory cannot be trusted now."""
        generation = self._changes.generation
        if not self._changes.heard():
            self._changes.start()
            return load()
        if self._generation != generation or len(self._values) + len(self._unknown) > REMEMBERED:
            self._values, self._unknown, self._generation = {}, {}, generation
        values, unknown = self._values, self._unknown
        found = values.get(key)
        if found is not None:
            return found
        if unknown.get(key, 0.0) > time.monotonic():
            return None
        forgotten = self._forgotten
        found = load()
        # These dictionaries are dropped with their generation, so a value that came too late goes with them.
        with self._forgetting:
            if self._changes.generation == generation and self._forgotten == forgotten:
                if found is None:
                    unknown[key] = time.monotonic() + UNKNOWN_SECONDS
                else:
                    values[key] = found
        return found

    def forget(self, *keys: Hashable) -> None:
        """These may be others now; nor is kept what is being loaded."""
        with self._forgetting:
            self._forgotten += 1
            for key in keys:
                self._values.pop(key, None)
                self._unknown.pop(key, None)


class Directory:
    """The two look-ups of the data plane."""

    def __init__(self, database_url: str) -> None:
        self._changes = Changes(database_url, self._added)
        self._pool = ConnectionPool(
            database_url,
            min_size=0,
            max_size=8,
            timeout=2.0,
            open=False,
            check=ConnectionPool.check_connection,
            kwargs={"autocommit": True},
        )
        self._clients: Memory[Client] = Memory(self._changes)
        self._keys: Memory[KeyPlace] = Memory(self._changes)

    def client(self, token: bytes) -> Client:
        """The API client that a token speaks for.

        Raises `Refused`: `unauthenticated`, `token-expired`, `forbidden` for a person's token. Raises `psycopg.Error`.
        """
        digest = hashlib.sha512(token).hexdigest()
        found = self._clients.get(digest, lambda: self._load_client(digest))
        if found is None:
            raise Refused("unauthenticated")
        if found.expiry <= time.time():
            raise Refused("token-expired")
        if found.suspended:
            raise Refused("unauthenticated", SUSPENDED)
        if not found.principal:
            raise Refused("forbidden", "only an API client's token may operate")
        return found

    def key(self, tenant: int, reference: str) -> KeyPlace:
        """Where a tenant's key is. Raises `Refused`: `not-found`, `conflict`. Raises `psycopg.Error`."""
        found = self._keys.get((tenant, reference), lambda: self._load_key(tenant, reference))
        if found is None:
            raise Refused("not-found", "you have no key of that name or id")
        return found

    def _added(self, key: NewKey) -> None:
        """A name that was unknown, or one key's alone, may be so no more. Other keys are where they were."""
        tenant, key_id, name = key
        self._keys.forget((tenant, key_id), (tenant, name))

    def _connection(self) -> AbstractContextManager[psycopg.Connection]:
        if self._pool.closed:  # opened in the process that serves, never before a fork
            self._pool.open()
        return self._pool.connection()

    def _load_client(self, digest: str) -> Client | None:
        with self._connection() as connection:
            row: tuple[Any, ...] | None = connection.execute(FIND_CLIENT, [digest]).fetchone()
        if row is None:
            return None
        expiry, kind, username, tenant, status, *limits = row
        is_client = kind == "service" and tenant is not None
        return Client(
            principal=client_principal(username) if is_client else "",
            tenant=tenant or 0,
            expiry=expiry.timestamp() if expiry else float("inf"),
            suspended=status == "suspended",
            quota=quota_of(
                tenant=tenant or 0, tenant_limits=tuple(limits[:2]), client=username, client_limits=tuple(limits[2:])
            ),
        )

    def _load_key(self, tenant: int, reference: str) -> KeyPlace | None:
        with self._connection() as connection, connection.transaction():
            connection.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant)])
            rows: list[tuple[Any, ...]] = connection.execute(
                FIND_KEY, {"tenant": tenant, "reference": reference}
            ).fetchall()
        if not rows:
            return None
        if len(rows) > 1 and rows[0][0] != reference:
            raise Refused("conflict", "several partitions have a key of that name: use the key's id")
        return KeyPlace(*rows[0])
