"""Reads of the log's copy and of the portal's own events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from django.db.models import Max, Q, QuerySet, Sum
from django.utils import timezone

from portal.audit.models import Activity, LaneCursor, LastUse, LogEntry, PortalEvent
from portal.audit.tags import EventTag
from strongroom.protocol.log import WORLD_LOG, Entry
from strongroom.protocol.mechanisms import Usage
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope

ALIAS = "provider"
EXPORT_BLOCK = 1000


@dataclass(frozen=True)
class Page:
    """Some decoded entries, newest first, and where the next older page begins (None: this is the oldest)."""

    entries: list[Entry]
    older: int | None


NOTHING = Page([], None)


@dataclass(frozen=True)
class Wanted:
    """Which entries or events are looked for; what is empty does not matter. `event` is a word or how it begins."""

    since: datetime | None = None
    until: datetime | None = None
    event: str = ""
    principals: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    ok: bool | None = None

    def entries(self) -> Q:
        found = Q(event__startswith=self.event) if self.event else Q()
        found &= Q(at__gte=self.since) if self.since else Q()
        found &= Q(at__lt=self.until) if self.until else Q()
        found &= Q(principal__in=self.principals) if self.principals else Q()
        found &= Q(key__in=self.keys) if self.keys else Q()
        if self.ok is None:
            return found
        return found & (Q(result="ok") if self.ok else ~Q(result="ok"))


EVERYTHING = Wanted()


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
    entries = _of_world().filter(n__gt=after)
    if lane:
        entries = entries.filter(lane=lane)
    return list(entries.order_by("lane", "n")[:limit])


def newest(*, tenant: Tenant, wanted: Wanted = EVERYTHING, before: int | None = None, limit: int = 100) -> Page:
    """A page of a tenant's log for people to read."""
    with tenant_scope(tenant):
        return _page(LogEntry.objects.filter(wanted.entries(), tenant=tenant), before, limit)


def exported(*, tenant: Tenant, wanted: Wanted) -> Iterator[LogEntry]:
    """All entries of a tenant that are wanted, oldest first, a block at a time."""
    last = 0
    while True:
        with tenant_scope(tenant):
            entries = LogEntry.objects.filter(wanted.entries(), tenant=tenant, pk__gt=last)
            block = list(entries.order_by("pk")[:EXPORT_BLOCK])
        if not block:
            return
        yield from block
        last = block[-1].pk


@dataclass(frozen=True)
class Hour:
    """How many operations were done (`ok`) or refused in an hour."""

    hour: datetime
    ok: bool
    count: int


def activity(*, tenant: Tenant, since: datetime) -> list[Hour]:
    """What was counted of a tenant's operations from that hour on, in order of time."""
    with tenant_scope(tenant):
        return _hours(Activity.objects.filter(tenant=tenant), since)


def load(*, since: datetime) -> list[Hour]:
    """What was counted of all tenants' operations together from that hour on, in order of time."""
    return _hours(Activity.objects.using(ALIAS), since)


def last_used(*, tenant: Tenant) -> dict[str, datetime]:
    """By key id the hour in which a tenant's keys were last used."""
    operations = [f"key:{usage}" for usage in Usage]
    with tenant_scope(tenant):
        used = Activity.objects.filter(tenant=tenant, event__in=operations, ok=True)
        return dict(used.values_list("key").annotate(last=Max("hour")).values_list("key", "last"))


class Busy(NamedTuple):
    """How often a key was used, and how often that was refused."""

    key: str
    uses: int
    refused: int


def busiest(*, tenant: Tenant, since: datetime, limit: int) -> list[Busy]:
    """The keys that were used the most since then."""
    operations = [f"key:{usage}" for usage in Usage]
    with tenant_scope(tenant):
        counted = Activity.objects.filter(tenant=tenant, hour__gte=since, event__in=operations).values("key")
        sums = counted.annotate(uses=Sum("count"), refused=Sum("count", filter=Q(ok=False), default=0))
        return [Busy(one["key"], one["uses"], one["refused"]) for one in sums.order_by("-uses", "key")[:limit]]


