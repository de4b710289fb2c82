"""Administrative actions: requested and approved with a card, from bytes that are read here and not by the portal."""

import secrets
from typing import Any

import msgspec

from strongroom.client.connection import Connection
from strongroom.client.evidence import check_fresh
from strongroom.client.http import segment
from strongroom.officer.cards import CardFace, CeremonyOutcome, OpenCard
from strongroom.protocol import comparison, jws
from strongroom.protocol.action_table import (
    Body,
    DefinePartition,
    DestroyPartition,
    KeepPartition,
    RetireProviderKey,
    RotateProviderKey,
    RotateVendorKey,
    action_name,
)
from strongroom.protocol.admin_actions import (
    ActionRequest,
    AdminAction,
    Approval,
    Withdrawal,
    action_digest,
    read_action,
)
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Endorsement, Roster


class PartitionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's request as the portal shows it. The customer checks the outcome, so nothing of it is secret."""

    request: str
    tenant: str
    label: str
    owner: PublicCredential
    requested: str | None = None


class OpenedAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action as the portal keeps it. `action` are the exact bytes that the device opened."""

    id: int | str
    digest: str
    action: bytes
    state: str
    requested_by: str | None = None
    approvals: list[dict[str, Any]] = []
    result: str | None = None


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The world as the portal tells it; `roster` is the device's own word on its officers."""

    world: str
    roster: str = ""


class _Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A partition as the portal shows it to officers. `destroy_at`: when its destruction, which waits, is due."""

    tenant: str
    label: str
    status: str
    destroy_at: str | None

    @property
    def words(self) -> str:
        due = f", to be destroyed at {self.destroy_at}" if self.destroy_at else ""
        return f"{self.label!r} of {self.tenant}, {self.status}{due}"


class _Trust(msgspec.Struct, frozen=True):
    devices: list[dict[str, Any]]


def partition_requests(connection: Connection) -> list[PartitionRequest]:
    return connection.portal.get("officer/partition-requests", list[PartitionRequest])


def partition_request(connection: Connection, request: str) -> PartitionRequest:
    """One customer's request. Raises `Refused("not-found")`."""
    for one in partition_requests(connection):
        if one.request == request:
            return one
    raise Refused("not-found", f"no open partition request {request!r}")


def world(connection: Connection) -> World:
    """The world that the portal names. A card that has received its ceremony's outcome knows better."""
    return connection.portal.get("officer/world", World)


def roster(connection: Connection, now: int) -> Roster:
    """What the device has in force, under its signature and of now: an older list would hide what has changed since.

    Raises `Refused`: `wrong-device`, `stale`, and what `verify_statement` does.
    """
    token = world(connection).roster
    says, certified = verify_statement(token, Roster, connection.home.manufacturer_roots(), "device", now)
    check_fresh(says.issued_at, now)
    if says.device != certified.device_id:
        raise Refused("wrong-device", "the list of officers is of another device")
    return says


def in_force(connection: Connection, action: AdminAction, now: int) -> Roster:
    """As `roster`, of the device, world and officers that the action was opened in.

    Raises `Refused("action-expired")` where officers have changed since, and as `roster`.
    """
    says = roster(connection, now)
    if (says.device, says.world) != (action.device, action.world):
        raise Refused("wrong-device", "the list of officers is of another device or world")
    if says.epoch != action.officer_epoch:
        raise Refused("action-expired", "officers have changed since it was opened")
    return says


def actions(connection: Connection) -> list[OpenedAction]:
    return connection.portal.get("officer/actions", list[OpenedAction])


def action(connection: Connection, identifier: str) -> OpenedAction:
    return connection.portal.get(f"officer/actions/{segment(identifier)}", OpenedAction)


def define_partition(asked: PartitionRequest) -> DefinePartition:
    """What a customer asks for, as the body of an action."""
    return DefinePartition(tenant=asked.tenant, label=asked.label, owner=asked.owner)


def request_action(
    connection: Connection, card: OpenCard, body: Body, now: int, *, partition_request: str = ""
) -> OpenedAction:
    """Sign the request for an action, and have the device open it. `partition_request`: the customer's, if one asks."""
    request = ActionRequest(
        action=action_name(body),
        body=body,
        world=card.face.world or world(connection).world,
        nonce=secrets.token_urlsafe(24),
        created_at=now,
    )
    asked = {"partition_request": partition_request} if partition_request else {}
    signed = {"request": jws.sign(request, card.signing_key)}
    opened = connection.portal.post("officer/actions", signed | asked, OpenedAction)
    if read_action(opened.action).body != request.body:
        raise Refused("action-altered", "the device opened another action than was requested")
    return opened


