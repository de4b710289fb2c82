"""A tenant's keys as a list: looked through, sorted, a page at a time."""

from dataclasses import dataclass
from typing import Literal

from django.db.models import Q, QuerySet

from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage, fits
from tee.models import Key
from tenants.models import Tenant
from tenants.scoping import tenant_scope

PAGE = 25
Sorting = Literal["name", "-name", "key_type", "-key_type", "created", "-created"]
SORTINGS: tuple[Sorting, ...] = ("name", "-name", "key_type", "-key_type", "created", "-created")
_ONLY_DIGESTS = frozenset(one for one in Mechanism if one.startswith("SHA"))


@dataclass(frozen=True)
class KeysWanted:
    """Which keys are looked for; what is empty does not matter. `text` is in the name, or is the key's id."""

    text: str = ""
    state: str = ""
    key_type: str = ""
    usage: str = ""
    partition: str = ""
    sort: Sorting = "name"


def capable(key_type: str) -> list[Usage]:
    """What a key of this type can do. What one may do say its sealed terms, which the provider does not know."""
    mechanisms = [one for one in Mechanism if one not in _ONLY_DIGESTS]
    return [usage for usage in Usage if any(fits(one, KeyType(key_type), usage) for one in mechanisms)]


def found_keys(*, tenant: Tenant, wanted: KeysWanted, number: int) -> tuple[list[Key], int]:
    """Page `number` (from 1) of the keys, each in its newest version, and how many there are on all pages."""
    with tenant_scope(tenant):
        keys = Key.objects.filter(_condition(wanted), pk__in=_newest(tenant)).select_related("partition")
        rows = keys.defer("receipt", "public_key").order_by(wanted.sort, "pk")[(number - 1) * PAGE : number * PAGE]
        return list(rows), keys.count()


def standings(*, tenant: Tenant) -> dict[str, int]:
    """How many keys there are of each standing, by their newest version."""
    counts: dict[str, int] = {}
    with tenant_scope(tenant):
        keys = Key.objects.filter(pk__in=_newest(tenant))
        for one in keys.only("state", "suspended"):
            counts[one.standing] = counts.get(one.standing, 0) + 1
    return counts


def types_there(*, tenant: Tenant) -> list[str]:
    """The types of a tenant's keys."""
    with tenant_scope(tenant):
        return list(
            Key.objects.filter(tenant=tenant).order_by("key_type").values_list("key_type", flat=True).distinct()
        )


def _newest(tenant: Tenant) -> QuerySet[Key, int]:
    of_tenant = Key.objects.filter(tenant=tenant)
    return of_tenant.order_by("key_id", "-version").distinct("key_id").values_list("pk", flat=True)


def _condition(wanted: KeysWanted) -> Q:
    found = Q(name__icontains=wanted.text) | Q(key_id=wanted.text) if wanted.text else Q()
    found &= Q(key_type=wanted.key_type) if wanted.key_type else Q()
    found &= Q(partition__partition_id=wanted.partition) if wanted.partition else Q()
    if wanted.usage:
        found &= Q(key_type__in=[one for one in KeyType if wanted.usage in capable(one)])
    if wanted.state == "suspended":
        return found & Q(state="active", suspended__isnull=False)
    if wanted.state == "active":
        return found & Q(state="active", suspended__isnull=True)
    return found & Q(state=wanted.state) if wanted.state else found