def last_uses(*, tenant: Tenant) -> dict[str, datetime]:
    """By principal when the device last did something, or refused it, for a tenant's devices and clients."""
    with tenant_scope(tenant):
        return dict(LastUse.objects.filter(tenant=tenant).values_list("principal", "at"))


def seen_events(*, tenant: Tenant) -> list[str]:
    """The kinds of events that a tenant's log has."""
    with tenant_scope(tenant):
        return list(Activity.objects.filter(tenant=tenant).order_by("event").values_list("event", flat=True).distinct())


def newest_of_world(*, wanted: Wanted = EVERYTHING, before: int | None = None, limit: int = 100) -> Page:
    """A page of the world's own log: what belongs to no customer's partition."""
    return _page(_of_world().filter(wanted.entries()), before, limit)


def seen_events_of_world() -> list[str]:
    """The kinds of events that the world's own log has. It is short: operations are in those of partitions."""
    return list(_of_world().order_by("event").values_list("event", flat=True).distinct())


def count(*, tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return LogEntry.objects.filter(tenant=tenant).count()


def events(*, tenant: Tenant, tag: str = "", actor: str = "", limit: int = 50) -> list[PortalEvent]:
    """The newest events of the portal that concern a tenant; of one kind or actor where one is given."""
    with tenant_scope(tenant):
        found = PortalEvent.objects.filter(tenant=tenant)
        found = found.filter(tag=tag) if tag else found
        return list((found.filter(actor=actor) if actor else found)[:limit])


def revoked_of_late(*, tenant: Tenant, limit: int = 5) -> list[PortalEvent]:
    """The newest notices of keys that were revoked in the last week."""
    since = timezone.now() - timedelta(days=7)
    with tenant_scope(tenant):
        notices = PortalEvent.objects.filter(tenant=tenant, tag=EventTag.DEVICE_KEY_REVOKED, time__gt=since)
        return list(notices[:limit])


def events_of_provider(*, tag: str = "", tenant: str = "", actor: str = "", limit: int = 50) -> list[PortalEvent]:
    """The newest events of the portal, whomever they concern; of one kind, tenant (its slug) or actor where given."""
    wanted = {"tag": tag, "tenant__slug": tenant, "actor": actor}
    found = PortalEvent.objects.using(ALIAS).select_related("tenant")
    return list(found.filter(**{name: value for name, value in wanted.items() if value})[:limit])


def copy_lag() -> timedelta | None:
    """How old the oldest lane's copy may be: since when a lane has not been read to its end. None before any copy."""
    marks = list(LaneCursor.objects.using(ALIAS).values_list("caught_up", flat=True))
    if not marks or None in marks:
        return None
    return timezone.now() - min(mark for mark in marks if mark is not None)


def _of_world() -> QuerySet[LogEntry]:
    return LogEntry.objects.using(ALIAS).filter(partition=WORLD_LOG)


def _hours(counted: QuerySet[Activity], since: datetime) -> list[Hour]:
    operations = counted.filter(hour__gte=since, event__in=[f"key:{usage}" for usage in Usage])
    sums = operations.values("hour", "ok").annotate(sum=Sum("count")).order_by("hour", "ok")
    return [Hour(one["hour"], one["ok"], one["sum"]) for one in sums]


def _page(entries: QuerySet[LogEntry], before: int | None, limit: int) -> Page:
    if before is not None:
        entries = entries.filter(pk__lt=before)
    rows = list(entries.order_by("-pk")[: limit + 1])
    shown = rows[:limit]
    older = shown[-1].pk if len(rows) > limit else None
    return Page([msgspec.json.decode(bytes(row.entry), type=Entry) for row in shown], older)
