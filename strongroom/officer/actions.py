"""Administrative actions: requested and approved with a card, from bytes that are read here and not by the portal."""

import secrets
from typing import Any

import msgspec

from strongroom.client.connection import Connection
from strongroom.client.http import segment
from strongroom.officer.cards import CardFace, OpenCard
from strongroom.protocol import jws
from strongroom.protocol.action_table import Body, DefinePartition, action_name
from strongroom.protocol.admin_actions import ActionRequest, AdminAction, Approval, action_digest, read_action
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused


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


class _World(msgspec.Struct, frozen=True):
    world: str


def partition_requests(connection: Connection) -> list[PartitionRequest]:
    return connection.portal.get("officer/partition-requests", list[PartitionRequest])


def partition_request(connection: Connection, request: str) -> PartitionRequest:
    """One customer's request. Raises `Refused("not-found")`."""
    for one in partition_requests(connection):
        if one.request == request:
            return one
    raise Refused("not-found", f"no open partition request {request!r}")


def world(connection: Connection) -> str:
    """The world that the portal names. A card that has received its ceremony's outcome knows better."""
    return connection.portal.get("officer/world", _World).world


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
        world=card.face.world or world(connection),
        nonce=secrets.token_urlsafe(24),
        created_at=now,
    )
    asked = {"partition_request": partition_request} if partition_request else {}
    signed = {"request": jws.sign(request, card.signing_key)}
    opened = connection.portal.post("officer/actions", signed | asked, OpenedAction)
    if read_action(opened.action).body != request.body:
        raise Refused("action-altered", "the device opened another action than was requested")
    return opened


def review(opened: OpenedAction, face: CardFace, now: int) -> AdminAction:
    """The action from its exact bytes, if this card may approve it: what must be shown before it is signed.

    Raises `Refused`: `action-altered`, `action-expired`, `officer-unknown`, `requester-cannot-approve`.
    """
    read = read_action(opened.action)
    if action_digest(opened.action) != opened.digest:
        raise Refused("action-altered", "the portal's digest is not that of the action")
    if now >= read.expires_at:
        raise Refused("action-expired")
    if read.officer_class != face.officer_class:
        raise Refused("officer-unknown", f"this needs a {read.officer_class} officer's card")
    if face.world and read.world != face.world:
        raise Refused("action-altered", "the action is for another world than the card's")
    if read.requester == face.fingerprint:
        raise Refused("requester-cannot-approve")
    return read


def approve(connection: Connection, card: OpenCard, opened: OpenedAction, otp: str, now: int) -> OpenedAction:
    """Sign the digest of exactly these bytes, and hand the approval in with a fresh one-time code."""
    review(opened, card.face, now)
    approval = Approval(action_digest=action_digest(opened.action), approved_at=now)
    body = {"approval": jws.sign(approval, card.signing_key), "otp": otp}
    return connection.portal.post(f"officer/actions/{segment(str(opened.id))}/approvals", body, OpenedAction)
