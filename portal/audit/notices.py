"""What the device's log says of keys that were revoked, suspended or resumed, told to their tenants: once each.

It runs inside the transaction that copies the entries, so a notice is there exactly where its entry is. How the keys
stand is noted in another transaction just before: should the copy fail, it is noted again with the next.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from portal.audit.models import PortalEvent
from portal.audit.selectors import ALIAS
from portal.audit.tags import EventTag
from strongroom.protocol.commands import LoggedEntry
from strongroom.protocol.log import Entry
from tee import revocation
from tee.models import Key
from tenants.models import Tenant

NAMED = 20
"""Keys that a notice names; of more it says how many."""
_TAGS = {
    "key:revoke": EventTag("device:key:revoked"),
    "key:suspend": EventTag("device:key:suspended"),
    "key:resume": EventTag("device:key:resumed"),
}
_MARKS = [f'"{event}"'.encode() for event in _TAGS]


def tell_tenants(entries: Iterable[LoggedEntry], tenants: dict[str | None, int]) -> None:
    """Note how the keys in `entries` stand now, and keep a notice for each entry. `tenants`: whose a partition is."""
    for logged in entries:
        if logged.partition in tenants and any(mark in logged.entry for mark in _MARKS):
            entry = msgspec.json.decode(logged.entry, type=Entry)
            if entry.event in _TAGS:
                _tell(entry, Tenant.objects.using(ALIAS).get(pk=tenants[logged.partition]))


def _tell(entry: Entry, tenant: Tenant) -> None:
    why = str(entry.details.get("reason") or entry.details.get("why") or "")
    keys = _noted(entry, tenant, why)
    names = sorted(f"{one.name} version {one.version}" for one in keys)
    details: dict[str, object] = {
        "partition": entry.partition,
        "keys": ", ".join(names[:NAMED]),
        "count": len(keys),
    }
    details |= {"why": why} if why else {}
    # Entries tell the second: within it their numbers keep notices in the order of the log.
    happened = datetime.fromtimestamp(entry.time, UTC) + timedelta(microseconds=entry.n % 1_000_000)
    PortalEvent.objects.using(ALIAS).create(time=happened, tag=_TAGS[entry.event], tenant_id=tenant.pk, details=details)


def _noted(entry: Entry, tenant: Tenant, why: str) -> list[Key]:
    """The versions that an entry is about, as they stand after it."""
    listed = entry.details.get("versions")
    versions = {_version(entry.key, one) for one in listed} if isinstance(listed, list) else set()
    if entry.event == "key:revoke":
        return revocation.note_revoked(versions, tenant=tenant)
    if entry.event == "key:resume":
        return revocation.note_resumed(versions, tenant=tenant)
    since = datetime.fromtimestamp(entry.time, UTC)
    return revocation.note_suspended(versions, tenant=tenant, since=since, why=why)


def _version(key: str, written: str) -> tuple[str, int]:
    """`KEY/VERSION`, or a version alone of the entry's own key."""
    named, slash, version = written.rpartition("/")
    return (named if slash else key), int(version)
