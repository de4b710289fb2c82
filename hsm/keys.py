"""Keys that are there: listing them, and the owner's orders on them."""

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from strongroom.protocol import commands
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import KeyOrder, check_owner
from strongroom.protocol.terms import read_terms

LISTED_KEYS = 1000


@handles(commands.ListKeys, states=OPERATIONAL, callers=PORTAL)
def list_keys(device: Device, command: commands.ListKeys) -> commands.ListKeysReply:
    """Receipt and state of every version of each key: what the portal needs to rebuild its own list."""
    device.records.need(f"partitions/{command.partition}", r.Partition)
    folder = f"partitions/{command.partition}/keys/"
    paths = [path for path in device.records.store.paths(folder) if path > folder + command.after]
    keys: list[tuple[str, str]] = []
    for path in paths[:LISTED_KEYS]:
        keys += [(stored.receipt, _state(device, stored)) for stored in _versions(device, path)]
    last = paths[LISTED_KEYS - 1].removeprefix(folder) if len(paths) > LISTED_KEYS else ""
    return commands.ListKeysReply(keys, last)


@handles(commands.OrderKey, states=OPERATIONAL, callers=PORTAL)
def order_key(device: Device, command: commands.OrderKey) -> commands.OrderKeyReply:
    """Destroy a key, or a version of it, on its owner's signature: from the answer on it can serve nobody."""
    # 1. An owner in force orders it, of a key of this partition.
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    order = check_owner(command.order, KeyOrder, partition.owners)
    if order.partition != command.partition:
        raise Refused("wrong-partition")
    path = f"partitions/{command.partition}/keys/{order.key}"
    device.records.need(path, r.NamedKey)
    ordered = [one for one in _versions(device, path) if order.version in (0, one.version)]
    if not ordered:
        raise Refused("not-found", "the key has no such version")
    # 2. The material goes, the receipt stays as the tombstone; once is enough.
    due = [one for one in ordered if not one.destroyed]
    if due:
        with device.records.transaction() as changes:
            for one in due:
                changes.put(f"{path}/{one.version}", r.replaced(one, material=b"", destroyed=True))
            changes.log(
                command.partition,
                epoch=device.boot_epoch,
                time=device.now(),
                event="key:destroy",
                principal="owner",
                key=order.key,
                digest=digest(command.order.encode()),
                details={"order": command.order, "versions": [str(one.version) for one in due]},
            )
    return commands.OrderKeyReply({one.version: _state(device, one) for one in _versions(device, path)})


def _versions(device: Device, path: str) -> list[r.StoredKey]:
    return [device.records.need(version, r.StoredKey) for version in device.records.store.paths(path + "/")]


def _state(device: Device, stored: r.StoredKey) -> str:
    return "destroyed" if stored.destroyed else read_terms(stored.terms).state_at(device.now())
