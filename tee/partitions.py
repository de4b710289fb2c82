"""How partitions stand in the TEE: in use, waiting for their destruction, or destroyed."""

import logging
from datetime import UTC, datetime

from strongroom.protocol.commands import Done, KeepPartitionOrder, ShowPartition, ShowPartitionReply
from strongroom.protocol.errors import Refused
from tee.drivers import secure_module
from tee.services import refresh_keys
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import defined_partition
from tenants.signals import emit

ALIAS = "provider"

logger = logging.getLogger(__name__)


def keep_partition(*, tenant: Tenant, partition_id: str, order: str, actor: str) -> Partition:
    """Pass an owner's signed order to keep a partition to the TEE, which alone decides.

    Raises `Refused("not-found")` and what the TEE says.
    """
    partition = defined_partition(tenant=tenant, partition_id=partition_id)
    secure_module().call(KeepPartitionOrder(partition=partition_id, order=order), Done)
    with tenant_scope(tenant):
        Partition.objects.filter(pk=partition.pk).update(destroy_at=None)
        emit(tag="customer:partition:kept", tenant=tenant, actor=actor, partition=partition_id)
    return defined_partition(tenant=tenant, partition_id=partition_id)


def standing(partition_id: str) -> ShowPartitionReply:
    """How a partition stands. Raises what the TEE says."""
    return secure_module().call(ShowPartition(partition=partition_id), ShowPartitionReply)


def record_standing(partition: Partition) -> None:
    """Bring the row, and where it is destroyed its keys, up to what the TEE says. Raises that."""
    shown = standing(partition.partition_id or "")
    destroyed = shown.state == "destroyed"
    if destroyed:
        refresh_keys(partition)
    due = datetime.fromtimestamp(shown.destroy_at, UTC) if shown.destroy_at else None
    status = Partition.Status.DESTROYED if destroyed else Partition.Status.DEFINED
    row = Partition.objects.using(ALIAS).filter(pk=partition.pk)
    if row.exclude(status=status).update(status=status, destroy_at=due) and destroyed:
        emit(
            tag="device:partition:destroyed",
            tenant=partition.tenant,
            actor="",
            partition=partition.partition_id,
            label=partition.label,
        )
    row.update(destroy_at=due)


def follow_destructions() -> None:
    """`record_standing` for every partition whose destruction waits, as far as the TEE answers."""
    waiting = Partition.objects.using(ALIAS).select_related("tenant").filter(destroy_at__isnull=False)
    for partition in waiting:
        try:
            record_standing(partition)
        except Refused as refused:
            logger.info("How %s stands is not known: %s", partition, refused.code)
            return
