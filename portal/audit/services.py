"""Copying the TEE's log into the database: in bulk, off the path of operations, each entry exactly once."""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any, LiteralString

import msgspec
import psycopg
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from portal.audit.models import LaneCursor
from portal.audit.notices import tell_tenants
from portal.audit.selectors import ALIAS
from strongroom.protocol.commands import (
    ListLanes,
    ListLanesReply,
    LoggedEntry,
    MakeCheckpoint,
    MakeCheckpointReply,
    ReadLane,
    ReadLaneReply,
    Status,
    StatusReply,
)
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE
from tee.drivers import secure_module
from tenants.models import Partition

logger = logging.getLogger(__name__)

BATCH = 5000
"""Entries a transaction."""

# One statement for a batch. COPY would be its own kind of fast, but PostgreSQL has none under row-level security.
# `%b`: arrays in PostgreSQL's own binary form (see `_execute`).
_INSERT = """
    INSERT INTO audit_logentry (device, lane, tenant_id, partition, n, entry, at, event, result, key, principal)
    SELECT %b, %b, tenant, partition, n, entry, to_timestamp(time), event, result, key, principal
    FROM unnest(
        %b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::bigint[], %b::text[], %b::text[], %b::text[],
        %b::text[]
    ) AS copied (tenant, partition, n, entry, time, event, result, key, principal)
"""
# In order, so that copiers of two lanes never wait for one another in a circle.
_COUNT = """
    INSERT INTO audit_activity (tenant_id, hour, key, event, ok, count)
    SELECT tenant, to_timestamp(hour * 3600), key, event, ok, count
    FROM unnest(%b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::boolean[], %b::bigint[])
        AS counted (tenant, hour, key, event, ok, count)
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, hour, key, event, ok) DO UPDATE SET count = audit_activity.count + excluded.count
"""
_USED = """
    INSERT INTO audit_lastuse (tenant_id, principal, at)
    SELECT tenant, principal, to_timestamp(time)
    FROM unnest(%b::bigint[], %b::text[], %b::bigint[]) AS used (tenant, principal, time)
    ORDER BY 1, 2
    ON CONFLICT (tenant_id, principal) DO UPDATE SET at = greatest(audit_lastuse.at, excluded.at)
"""
_ADOPT = """
    UPDATE audit_logentry AS entry SET tenant_id = partition.tenant_id
    FROM tenants_partition AS partition
    WHERE entry.tenant_id IS NULL AND entry.partition <> '' AND partition.partition_id = entry.partition
"""


class _Told(msgspec.Struct):
    """What is read out of an entry to look for it."""

    time: int
    event: str
    result: str = "ok"
    key: str = ""
    principal: str = ""


_TOLD = msgspec.json.Decoder(_Told)


def copy_log(*, wait: bool = False) -> int:
    """Copy what is new on every lane of the device; how many entries that were.

    A lane that another process is copying is left to it, or with `wait` waited for, so that afterwards everything is
    here that the device had written before the call. Raises `Refused`: `log-inconsistent` where the device gives an
    entry's place to another entry, `hsm-sealed`, `hsm-unreachable`.
    """
    module = secure_module()
    device = module.call(Status(), StatusReply).device
    copied = 0
    inconsistent: Refused | None = None
    for lane in module.call(ListLanes(), ListLanesReply).lanes:
        try:
            copied += _copy_lane(device, lane, wait=wait)
        except Refused as error:
            if error.code != "log-inconsistent":
                raise
            # The other lanes are copied all the same: they may be evidence.
            inconsistent = error
    _adopt_entries()
    if inconsistent is not None:
        raise inconsistent
    return copied


def signed_checkpoint(partition: str, nonce: str) -> str:
    """The device's checkpoint of a partition's log. Afterwards the copy holds all that it counts."""
    command = MakeCheckpoint(partition=partition, nonce=nonce)
    checkpoint = secure_module().call(command, MakeCheckpointReply).checkpoint
    copy_log(wait=True)
    return checkpoint


def _copy_lane(device: str, lane: str, *, wait: bool) -> int:
    """Copy one lane to its end, batch by batch."""
    LaneCursor.objects.using(ALIAS).get_or_create(device=device, lane=lane)
    copied, more = 0, True
    while more:
        count, more = _copy_batch(device, lane, wait=wait)
        copied += count
    return copied


def _copy_batch(device: str, lane: str, *, wait: bool) -> tuple[int, bool]:
    """Copy the next entries of one lane: how many, and whether there are more. (0, no) where another is at it."""
    with transaction.atomic(using=ALIAS, durable=True):
        # 1. Hold the lane: its cursor and the entries up to it are written together or not at all.
        cursors = LaneCursor.objects.using(ALIAS).filter(device=device, lane=lane)
        cursor = cursors.select_for_update(skip_locked=not wait).first()
        if cursor is None:
            return 0, False
        # 2. Read on from there.
        reply = secure_module().call(ReadLane(lane=lane, cursor=cursor.cursor, limit=BATCH), ReadLaneReply)
        # 3. Write both.
        try:
            _write(device, lane, reply.entries)
        except IntegrityError:
            logger.error("The device gave a place in lane %s of its log to another entry than before", lane)
            raise Refused("log-inconsistent", f"lane {lane} of {device}") from None
        cursor.cursor = reply.cursor
        if not reply.more:
            cursor.caught_up = timezone.now()
        cursor.save(update_fields=["cursor", "caught_up"])
    return len(reply.entries), reply.more


def _write(device: str, lane: str, entries: list[LoggedEntry]) -> None:
    if not entries:
        return
    tenants = _tenants_of(entry.partition for entry in entries)
    owners = [tenants.get(entry.partition) for entry in entries]
    told = [_TOLD.decode(entry.entry) for entry in entries]
    columns = (
        owners,
        [entry.partition for entry in entries],
        [entry.n for entry in entries],
        [entry.entry for entry in entries],
        [one.time for one in told],
        [one.event for one in told],
        [one.result for one in told],
        [one.key for one in told],
        [one.principal for one in told],
    )
    counts = Counter(
        (tenant, one.time // 3600, one.key, one.event, one.result == "ok")
        for tenant, one in zip(owners, told, strict=True)
        if tenant is not None
    )
    # Within a lane time does not go back, so that the last is the latest.
    uses = {
        (tenant, one.principal): one.time
        for tenant, one in zip(owners, told, strict=True)
        if tenant is not None and one.principal
    }
    _execute(_INSERT, [device, lane, *columns])
    if counts:
        _execute(_COUNT, _columns([(*kind, count) for kind, count in counts.items()]))
    if uses:
        _execute(_USED, _columns([(*who, when) for who, when in uses.items()]))
    if lane == ADMIN_LANE:
        tell_tenants(entries, tenants)


def _execute(statement: LiteralString, parameters: list[Any]) -> None:
    """On a cursor that sends parameters beside the statement and in binary.

    Django's own writes them into the statement as text, which for arrays of thousands takes several times as long.
    """
    connection = connections[ALIAS]
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _tenants_of(partitions: Iterable[str]) -> dict[str | None, int]:
    known = Partition.objects.using(ALIAS).filter(partition_id__in=set(partitions))
    return dict(known.values_list("partition_id", "tenant_id"))


def _adopt_entries() -> None:
    """Give entries to their tenant that were copied before the portal had recorded whose partition they are of."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_ADOPT)
