"""Administrative actions: opened on an officer's signed request, carried out on K officers' signatures, once."""

import secrets

from hsm import records as r
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.partitions import define_partition
from hsm.revocation_bounds import set_bounds
from hsm.wrapping_keys import rotate_wrapping_key
from strongroom.protocol import commands
from strongroom.protocol.admin_actions import (
    ACTIONS,
    AdminAction,
    DefinePartition,
    RotateProviderKey,
    SetRevocationBounds,
    action_digest,
    check_request,
    count_approvals,
    read_action,
)
from strongroom.protocol.encoding import b64u, canonical_json, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import WORLD_LOG
from strongroom.protocol.statements import Roster

ACTION_SECONDS = 7 * 24 * 3600
MAX_SIGNED = 16 * 1024
MAX_APPROVALS = 100


@handles(commands.ListOfficers, states=OPERATIONAL, callers=PORTAL)
def list_officers(device: Device, _command: commands.ListOfficers) -> commands.ListOfficersReply:
    enrolled = device.officers()
    return commands.ListOfficersReply(
        enrolled.epoch, device.world, enrolled.officers, enrolled.thresholds, make_roster(device)
    )


@handles(commands.OpenAction, states=OPERATIONAL, callers=PORTAL)
def open_action(device: Device, command: commands.OpenAction) -> commands.OpenActionReply:
    """The bytes that officers are to approve: the request with the device's nonce, officer epoch and expiry."""
    # 1. An enrolled officer's card asks, for this world; asked again, it is the same action.
    if len(command.request) > MAX_SIGNED:
        raise Refused("too-large")
    enrolled = device.officers()
    request, requester = check_request(command.request, enrolled.officers, device.world)
    asked = f"world/requests/{digest(command.request.encode())}"
    if (kept := device.records.get(asked, r.AskedAction)) is not None:
        return commands.OpenActionReply(kept.action)
    # 2. The device adds what makes the action fresh and its own.
    now = device.now()
    action = canonical_json(
        AdminAction(
            officer_class=ACTIONS[request.action],
            action=request.action,
            body=request.body,
            world=device.world,
            device=device.device_id,
            nonce=b64u(secrets.token_bytes(24)),
            officer_epoch=enrolled.epoch,
            requester=requester.credential.fingerprint,
            opened_at=now,
            expires_at=now + ACTION_SECONDS,
        )
    )
    # 3. Only what was opened here can be carried out later.
    with device.records.transaction() as changes:
        changes.put(asked, r.AskedAction(action))
        changes.put(_path(action), r.OpenedAction(action))
        changes.log(
            WORLD_LOG,
            epoch=device.boot_epoch,
            time=now,
            event="action:open",
            principal=requester.credential.fingerprint,
            digest=action_digest(action),
            details={"request": command.request},
        )
    return commands.OpenActionReply(action)


@handles(commands.ExecuteAction, states=OPERATIONAL, callers=PORTAL, quorum=True)
def execute_action(device: Device, command: commands.ExecuteAction) -> commands.ExecuteActionReply:
    """Count the approvals and carry the action out. After success, the same bytes get the same answer."""
    # 1. It was opened here, and these are its bytes.
    if len(command.approvals) > MAX_APPROVALS or max(map(len, command.approvals), default=0) > MAX_SIGNED:
        raise Refused("too-large")
    opened = device.records.get(_path(command.action), r.OpenedAction)
    if opened is None or opened.action != command.action:
        raise Refused("action-unknown")
    if opened.executed:
        return commands.ExecuteActionReply(opened.result)
    # 2. Officers have not changed since, and K distinct ones of its class approve it.
    enrolled = device.officers()
    action = read_action(command.action)
    if action.officer_epoch != enrolled.epoch:
        raise Refused("action-expired", "officers have changed since it was opened")
    approvers = count_approvals(command.action, command.approvals, enrolled.officers, enrolled.thresholds, device.now())
    # 3. Done and recorded in one transaction, so once or not at all.
    with device.records.transaction() as changes:
        result = _carry_out(device, changes, action)
        changes.put(_path(command.action), r.replaced(opened, executed=True, result=result))
        logs = (WORLD_LOG, result) if isinstance(action.body, DefinePartition) else (WORLD_LOG,)
        for log in logs:
            changes.log(
                log,
                epoch=device.boot_epoch,
                time=device.now(),
                event="action:execute",
                principal=action.requester,
                digest=action_digest(command.action),
                details={
                    "action": b64u(command.action),
                    "approvals": command.approvals,
                    "approvers": sorted(one.credential.fingerprint for one in approvers),
                    "roster": make_roster(device),
                    "result": result,
                },
            )
    return commands.ExecuteActionReply(result)


def _carry_out(device: Device, changes: r.Changes, action: AdminAction) -> str:
    """Do what the action says. Returns what it made: a partition's id, a wrapping key's id."""
    if isinstance(action.body, DefinePartition):
        return define_partition(device, changes, action, action.body)
    if isinstance(action.body, RotateProviderKey):
        return rotate_wrapping_key(device, changes, "provider-key", action.body.suite)
    if isinstance(action.body, SetRevocationBounds):
        return set_bounds(changes, action.body)
    return rotate_wrapping_key(device, changes, "vendor-key", "HPKE-XWING")


def make_roster(device: Device) -> str:
    """The officers enrolled now, signed: with it anyone can count an action's approvals again."""
    enrolled = device.officers()
    return device.sign(
        Roster(
            device=device.device_id,
            world=device.world,
            epoch=enrolled.epoch,
            officers=enrolled.officers,
            thresholds=enrolled.thresholds,
            issued_at=device.now(),
        )
    )


def _path(action: bytes) -> str:
    return f"world/actions/{action_digest(action)}"
