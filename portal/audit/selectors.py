"""Reads of the log's copy and of the portal's own events."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec
from django.db.models import QuerySet
from django.utils import timezone

from portal.audit.models import LaneCursor, LogEntry, PortalEvent
from portal.audit.tags import EventTag
from strongroom.protocol.log import WORLD_LOG, Entry
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope

ALIAS = "provider"


@dataclass(frozen=True)
class Page:
    """Some decoded entries, newest first, and where the next older page begins (None: this is the oldest)."""

    entries: list[Entry]
    older: int | None


def lane_entries(*, tenant: Tenant, partition: Partition, lane: str, after: int, limit: int) -> list[LogEntry]:
    """Entries of a partition in order: of one lane those after number `after`, or of all lanes without `lane`."""
    with tenant_scope(tenant):
        entries = LogEntry.objects.filter(tenant=tenant, partition=partition.partition_id, n__gt=after)
        if lane:
            entries = entries.filter(lane=lane)
        return list(entries.order_by("lane", "n")[:limit])


def lanes(*, tenant: Tenant, partition: Partition) -> list[str]:
    """The lanes on which a partition has entries."""
    with tenant_scope(tenant):
        entries = LogEntry.objects.filter(tenant=tenant, partition=partition.partition_id)
        return list(entries.order_by("lane").values_list("lane", flat=True).distinct())


def world_entries(*, lane: str, after: int, limit: int) -> list[LogEntry]:
    """As `lane_entries`, of the world's own log: what belongs to no customer's partition."""
    entries = LogEntry.objects.using(ALIAS).filter(partition=WORLD_LOG, n__gt=after)
    if lane:
        entries = entries.filter(lane=lane)
    return list(entries.order_by("lane", "n")[:limit])


def newest(*, tenant: Tenant, before: int | None = None, limit: int = 100) -> Page:
    """A page of a tenant's log for people to read."""
    with tenant_scope(tenant):
        return _page(LogEntry.objects.filter(tenant=tenant), before, limit)


def newest_of_world(*, before: int | None = None, limit: int = 100) -> Page:
    """A page of the world's own log: what belongs to no customer's partition."""
    return _page(LogEntry.objects.using(ALIAS).filter(partition=WORLD_LOG), before, limit)


def count(*, tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return LogEntry.objects.filter(tenant=tenant).count()


def events(*, tenant: Tenant, limit: int = 50) -> list[PortalEvent]:
    """The newest events of the portal that concern a tenant."""
    with tenant_scope(tenant):
        return list(PortalEvent.objects.filter(tenant=tenant)[:limit])


def revoked_of_late(*, tenant: Tenant, limit: int = 5) -> list[PortalEvent]:
    """The newest notices of keys that were revoked in the last week."""
    since = timezone.now() - timedelta(days=7)
    with tenant_scope(tenant):
        notices = PortalEvent.objects.filter(tenant=tenant, tag=EventTag.DEVICE_KEY_REVOKED, time__gt=since)
        return list(notices[:limit])


def events_of_provider(*, limit: int = 50) -> list[PortalEvent]:
    """The newest events of the portal, whomever they concern."""
    return list(PortalEvent.objects.using(ALIAS).select_related("tenant")[:limit])


def copy_lag() -> timedelta | None:
    """How old the oldest lane's copy may be: since when a lane has not been read to its end. None before any copy."""
    marks = list(LaneCursor.objects.using(ALIAS).values_list("caught_up", flat=True))
    if not marks or None in marks:
        return None
    return timezone.now() - min(mark for mark in marks if mark is not None)


def _page(entries: QuerySet[LogEntry], before: int | None, limit: int) -> Page:
    if before is not None:
        entries = entries.filter(pk__lt=before)
    rows = list(entries.order_by("-pk")[: limit + 1])
    shown = rows[:limit]
    older = shown[-1].pk if len(rows) > limit else None
    return Page([msgspec.json.decode(bytes(row.entry), type=Entry) for row in shown], older)
