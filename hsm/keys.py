"""Keys that are there: listing them, and the owner's orders on them."""

import re

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from strongroom.protocol import commands
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import KeyOrder, check_owner
from strongroom.protocol.revocation import check_reason
from strongroom.protocol.terms import read_terms

LISTED_BYTES = 2 * 1024 * 1024
MAX_ORDER = 16 * 1024
CLOCKS_DIFFER = 300
"""Seconds by which an owner's clock may be ahead of the device's."""
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
    for path in device.records.store.paths_from(folder, folder + after):
        key = path.removeprefix(folder)
        named = device.records.need(path, r.NamedKey)
        for stored in versions_of(device, path):
            if key == after and stored.version <= after_version:
                continue
            if size >= LISTED_BYTES:
                return commands.ListKeysReply(keys, last)
            keys.append((stored.receipt, _state(device, stored, named)))
            size, last = size + len(stored.receipt), f"{key}/{stored.version}"
    return commands.ListKeysReply(keys)


@handles(commands.OrderKey, states=OPERATIONAL, callers=PORTAL)
def order_key(device: Device, command: commands.OrderKey) -> commands.OrderKeyReply:
    """Destroy or revoke a key or a version of it, or set its minimum version, on its owner's signature: from the answer
    on what the order takes out of service can serve nobody."""
    # 1. An owner in force orders it, of a key of this partition.
    if len(command.order) > MAX_ORDER:
        raise Refused("too-large")
    partition = device.records.need(f"partitions/{command.partition}", r.Partition)
    order = check_owner(command.order, KeyOrder, partition.owners)
    if order.partition != command.partition:
        raise Refused("wrong-partition")
    check_reason(order.reason)
    path = f"partitions/{command.partition}/keys/{order.key}"
    named = device.records.need(path, r.NamedKey)
    # 2. It is carried out once.
    if order.order == "minimum-version":
        _set_minimum(device, command, order, named)
    else:
        _destroy(device, command, order)
    # 3. How the versions stand now.
    named = device.records.need(path, r.NamedKey)
    return commands.OrderKeyReply({one.version: _state(device, one, named) for one in versions_of(device, path)})


def _destroy(device: Device, command: commands.OrderKey, order: KeyOrder) -> None:
    """The material goes, the receipt stays as the tombstone; once is enough."""
    path = f"partitions/{command.partition}/keys/{order.key}"
    ordered = [one for one in versions_of(device, path) if order.version in (0, one.version)]
    if not ordered:
        raise Refused("not-found", "the key has no such version")
    due = [one for one in ordered if not one.destroyed]
    if due:
        with device.records.transaction() as changes:
            revocation = r.Revoked("owner", device.now(), order.reason) if order.order == "revoke" else None
            destroy(device, changes, path, due, revocation)
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
        for one in due:
            device.drop_key(f"{path}/{one.version}")


def _set_minimum(device: Device, command: commands.OrderKey, order: KeyOrder, named: r.NamedKey) -> None:
    """The later order holds, so that nobody brings an earlier one again; of the same second, the one that is higher."""
    if (order.version, order.issued_at) == (named.minimum, named.ordered_at):
        return
    if not 1 <= order.version <= named.current:
        raise Refused("not-found", "the key has no such version")
    if (order.issued_at, order.version) < (named.ordered_at, named.minimum):
        raise Refused("stale", "a later order on the minimum version is in force")
    if order.issued_at > device.now() + CLOCKS_DIFFER:
        raise Refused("stale", "the order is dated later than now")
    with device.records.transaction() as changes:
        path = f"partitions/{command.partition}/keys/{order.key}"
        changes.put(path, r.replaced(named, minimum=order.version, ordered_at=order.issued_at))
        changes.log(
            command.partition,
            epoch=device.boot_epoch,
            time=device.now(),
            event="key:minimum-version",
            principal="owner",
            key=order.key,
            digest=digest(command.order.encode()),
            details={"order": command.order, "minimum": order.version},
        )


def destroy(
    device: Device, changes: r.Changes, path: str, due: list[r.StoredKey], revocation: r.Revoked | None = None
) -> None:
    """Take the material of these versions of the key at `path` away, for good. `revocation`: if that is why."""
    for one in due:
        tombstone = r.replaced(one, material=b"", destroyed=True, revoked=revocation is not None, revocation=revocation)
        changes.put(f"{path}/{one.version}", tombstone)
    if all(one.destroyed for one in versions_of(device, path)):
        changes.put(path, r.replaced(device.records.need(path, r.NamedKey), destroyed=True))
    changes.erases = True


def versions_of(device: Device, path: str) -> list[r.StoredKey]:
    """Every version of the key, the oldest first."""
    kept = [device.records.need(version, r.StoredKey) for version in device.records.store.paths(path + "/")]
    return sorted(kept, key=lambda one: one.version)


def _state(device: Device, stored: r.StoredKey, named: r.NamedKey) -> str:
    if stored.destroyed:
        return "revoked" if stored.revoked else "destroyed"
    return "below-minimum" if stored.version < named.minimum else read_terms(stored.terms).state_at(device.now())
