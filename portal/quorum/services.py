"""Administrative actions, from the request to the device's answer.

The portal collects and passes on; the TEE counts. Whatever is checked here is checked again there: it is done early
only so that an officer reads a good error before a one-time code is spent.
"""

import logging
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.quorum import selectors
from portal.quorum.codes import use_code
from portal.quorum.models import ActionState, AdminAction, Approval, OfficerProfile
from portal.quorum.selectors import ALIAS
from strongroom.protocol import jws
from strongroom.protocol.action_table import Body, DefinePartition
from strongroom.protocol.admin_actions import ActionRequest, action_digest, count_approvals, read_action
from strongroom.protocol.commands import (
    ExecuteAction,
    ExecuteActionReply,
    ListOfficersReply,
    OpenAction,
    OpenActionReply,
)
from strongroom.protocol.credentials import thumbprint
from strongroom.protocol.errors import Refused
from tee.drivers import secure_module
from tee.listing import try_to_list_vendor_keys
from tee.services import publish_rotated_keys
from tenants.models import Partition, Tenant
from tenants.signals import emit

logger = logging.getLogger(__name__)

WAITING = {"quorum-not-met", "hsm-sealed", "hsm-unreachable", "log-unwritable", "internal"}
"""Refusals after which the same action can still be executed later."""


def open_action(*, officer: OfficerProfile, request: str, partition_request: str = "") -> AdminAction:
    """Have the TEE open an action on a request that the officer's card signed.

    `partition_request` belongs to an action that defines a partition, and to no other. Raises `Refused`:
    `officer-unknown` for another's card, `conflict` where the request is not for this partition request or such an
    action is open already, and what the TEE says.
    """
    # 1. The officer's own card signed it, and nothing of the kind is under way.
    if jws.signer(request) != officer.card_fingerprint:
        raise Refused("officer-unknown", "signed by another card than your own")
    body = jws.read_unverified(request, ActionRequest).body
    partition = _requested_partition(body, partition_request)
    if partition is None and selectors.is_open(body):
        raise Refused("conflict", "an action of this kind is open already")
    # 2. The TEE checks the signature and makes the bytes that officers approve.
    opened = secure_module().call(OpenAction(request=request), OpenActionReply).action
    action = read_action(opened)
    # 3. Keep them exactly.
    row = AdminAction(
        digest=action_digest(opened),
        action=opened,
        name=action.action,
        officer_class=action.officer_class,
        requester_id=officer.pk,
        partition_request_id=partition.pk if partition else None,
        opened=datetime.fromtimestamp(action.opened_at, UTC),
        expires=datetime.fromtimestamp(action.expires_at, UTC),
    )
    try:
        row.save(using=ALIAS)
    except IntegrityError:
        raise Refused("conflict", "an action for this partition request is open already") from None
    emit(
        tag="officer:action:opened",
        tenant=partition.tenant if partition else None,
        actor=officer.user.username,
        action=row.name,
        digest=row.digest,
    )
    return selectors.get_action(row.pk)


def _requested_partition(body: Body, partition_request: str) -> Partition | None:
    """The customer's request that an action answers, if it defines exactly what was asked for; None for a rotation."""
    if not isinstance(body, DefinePartition):
        if partition_request:
            raise Refused("conflict", "the signed request is not for a partition")
        return None
    partition = selectors.get_partition_request(partition_request)
    asked_for = (partition.tenant.slug, partition.label, partition.owner_fingerprint)
    if (body.tenant, body.label, thumbprint(body.owner)) != asked_for:
        raise Refused("conflict", "the signed request differs from the customer's partition request")
    if selectors.open_action_of(partition) is not None:
        raise Refused("conflict", "an action for this partition request is open already")
    return partition


