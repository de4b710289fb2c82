"""Partitions: defined by a quorum action, owned by a customer's credential, opened to others by the owner."""

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from strongroom.protocol import commands
from strongroom.protocol.access import (
    access_list_digest,
    check_update,
    editor_counters,
    partition_id,
    signer_of,
)
from strongroom.protocol.action_table import DefinePartition
from strongroom.protocol.admin_actions import AdminAction, action_digest
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import check_counter

MAX_DOCUMENT = 4 * 1024 * 1024


def define_partition(device: Device, changes: r.Changes, action: AdminAction, body: DefinePartition) -> str:
    """Make an approved action's partition. Its id is bound to owner, world and the action's nonce: never used again."""
    partition = partition_id(body.owner, device.world, action.nonce)
    if device.records.get(f"partitions/{partition}", r.Partition) is not None:
        raise Refused("conflict")
    changes.put(
        f"partitions/{partition}",
        r.Partition(
            tenant=body.tenant,
            defined_by=action_digest(canonical_json(action)),
            owners=[body.owner],
        ),
    )
    return partition


@handles(commands.ShowAccess, states=OPERATIONAL, callers=PORTAL)
def show_access(device: Device, command: commands.ShowAccess) -> commands.ShowAccessReply:
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    return commands.ShowAccessReply(partition.version, partition.document, partition.owners)


@handles(commands.UpdateAccess, states=OPERATIONAL, callers=PORTAL)
def update_access(device: Device, command: commands.UpdateAccess) -> commands.UpdateAccessReply:
    """Put the next access list in force, which the owner signed, or a security key that the owner lets change it.

    No other command changes one, and no officer can.
    """
    # 1. The list in force; asked again with it, the same answer.
    if len(command.document) > MAX_DOCUMENT:
        raise Refused("too-large")
    path = f"partitions/{command.partition}"
    partition = device.records.need(path, r.Partition)
    if partition.document and partition.document == command.document:
        return commands.UpdateAccessReply(partition.version)
    # 2. An owner signed the next one, or an editor whose key has not been used for another since.
    update = check_update(
        command.document,
        partition=command.partition,
        owners=partition.owners,
        version=partition.version,
        current=partition.document or None,
    )
    counters = editor_counters(command.document)
    for key, counter in counters.items():
        check_counter(counter, partition.counters.get(key, 0), user="an editor")
    # 3. In force, and on record with the signed document itself.
    with device.records.transaction() as changes:
        changes.put(
            path,
            r.replaced(
                partition,
                owners=update.owners,
                version=update.version,
                document=command.document,
                counters=partition.counters | counters,
            ),
        )
        changes.log(
            command.partition,
            epoch=device.boot_epoch,
            time=device.now(),
            event="access:update",
            principal=signer_of(command.document),
            digest=access_list_digest(command.document),
            details={"document": command.document, "version": update.version},
        )
    return commands.UpdateAccessReply(update.version)
