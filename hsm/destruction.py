"""The destruction of a partition: at once on its owner's word, else after a time in which it can be cancelled."""

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.limits import limits
from strongroom.protocol import commands
from strongroom.protocol.action_table import DestroyPartition, KeepPartition
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import PartitionOrder, check_owner

MAX_ORDER = 16 * 1024
WAITING = "world/destructions/"
_HOUR = 3600


def check_destruction(device: Device, body: DestroyPartition) -> None:
    """Raise `Refused` where there is nothing to destroy, or the consent is not an owner's to this destruction."""
    partition = _in_use(device, body.partition)
    if body.consent:
        _check_order(partition, body.partition, body.consent, "destroy")


def destroy_partition(device: Device, changes: r.Changes, body: DestroyPartition) -> str:
    """Erase the partition's keys, or let the time begin after which `destroy_due` does. Returns what it did."""
    partition = _in_use(device, body.partition)
    if body.consent:
        _erase(device, changes, body.partition, partition)
        return "destroyed"
    due = device.now() + limits(device).destruction_hours * _HOUR
    _wait_until(changes, body.partition, partition, due)
    return f"waits until {due}"


def check_keeping(device: Device, body: KeepPartition) -> None:
    """Raise `Refused("conflict")` where no destruction waits."""
    if not _in_use(device, body.partition).destroy_at:
        raise Refused("conflict", "no destruction of this partition is waiting")


def keep_partition(device: Device, changes: r.Changes, body: KeepPartition) -> str:
    _wait_until(changes, body.partition, _in_use(device, body.partition), 0)
    return "kept"


@handles(commands.KeepPartitionOrder, states=OPERATIONAL, callers=PORTAL)
def keep_by_owner(device: Device, command: commands.KeepPartitionOrder) -> commands.Done:
    """The owner cancels: no officer is needed. Asked again, done already."""
    if len(command.order) > MAX_ORDER:
        raise Refused("too-large")
    partition = _in_use(device, command.partition)
    order = _check_order(partition, command.partition, command.order, "keep")
    if order.issued_at < partition.destroy_at - limits(device).destruction_hours * _HOUR:
        raise Refused("conflict", "this order is older than the destruction that it would cancel")
    if partition.destroy_at:
        with device.records.transaction() as changes:
            _wait_until(changes, command.partition, partition, 0)
            changes.log(
                command.partition,
                epoch=device.boot_epoch,
                time=device.now(),
                event="partition:keep",
                principal="owner",
                digest=digest(command.order.encode()),
                details={"order": command.order},
            )
    return commands.Done()


@handles(commands.ShowPartition, states=OPERATIONAL, callers=PORTAL)
def show_partition(device: Device, command: commands.ShowPartition) -> commands.ShowPartitionReply:
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    if partition.destroyed:
        return commands.ShowPartitionReply("destroyed")
    return commands.ShowPartitionReply("to-be-destroyed" if partition.destroy_at else "in-use", partition.destroy_at)


def destroy_due(device: Device) -> None:
    """Carry out the destructions whose time has come. The server calls it now and then."""
    for path in device.records.store.paths(WAITING):
        name = path.removeprefix(WAITING)
        partition = device.records.need(f"partitions/{name}", r.Partition)
        if device.now() < partition.destroy_at:
            continue
        with device.records.transaction() as changes:
            _erase(device, changes, name, partition)
            changes.log(name, epoch=device.boot_epoch, time=device.now(), event="partition:destroy")


def _erase(device: Device, changes: r.Changes, name: str, partition: r.Partition) -> None:
    """No material stays; receipts do, as tombstones, and so does the log."""
    folder = f"partitions/{name}"
    for path in device.records.store.paths(f"{folder}/keys/"):
        for version in device.records.store.paths(path + "/"):
            kept = device.records.need(version, r.StoredKey)
            if not kept.destroyed:
                changes.put(version, r.replaced(kept, material=b"", destroyed=True))
        changes.put(path, r.replaced(device.records.need(path, r.NamedKey), destroyed=True))
    for path in device.records.store.paths(f"{folder}/single-use/"):
        changes.delete(path)
    changes.put(folder, r.replaced(partition, destroy_at=0, destroyed=True))
    changes.delete(WAITING + name)
    changes.erases = True


def _wait_until(changes: r.Changes, name: str, partition: r.Partition, due: int) -> None:
    """Let the destruction wait until `due`; 0: it waits no longer."""
    changes.put(f"partitions/{name}", r.replaced(partition, destroy_at=due))
    if due:
        changes.put(WAITING + name, r.Destruction(due))
    else:
        changes.delete(WAITING + name)


def _in_use(device: Device, name: str) -> r.Partition:
    partition = device.records.need(f"partitions/{name}", r.Partition)
    if partition.destroyed:
        raise Refused("partition-destroyed")
    return partition


def _check_order(partition: r.Partition, name: str, token: str, wanted: str) -> PartitionOrder:
    order = check_owner(token, PartitionOrder, partition.owners)
    if (order.partition, order.order) != (name, wanted):
        raise Refused("not-the-owner", "the owner's word is about something else")
    return order
