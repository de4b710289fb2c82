"""Keys that are there: listing them, and the owner's orders on them."""

import re

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from strongroom.protocol import commands
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import KeyOrder, check_owner
from strongroom.protocol.revocation import MAX_REASON
from strongroom.protocol.terms import read_terms

LISTED_BYTES = 2 * 1024 * 1024
MAX_ORDER = 16 * 1024
_ALL_VERSIONS = 10**18
_CURSOR = re.compile(r"([a-z0-9_]*)(?:/(\d{1,18}))?", re.ASCII)


@handles(commands.ListKeys, states=OPERATIONAL, callers=PORTAL)
def list_keys(device: Device, command: commands.ListKeys) -> commands.ListKeysReply:
    """Receipt and state of every version of each key: what the portal needs to rebuild its own list."""
    device.records.need(f"partitions/{command.partition}", r.Partition)
    found = _CURSOR.fullmatch(command.after)
    if found is None:
        raise Refused("malformed", "not a cursor of this list")
    after, after_version = found[1], int(found[2] or _ALL_VERSIONS)
    folder = f"partitions/{command.partition}/keys/"
    keys: list[tuple[str, str]] = []
    size, last = 0, ""
    for path in [one for one in device.records.store.paths(folder) if one >= folder + after]:
        key = path.removeprefix(folder)
        for stored in _versions(device, path):
            if key == after and stored.version <= after_version:
                continue
            if size >= LISTED_BYTES:
                return commands.ListKeysReply(keys, last)
            keys.append((stored.receipt, _state(device, stored)))
            size, last = size + len(stored.receipt), f"{key}/{stored.version}"
    return commands.ListKeysReply(keys)


@handles(commands.OrderKey, states=OPERATIONAL, callers=PORTAL)
def order_key(device: Device, command: commands.OrderKey) -> commands.OrderKeyReply:
    """Destroy or revoke a key, or a version, on its owner's signature: from the answer on it can serve nobody."""
    # 1. An owner in force orders it, of a key of this partition.
    if len(command.order) > MAX_ORDER:
        raise Refused("too-large")
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    order = check_owner(command.order, KeyOrder, partition.owners)
    if order.partition != command.partition:
        raise Refused("wrong-partition")
    if len(order.reason) > MAX_REASON or not order.reason.isprintable():
        raise Refused("malformed", f"a reason has at most {MAX_REASON} printable characters")
    path = f"partitions/{command.partition}/keys/{order.key}"
    device.records.need(path, r.NamedKey)
    ordered = [one for one in _versions(device, path) if order.version in (0, one.version)]
    if not ordered:
        raise Refused("not-found", "the key has no such version")
    # 2. The material goes, the receipt stays as the tombstone; once is enough.
    due = [one for one in ordered if not one.destroyed]
    if due:
        with device.records.transaction() as changes:
            destroy(device, changes, path, due, revoked=order.order == "revoke")
            changes.log(
                command.partition,
                epoch=device.boot_epoch,
                time=device.now(),
                event=f"key:{order.order}",
                principal="owner",
                key=order.key,
                digest=digest(command.order.encode()),
                details={"order": command.order, "versions": [str(one.version) for one in due]}
                | ({"source": "owner", "reason": order.reason} if order.order == "revoke" else {}),
            )
    return commands.OrderKeyReply({one.version: _state(device, one) for one in _versions(device, path)})


def destroy(device: Device, changes: r.Changes, path: str, due: list[r.StoredKey], *, revoked: bool = False) -> None:
    """Take the material of these versions of the key at `path` away, for good."""
    for one in due:
        changes.put(f"{path}/{one.version}", r.replaced(one, material=b"", destroyed=True, revoked=revoked))
    if all(one.destroyed for one in _versions(device, path)):
        changes.put(path, r.replaced(device.records.need(path, r.NamedKey), destroyed=True))
    changes.erases = True


def _versions(device: Device, path: str) -> list[r.StoredKey]:
    """Every version of the key, the oldest first."""
    kept = [device.records.need(version, r.StoredKey) for version in device.records.store.paths(path + "/")]
    return sorted(kept, key=lambda one: one.version)


def _state(device: Device, stored: r.StoredKey) -> str:
    if stored.revoked:
        return "revoked"
    return "destroyed" if stored.destroyed else read_terms(stored.terms).state_at(device.now())
