"""Administrative actions, from the request to the device's answer.

The portal collects and passes on; the TEE counts. Whatever is checked here is checked again there: it is done early
only so that an officer reads a good error before a one-time code is spent.
"""

import logging
from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.authenticators.codes import use_code
from portal.quorum import selectors
from portal.quorum.models import ActionState, AdminAction, Approval, Decision, OfficerProfile
from portal.quorum.officers import follow_enrolments
from portal.quorum.selectors import ALIAS
from strongroom.protocol import jws
from strongroom.protocol.action_table import (
    Body,
    ChangeOfficers,
    DefinePartition,
    DestroyPartition,
    KeepPartition,
    RetireProviderKey,
    RotateProviderKey,
    RotateVendorKey,
)
from strongroom.protocol.admin_actions import ActionRequest, action_digest, check_answer, read_action, signer
from strongroom.protocol.commands import (
    Done,
    ExecuteAction,
    ExecuteActionReply,
    OpenAction,
    OpenActionReply,
    WithdrawAction,
)
from strongroom.protocol.credentials import thumbprint
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import is_by_security_key
from tee.drivers import secure_module
from tee.listing import try_to_list_vendor_keys
from tee.partitions import record_standing
from tee.services import publish_rotated_keys
from tenants.models import Partition, Tenant
from tenants.signals import emit

logger = logging.getLogger(__name__)

_ANSWERED = {Decision.APPROVE: "officer:approval:given", Decision.DECLINE: "officer:approval:declined"}
_SETTLED = {ActionState.EXECUTED: "device:action:executed", ActionState.WITHDRAWN: "officer:action:withdrawn"}

WAITING = {"quorum-not-met", "security-key-counter", "hsm-sealed", "hsm-unreachable", "log-unwritable", "internal"}
"""Refusals after which the same action can still be executed later."""


def open_action(*, officer: OfficerProfile, request: str, partition_request: str = "") -> AdminAction:
    """Have the TEE open an action on a request that the officer's card signed.

    `partition_request` belongs to an action that defines a partition, and to no other. Raises `Refused`:
    `officer-unknown` for another's card, `conflict` where the request is not for this partition request or such an
    action is open already, and what the TEE says.
    """
    # 1. The officer's own card signed it, and nothing of the kind is under way.
    _require_own_card(officer, jws.signer(request))
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
        tenant=_tenant_of(row),
        actor=officer.user.username,
        action=row.name,
        digest=row.digest,
    )
    return selectors.get_action(row.pk)


def _requested_partition(body: Body, partition_request: str) -> Partition | None:
    """The customer's request that an action answers, if it defines just what was asked for; else None."""
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


def check_declinable(*, partition_request: str) -> Partition:
    """The customer's request that an officer may decline.

    Raises `Refused`: `not-found`, and `conflict` while an action that would define it is open.
    """
    found = selectors.get_partition_request(partition_request)
    action = selectors.open_action_of(found)
    if action is not None:
        raise Refused("conflict", f"action {action.pk} would define it: that is withdrawn first, or expires")
    return found


def decline_partition_request(*, partition_request: str, actor: str) -> None:
    """Answer a customer's request with no. Nothing was done in the TEE: one officer is enough for that.

    Raises what `check_declinable` does.
    """
    found = check_declinable(partition_request=partition_request)
    asked = Partition.objects.using(ALIAS).filter(pk=found.pk, status=Partition.Status.REQUESTED)
    if asked.update(status=Partition.Status.DECLINED):
        emit(
            tag="provider:partition:declined",
            tenant=found.tenant,
            actor=actor,
            request=partition_request,
            label=found.label,
        )


def add_approval(*, officer: OfficerProfile, action_id: int, approval: str, otp: str) -> AdminAction:
    """Keep an officer's signed answer, given with a fresh one-time code, and execute the action if that was enough.

    Given twice, the first stands. Raises `Refused`: `not-found`, `action-expired`, `action-unknown` where the action is
    settled, `officer-unknown`, `requester-cannot-approve`, `signature-invalid`, `action-altered`, `otp-refused`.
    """
    action = _open(action_id)
    # 1. This answer would count: by the TEE's own rule.
    _require_own_card(officer, signer(approval))
    now = int(timezone.now().timestamp())
    answer = check_answer(bytes(action.action), approval, selectors.world().officers, now)
    # 2. The officer is here now: a code that has not served yet.
    step = use_code(officer.user, otp)
    # 3. Keep the answer, whatever becomes of the action.
    given = {"statement": approval, "decision": answer.decision, "reason": answer.reason[:200], "otp_step": step}
    with transaction.atomic(using=ALIAS):
        _, fresh = Approval.objects.using(ALIAS).get_or_create(
            action_id=action.pk, officer_id=officer.pk, defaults=given
        )
    if fresh:
        emit(
            tag=_ANSWERED[Decision(answer.decision)],
            tenant=_tenant_of(action),
            actor=officer.user.username,
            action=action.name,
            digest=action.digest,
        )
    # 4. If these are enough, ask the TEE.
    return settle(action=action)


