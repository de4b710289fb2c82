"""What an open action changes against what is in force now, for its page. The officers' command asks the device."""

from portal.quorum import selectors
from portal.quorum.models import AdminAction
from strongroom.protocol import comparison, jws
from strongroom.protocol.action_table import (
    DefinePartition,
    DestroyPartition,
    KeepPartition,
    RetireProviderKey,
    RotateProviderKey,
    RotateVendorKey,
    Words,
)
from strongroom.protocol.admin_actions import read_action
from strongroom.protocol.statements import Roster
from tee.models import ProviderKey, PublishedStatus, VendorKey
from tenants.models import Partition


def compared(action: AdminAction) -> Words:
    """In words. Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    body = read_action(bytes(action.action)).body
    told = comparison.against(body, jws.read_unverified(selectors.world().roster, Roster))
    match body:
        case RotateVendorKey():
            return [("In force now", _keys(VendorKey))]
        case RotateProviderKey() | RetireProviderKey():
            return [("In force now", _keys(ProviderKey))]
        case DefinePartition(tenant=tenant):
            return [(f"Partitions of {tenant} now", _partitions(selectors.partitions(tenant=tenant)))]
        case DestroyPartition(partition=partition) | KeepPartition(partition=partition):
            return [("Now", _partitions(selectors.partitions(partition=partition))), *told]
    return told


def _keys(model: type[VendorKey | ProviderKey]) -> str:
    found = model.objects.using(selectors.ALIAS).filter(status=PublishedStatus.IN_FORCE)
    return ", ".join(f"{one.key_id} ({one.suite})" for one in found) or "none"


def _partitions(found: list[Partition]) -> str:
    return "; ".join(f"{one.label!r} of {one.tenant.slug}, {one.status}{_due(one)}" for one in found) or "none"


def _due(partition: Partition) -> str:
    return f", to be destroyed at {partition.destroy_at:%Y-%m-%d %H:%M} UTC" if partition.destroy_at else ""