def add_approval(*, officer: OfficerProfile, action_id: int, approval: str, otp: str) -> AdminAction:
    """Keep an officer's signed approval, given with a fresh one-time code, and execute the action if that was enough.

    Given twice, the first stands. Raises `Refused`: `not-found`, `action-expired`, `action-unknown` where the action is
    settled, `officer-unknown`, `requester-cannot-approve`, `signature-invalid`, `action-altered`, `otp-refused`.
    """
    action = selectors.get_action(action_id)
    # 1. The action can still be approved, and this approval would count: by the TEE's own rule, threshold one.
    if action.state != ActionState.OPEN:
        raise Refused("action-expired" if action.state == ActionState.EXPIRED else "action-unknown")
    if jws.signer(approval) != officer.card_fingerprint:
        raise Refused("officer-unknown", "signed by another card than your own")
    world = selectors.world()
    _count(action, [approval], world, {action.officer_class: 1})
    # 2. The officer is here now: a code that has not served yet.
    step = use_code(officer.user, otp)
    # 3. Keep the approval, whatever becomes of the action.
    with transaction.atomic(using=ALIAS):
        _, fresh = Approval.objects.using(ALIAS).get_or_create(
            action_id=action.pk, officer_id=officer.pk, defaults={"statement": approval, "otp_step": step}
        )
    if fresh:
        emit(
            tag="officer:approval:given",
            tenant=_tenant_of(action),
            actor=officer.user.username,
            action=action.name,
            digest=action.digest,
        )
    # 4. If these are enough, ask the TEE.
    return settle(action=action)


def settle(*, action: AdminAction) -> AdminAction:
    """Bring an open action to its end where that can be known now, and return it as it then is.

    Safe at any moment and from several processes at once: the TEE gives the same answer again after success, so an
    answer that was lost, or never recorded, is asked for anew.
    """
    approvals = selectors.approvals_of(action)
    # 1. Enough approvals? Without them, an action ends by its expiry alone.
    try:
        if len(approvals) < selectors.world().thresholds[action.officer_class]:
            if action.expires <= timezone.now():
                _record(action, ActionState.EXPIRED, "action-expired")
            return selectors.get_action(action.pk)
        # 2. The TEE decides.
        executed = secure_module().call(
            ExecuteAction(action=bytes(action.action), approvals=approvals), ExecuteActionReply
        )
    except Refused as error:
        # 3a. No: for good, or not yet.
        if error.code in WAITING:
            logger.info("Action %s waits: %s", action.digest, error.code)
        else:
            expired = error.code == "action-expired"
            _record(action, ActionState.EXPIRED if expired else ActionState.REFUSED, error.code)
    else:
        # 3b. Yes: the partition exists, or the device has a new key in force, which customers and manufacturer learn.
        _record(action, ActionState.EXECUTED, executed.result)
        if action.partition_request_id is None:
            publish_rotated_keys()
            try_to_list_vendor_keys()
    return selectors.get_action(action.pk)


def settle_open_actions() -> int:
    """Settle every open action; how many are open no longer."""
    settled = 0
    for action in selectors.actions().filter(state=ActionState.OPEN):
        settled += settle(action=action).state != ActionState.OPEN
    return settled


def _record(action: AdminAction, state: ActionState, result: str) -> None:
    """Write the outcome once, together with what it means for the partition."""
    with transaction.atomic(using=ALIAS):
        row = AdminAction.objects.using(ALIAS).select_for_update().get(pk=action.pk)
        if row.state != ActionState.OPEN:
            return
        row.state, row.result, row.settled = state, result, timezone.now()
        row.save(update_fields=["state", "result", "settled"])
        if state == ActionState.EXECUTED and row.partition_request_id is not None:
            Partition.objects.using(ALIAS).filter(pk=row.partition_request_id).update(
                status=Partition.Status.DEFINED,
                partition_id=result,
                device_id=read_action(bytes(row.action)).device,
                defined=row.settled,
            )
    tag = "device:action:executed" if state == ActionState.EXECUTED else "device:action:refused"
    emit(tag=tag, tenant=_tenant_of(action), actor="", action=action.name, digest=action.digest, result=result)


def _tenant_of(action: AdminAction) -> Tenant | None:
    """Whom an action concerns, if a customer asked for it."""
    return action.partition_request.tenant if action.partition_request is not None else None


def _count(action: AdminAction, approvals: list[str], world: ListOfficersReply, thresholds: dict[str, int]) -> None:
    now = int(timezone.now().timestamp())
    count_approvals(bytes(action.action), approvals, world.officers, thresholds, now)