def withdraw_action(*, officer: OfficerProfile, action_id: int, withdrawal: str) -> AdminAction:
    """Pass the requester's signed withdrawal to the TEE, after which nothing carries the action out any more.

    Raises `Refused`: `not-found`, `action-expired`, `action-unknown` where it is settled, `officer-unknown`, and
    what the TEE says.
    """
    action = _open(action_id)
    _require_own_card(officer, jws.signer(withdrawal))
    secure_module().call(WithdrawAction(withdrawal=withdrawal), Done)
    _record(action, ActionState.WITHDRAWN, "")
    return selectors.get_action(action.pk)


def _require_own_card(officer: OfficerProfile, card: str) -> None:
    if card not in [one.fingerprint for one in selectors.cards_of(officer)]:
        raise Refused("officer-unknown", "signed by another card than your own")


def _open(action_id: int) -> AdminAction:
    action = selectors.get_action(action_id)
    if action.state != ActionState.OPEN:
        raise Refused("action-expired" if action.state == ActionState.EXPIRED else "action-unknown")
    return action


def settle(*, action: AdminAction) -> AdminAction:
    """Bring an open action to its end where that can be known now, and return it as it then is.

    Safe at any moment and from several processes at once: the TEE gives the same answer again after success, so an
    answer that was lost, or never recorded, is asked for anew.
    """
    opened = read_action(bytes(action.action))
    approvals = selectors.approvals_of(action)
    try:
        # 1. Nothing to ask while approvals are missing that can still come. Where officers have changed, this action
        #    may be why.
        world = selectors.world()
        too_few = len(approvals) < world.thresholds[action.officer_class]
        if too_few and action.expires > timezone.now() and opened.officer_epoch == world.epoch:
            return selectors.get_action(action.pk)
        # 2. The TEE decides.
        executed = secure_module().call(
            ExecuteAction(action=bytes(action.action), approvals=approvals), ExecuteActionReply
        )
        # 3. Whom it concerns is shown what it has done. Where that cannot be learnt now, all this is again.
        if isinstance(opened.body, ChangeOfficers):
            follow_enrolments()
        if isinstance(opened.body, DestroyPartition | KeepPartition):
            partition = selectors.partition_named(opened.body.partition)
            if partition is not None:
                record_standing(partition)
    except Refused as error:
        # 4a. No: for good, or not yet. What has expired is not waited for, however few approved it.
        if error.code == "quorum-not-met" and action.expires <= timezone.now():
            error = Refused("action-expired")
        if error.code == "security-key-counter":
            _forget_security_keys(action)
        if error.code in WAITING:
            logger.info("Action %s waits: %s", action.digest, error.code)
        else:
            expired = error.code == "action-expired"
            _record(action, ActionState.EXPIRED if expired else ActionState.REFUSED, error.code)
    else:
        # 4b. Yes. New and retired keys are what customers and the manufacturer learn at once.
        _record(action, ActionState.EXECUTED, executed.result)
        if isinstance(opened.body, RotateVendorKey | RotateProviderKey | RetireProviderKey):
            publish_rotated_keys()
            try_to_list_vendor_keys()
    return selectors.get_action(action.pk)


def _forget_security_keys(action: AdminAction) -> None:
    """Forget the approvals by security keys, whose officers are asked again: since then a key has served elsewhere."""
    given = Approval.objects.using(ALIAS).filter(action_id=action.pk, decision=Decision.APPROVE)
    given.filter(pk__in=[one.pk for one in given if is_by_security_key(one.statement)]).delete()


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
        opened = read_action(bytes(row.action))
        if state == ActionState.EXECUTED and row.partition_request_id is not None:
            Partition.objects.using(ALIAS).filter(pk=row.partition_request_id).update(
                status=Partition.Status.DEFINED, partition_id=result, device_id=opened.device, defined=row.settled
            )
    emit(
        tag=_SETTLED.get(state, "device:action:refused"),
        tenant=_tenant_of(action),
        actor=row.requester.user.username if state == ActionState.WITHDRAWN else "",
        action=action.name,
        digest=action.digest,
        result=result,
    )


def _tenant_of(action: AdminAction) -> Tenant | None:
    """Whom an action concerns, if it is about a customer's partition."""
    if action.partition_request is not None:
        return action.partition_request.tenant
    body = read_action(bytes(action.action)).body
    if isinstance(body, DestroyPartition | KeepPartition):
        partition = selectors.partition_named(body.partition)
        return partition.tenant if partition else None
    return None
