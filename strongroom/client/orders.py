"""What the owner does with keys that are there: list their versions, destroy or revoke them, say which are too old."""

from typing import Any, Literal

import msgspec

from strongroom.client import log, receipts
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.protocol import jws
from strongroom.protocol.action_table import DestroyPartition
from strongroom.protocol.admin_actions import read_action
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, Entry
from strongroom.protocol.owner_orders import KeyOrder, PartitionOrder
from strongroom.protocol.statements import Receipt


class ListedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as the portal lists it."""

    version: int
    state: str
    created: str = ""
    receipt: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a key: its state is the portal's word, its receipt is the device's and verified."""

    version: int
    state: str
    created: str
    receipt: Receipt


class OrderAnswer(msgspec.Struct, frozen=True):
    states: dict[int, str]


def versions(connection: Connection, key: str, now: int) -> list[Version]:
    """All versions of a key (name or id). Raises `Refused`: `not-found`, and what `receipts.verify_token` does."""
    found = []
    for one in connection.portal.get(f"keys/{segment(key)}/versions", list[ListedVersion]):
        receipt = receipts.verify_token(connection.home, one.receipt, now).receipt
        if receipt.version != one.version or key not in (receipt.name, receipt.key_id):
            raise Refused("receipt-mismatch", "the portal gave the receipt of another key or version")
        found.append(Version(version=one.version, state=one.state, created=one.created, receipt=receipt))
    return found


def destroy(connection: Connection, key: str, now: int, version: int = 0) -> dict[int, str]:
    """Destroy a version of a key, or all of it (version 0), on the owner's signature; the state of each version.

    Raises `Refused`: what the device refuses; `log-inconsistent` where its log does not say that it was done,
    whatever the portal answered.
    """
    return _carried_out(connection, key, now, "destroy", version=version)


def revoke(connection: Connection, key: str, now: int, version: int = 0, reason: str = "") -> dict[int, str]:
    """Revoke it, as `destroy` destroys: no endpoint is asked, and it is listed as revoked. Raises as `destroy` does."""
    return _carried_out(connection, key, now, "revoke", version=version, reason=reason)


def _carried_out(
    connection: Connection,
    key: str,
    now: int,
    order: Literal["destroy", "revoke"],
    *,
    version: int,
    reason: str = "",
) -> dict[int, str]:
    home = connection.home
    # 1. Which key it is, by the device's own receipt.
    receipt = receipts.find(connection, key, now)
    # 2. The owner orders it.
    signed = KeyOrder(
        order=order, partition=receipt.partition, key=receipt.key_id, version=version, reason=reason, issued_at=now
    )
    token = jws.sign(signed, home.key("owner"))
    states = connection.portal.post(f"keys/{segment(receipt.key_id)}/order", {"order": token}, OrderAnswer).states
    # 3. The device's log says that the material is gone, now or on an earlier order.
    gone: set[str] = set()
    for one in log.fetch(connection, now, only=ADMIN_LANE).lanes.get(ADMIN_LANE, []):
        if one.event in ("key:destroy", "key:revoke") and one.key == receipt.key_id:
            gone |= set(msgspec.convert(one.details["versions"], list[str]))
    if not {str(one) for one in ([version] if version else states)} <= gone:
        raise Refused("log-inconsistent", f"the device's log does not show that the key was {_DONE[order]}")
    return states


def consent_to_destruction(home: Home, now: int) -> str:
    """The owner's signed consent that the partition in use is destroyed at once, for the provider's officers."""
    return _partition_order(home, now, "destroy")


def keep_partition(connection: Connection, now: int) -> dict[str, Any]:
    """Cancel the destruction of the partition in use, on the owner's signature: the partition as the portal has it.

    Raises `Refused`: what the device refuses; `log-inconsistent` where its log does not say that it was cancelled.
    """
    partition, token = connection.home.partition(), _partition_order(connection.home, now, "keep")
    kept = connection.portal.post(f"partitions/{segment(partition)}/keep", {"order": token}, dict[str, Any])
    entries = log.fetch(connection, now, only=ADMIN_LANE).lanes.get(ADMIN_LANE, [])
    ends = [one for one in entries if one.event == "partition:keep" or _orders_destruction(one)]
    if ends and ends[-1].event != "partition:keep":
        raise Refused("log-inconsistent", "the device's log does not show that the destruction was cancelled")
    return kept


def _orders_destruction(entry: Entry) -> bool:
    if entry.event != "action:execute":
        return False
    action = read_action(from_b64u(msgspec.convert(entry.details["action"], str)))
    return isinstance(action.body, DestroyPartition)


def _partition_order(home: Home, now: int, order: Literal["destroy", "keep"]) -> str:
    said = PartitionOrder(order=order, partition=home.partition(), issued_at=now)
    return jws.sign(said, home.key("owner"))


_DONE = {"destroy": "destroyed", "revoke": "revoked"}


def set_minimum(connection: Connection, key: str, now: int, version: int) -> dict[int, str]:
    """Put the versions below `version` out of service, on the owner's signature; the state of each version.

    Raises as `destroy` does.
    """
    home = connection.home
    # 1. The owner orders it, of the key in the device's own receipt.
    receipt = receipts.find(connection, key, now)
    order = KeyOrder(
        order="minimum-version", partition=receipt.partition, key=receipt.key_id, version=version, issued_at=now
    )
    token = jws.sign(order, home.key("owner"))
    states = connection.portal.post(f"keys/{segment(receipt.key_id)}/order", {"order": token}, OrderAnswer).states
    # 2. The device's log says that it is the order in force: the last on this key.
    entries = log.fetch(connection, now, only=ADMIN_LANE).lanes.get(ADMIN_LANE, [])
    minimums = [one for one in entries if (one.event, one.key) == ("key:minimum-version", receipt.key_id)]
    if not minimums or minimums[-1].details.get("minimum") != version:
        raise Refused("log-inconsistent", "the device's log does not show the order")
    return states
