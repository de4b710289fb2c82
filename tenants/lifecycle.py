"""A tenant's life, which the provider's people decide: opened, suspended and resumed, closed for good."""

from django.db import transaction
from knox.models import AuthToken

from strongroom.protocol.errors import Refused
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.services import create_tenant
from tenants.signals import emit

Status = Tenant.Status
_TAGS = {
    Status.ACTIVE: "provider:tenant:resumed",
    Status.SUSPENDED: "provider:tenant:suspended",
    Status.CLOSED: "provider:tenant:closed",
}
NEXT: dict[str, list[Tenant.Status]] = {
    Status.ACTIVE: [Status.SUSPENDED, Status.CLOSED],
    Status.SUSPENDED: [Status.ACTIVE, Status.CLOSED],
    Status.CLOSED: [],
}
"""What may follow a status."""


def open_tenant(*, slug: str, name: str, actor: str) -> Tenant:
    """A new tenant, without people yet. Raises `Refused("conflict")`."""
    with transaction.atomic():
        tenant = create_tenant(slug=slug, name=name)
        emit(tag="provider:tenant:opened", tenant=tenant, actor=actor, slug=slug)
    return tenant


def check_new(*, slug: str) -> None:
    """Raises `Refused("conflict")` where a tenant has that short name."""
    if Tenant.objects.filter(slug=slug).exists():
        raise Refused("conflict", f"there is a tenant {slug!r} already")


def in_the_way(tenant: Tenant) -> list[Partition]:
    """The partitions for which a tenant cannot be closed: they hold keys, or, after those, are asked for.

    What is in them is the customer's to destroy, or its officers' quorum's.
    """
    with tenant_scope(tenant):
        there = [Partition.Status.DEFINED, Partition.Status.REQUESTED]
        return list(Partition.objects.filter(tenant=tenant, status__in=there).order_by("status", "requested"))


def check_change(*, tenant: Tenant, status: Tenant.Status) -> None:
    """Raises `Refused("conflict")` for a status that cannot follow, and for closing while a partition is in the way."""
    _check_next(tenant, status)
    there = in_the_way(tenant) if status == Status.CLOSED else []
    if there:
        named = ", ".join(one.label for one in there)
        raise Refused("conflict", f"{tenant.name} has partitions, which are destroyed or declined first: {named}")


def change_status(*, tenant: Tenant, status: Tenant.Status, actor: str) -> None:
    """Suspend, resume or close a tenant. People and programs of one that is not active are refused everywhere.

    Closing ends all tokens and invitations, and is for good; what is on record stays. Raises what `check_change` does.
    """
    check_change(tenant=tenant, status=status)
    # One change at a time.
    with transaction.atomic():
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        _check_next(row, status)
        row.status = status
        row.save(update_fields=["status"])
        if status == Status.CLOSED:
            AuthToken.objects.filter(user__membership__tenant=row).delete()
            row.invitations.all().delete()
        emit(tag=_TAGS[status], tenant=row, actor=actor)


def _check_next(tenant: Tenant, status: Tenant.Status) -> None:
    if status not in NEXT[tenant.status]:
        raise Refused("conflict", f"{tenant.name} is {tenant.status}")
