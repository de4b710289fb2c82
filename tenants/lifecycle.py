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


def change_status(*, tenant: Tenant, status: Tenant.Status, actor: str) -> None:
    """Suspend, resume or close a tenant. People and programs of one that is not active are refused everywhere.

    Closing ends all tokens and invitations, and is for good; what is on record stays. Raises `Refused("conflict")` for
    a status that cannot follow, and for closing while a partition is there that holds keys, or is asked for.
    """
    # 1. Only without partitions: what is in them is the customer's to destroy, or its officers' quorum's.
    if status == Status.CLOSED:
        with tenant_scope(tenant):
            there = Partition.objects.filter(
                tenant=tenant, status__in=[Partition.Status.DEFINED, Partition.Status.REQUESTED]
            ).count()
        if there:
            raise Refused("conflict", f"{tenant.name} has {there} partitions: they are destroyed or declined first")
    # 2. One change at a time.
    with transaction.atomic():
        row = Tenant.objects.select_for_update().get(pk=tenant.pk)
        if status not in NEXT[row.status]:
            raise Refused("conflict", f"{tenant.name} is {row.status}")
        row.status = status
        row.save(update_fields=["status"])
        if status == Status.CLOSED:
            AuthToken.objects.filter(user__membership__tenant=row).delete()
            row.invitations.all().delete()
        emit(tag=_TAGS[status], tenant=row, actor=actor)