def read(opened: OpenedAction) -> AdminAction:
    """The action from its exact bytes. Raises `Refused("action-altered")`."""
    found = read_action(opened.action)
    if action_digest(opened.action) != opened.digest:
        raise Refused("action-altered", "the portal's digest is not that of the action")
    return found


def review(opened: OpenedAction, face: CardFace, now: int) -> AdminAction:
    """The action from its exact bytes, if this card may approve it: what must be shown before it is signed.

    Raises `Refused`: `action-altered`, `action-expired`, `officer-unknown`, `requester-cannot-approve`.
    """
    opened_action = read(opened)
    if now >= opened_action.expires_at:
        raise Refused("action-expired")
    if opened_action.officer_class != face.officer_class:
        raise Refused("officer-unknown", f"this needs a {opened_action.officer_class} officer's card")
    if face.world and opened_action.world != face.world:
        raise Refused("action-altered", "the action is for another world than the card's")
    if opened_action.requester == face.fingerprint:
        raise Refused("requester-cannot-approve")
    return opened_action


def approve(connection: Connection, card: OpenCard, opened: OpenedAction, otp: str, now: int) -> OpenedAction:
    """Sign the digest of exactly these bytes, and hand the approval in with a fresh one-time code."""
    return _answer(connection, card, opened, otp, Approval(action_digest=opened.digest, approved_at=now))


def decline(
    connection: Connection, card: OpenCard, opened: OpenedAction, otp: str, now: int, *, reason: str
) -> OpenedAction:
    """As `approve`, but to say no: for the others to read, and never counted."""
    said = Approval(action_digest=opened.digest, decision="decline", reason=reason, approved_at=now)
    return _answer(connection, card, opened, otp, said)


def withdraw(connection: Connection, card: OpenCard, opened: OpenedAction, now: int) -> OpenedAction:
    """Take back what this card requested. Raises `Refused`: `officer-unknown` for another's, `action-altered`."""
    wanted = action_digest(opened.action)
    if read_action(opened.action).requester != card.face.fingerprint:
        raise Refused("officer-unknown", "only the card that requested an action takes it back")
    signed = jws.sign(Withdrawal(action_digest=wanted, withdrawn_at=now), card.signing_key)
    path = f"officer/actions/{segment(str(opened.id))}/withdrawal"
    return connection.portal.post(path, {"withdrawal": signed}, OpenedAction)


def newest_parts(connection: Connection) -> CeremonyOutcome:
    """The unseal parts of the last change of officers. Raises `Refused("not-found")` where there was none."""
    return connection.portal.get("officer/parts", CeremonyOutcome)


def compared(connection: Connection, action: AdminAction, roster: Roster) -> list[tuple[str, Any]]:
    """What the action changes against what is in force: by the device's word, and where it has none the portal's."""
    match action.body:
        case RotateVendorKey():
            return [("In force now", _published(connection, "vendor_keys"))]
        case RotateProviderKey() | RetireProviderKey():
            return [("In force now", _published(connection, "provider_keys"))]
        case DefinePartition(tenant=tenant):
            return [(f"Partitions of {tenant} now", _partitions(connection, tenant=tenant))]
        case DestroyPartition(partition=partition) | KeepPartition(partition=partition):
            now = ("Now", _partitions(connection, partition=partition))
            return [now, *comparison.against(action.body, roster)]
    return comparison.against(action.body, roster)


def _partitions(connection: Connection, **which: str) -> str:
    """Partitions as the portal has them: for comparison, not for trust."""
    found = connection.portal.get("officer/partitions", list[_Partition], **which)
    return "; ".join(one.words for one in found) or "none"


def _published(connection: Connection, which: str) -> str:
    """Ids of the device's keys as the portal publishes them: for comparison, not for trust."""
    devices = connection.portal.get("trust", _Trust).devices
    found = [jws.read_unverified(one, Endorsement) for device in devices for one in device[which]]
    return ", ".join(f"{one.key_id} ({one.suite})" for one in found)


def _answer(connection: Connection, card: OpenCard, opened: OpenedAction, otp: str, answer: Approval) -> OpenedAction:
    review(opened, card.face, answer.approved_at)
    body = {"approval": jws.sign(answer, card.signing_key), "otp": otp}
    return connection.portal.post(f"officer/actions/{segment(str(opened.id))}/approvals", body, OpenedAction)
