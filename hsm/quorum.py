"""Administrative actions: opened on an officer's signed request, carried out on K officers' signatures, once."""

import secrets

from hsm import records as r
from hsm.actions import DOES
from hsm.device import Device
from hsm.dispatch import OPERATIONAL, PORTAL, handles
from hsm.limits import limits
from hsm.officers import make_roster
from strongroom.protocol import commands, jws
from strongroom.protocol.action_table import ACTIONS, SealDevice
from strongroom.protocol.admin_actions import (
    AdminAction,
    Withdrawal,
    action_digest,
    check_approvable,
    check_request,
    check_withdrawal,
    count_approvals,
    read_action,
    security_key_counters,
)
from strongroom.protocol.encoding import b64u, canonical_json, digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import WORLD_LOG

MAX_SIGNED = 16 * 1024
MAX_APPROVALS = 100


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
    # 2. Nothing is opened that could not be carried out, or approved, as things stand.
    DOES[type(request.body)].check(device, request.body)
    check_approvable(requester, ACTIONS[request.action].officer_class, enrolled.officers, enrolled.thresholds)
    # 3. The device adds what makes the action fresh and its own.
    now = device.now()
    action = canonical_json(
        AdminAction(
            officer_class=ACTIONS[request.action].officer_class,
            action=request.action,
            body=request.body,
            world=device.world,
            device=device.device_id,
            nonce=b64u(secrets.token_bytes(24)),
            officer_epoch=enrolled.epoch,
            requester=requester.credential.fingerprint,
            opened_at=now,
            expires_at=now + limits(device).action_hours * 3600,
        )
    )
    # 4. Only what was opened here can be carried out later.
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
    if opened.withdrawn:
        raise Refused("action-unknown", "its requester took it back")
    # 2. Officers have not changed since, and K distinct ones of its class approve it.
    enrolled = device.officers()
    action = read_action(command.action)
    if action.officer_epoch != enrolled.epoch:
        raise Refused("action-expired", "officers have changed since it was opened")
    counters = security_key_counters(command.approvals)
    approvers = count_approvals(
        command.action,
        command.approvals,
        enrolled.officers,
        enrolled.thresholds,
        device.now(),
        counters={
            key: kept.counter for key in counters if (kept := device.records.get(_counter(key), r.SecurityKeyCounter))
        },
    )
    # 3. It can still be done as things stand now.
    does = DOES[type(action.body)]
    does.check(device, action.body)
    # 4. Done and recorded in one transaction, so once or not at all. The roster is that of the officers who approved.
    roster = make_roster(device)
    with device.records.transaction() as changes:
        result = does.run(device, changes, action.body, action)
        changes.put(_path(command.action), r.replaced(opened, executed=True, result=result))
        for key, counter in counters.items():
            changes.put(_counter(key), r.SecurityKeyCounter(counter))
        for log in (WORLD_LOG, *does.partitions(action.body, result)):
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
                    "roster": roster,
                    "result": result,
                },
            )
    # 5. What can only follow once that is on record.
    if isinstance(action.body, SealDevice):
        device.lock()
    return commands.ExecuteActionReply(result)


@handles(commands.WithdrawAction, states=OPERATIONAL, callers=PORTAL)
def withdraw_action(device: Device, command: commands.WithdrawAction) -> commands.Done:
    """Its requester takes an open action back: approvals that were given or come later carry nothing out."""
    if len(command.withdrawal) > MAX_SIGNED:
        raise Refused("too-large")
    wanted = jws.read_unverified(command.withdrawal, Withdrawal).action_digest
    opened = device.records.get(f"world/actions/{wanted}", r.OpenedAction)
    if opened is None or opened.executed:
        raise Refused("action-unknown")
    requester = read_action(opened.action).requester
    check_withdrawal(command.withdrawal, device.officers().officers, requester, action_digest(opened.action))
    if not opened.withdrawn:
        with device.records.transaction() as changes:
            changes.put(_path(opened.action), r.replaced(opened, withdrawn=True))
            changes.log(
                WORLD_LOG,
                epoch=device.boot_epoch,
                time=device.now(),
                event="action:withdraw",
                principal=requester,
                digest=wanted,
                details={"withdrawal": command.withdrawal},
            )
    return commands.Done()


def _path(action: bytes) -> str:
    return f"world/actions/{action_digest(action)}"


def _counter(security_key: str) -> str:
    return f"world/security-keys/{security_key}"
