"""Asynchronous operations: kept sealed, carried out by a worker, told of when they have ended."""

from typing import Any

from celery import current_app
from django.db import transaction
from django.utils import timezone

from portal.callbacks import services as callbacks
from portal.callbacks.selectors import find_callback
from portal.jobs import selectors
from portal.jobs.asking import PATIENCE, PAUSE, ask, is_final
from portal.jobs.models import Operation
from strongroom.protocol.encoding import digest, make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.operations import OperationReply
from tenants.models import Tenant, User
from tenants.scoping import tenant_scope

RUN = "portal.jobs.tasks.run_operation"
MOST_WAITING = 10_000
UNFINISHED = (Operation.Status.QUEUED, Operation.Status.RUNNING)


def new_operation_id() -> str:
    """Chosen before there is one: a reply key is derived from it."""
    return make_id("op_")


def create(*, tenant: Tenant, user: User, operation_id: str, sealed: bytes, callback: str, **asked: Any) -> Operation:
    """Keep an operation for a worker. `asked`: the remaining fields of the row.

    Raises `Refused`: `not-found` for a callback that is none, `throttled` where too many are waiting.
    """
    with tenant_scope(tenant):
        waiting = Operation.objects.filter(tenant=tenant, status__in=UNFINISHED)
        if waiting[MOST_WAITING - 1 : MOST_WAITING].exists():
            raise Refused("throttled", f"at most {MOST_WAITING} operations of a tenant wait")
        named = find_callback(tenant=tenant, callback_id=callback) if callback else None
        row = Operation.objects.create(
            tenant=tenant,
            user=user,
            operation_id=operation_id,
            request=sealed,
            request_digest=digest(sealed) if sealed else "",
            callback=named,
            next_try=timezone.now(),
            **asked,
        )
        arguments = [tenant.pk, row.pk]
        transaction.on_commit(lambda: current_app.send_task(RUN, arguments, retry=False), robust=True)
    return row


def forget(*, tenant: Tenant, user: User | None, operation_id: str) -> None:
    """Delete an operation (of `user`, if given), with its result, or before it is carried out.

    Raises `Refused("not-found")`.
    """
    with tenant_scope(tenant):
        rows = Operation.objects.filter(tenant=tenant, operation_id=operation_id)
        deleted, _ = (rows.filter(user=user) if user else rows).delete()
    if not deleted:
        raise Refused("not-found")


def run(*, tenant: Tenant, operation: int) -> None:
    """Carry one out, unless it is done or another worker is at it. A kill at any moment leaves it for the next."""
    # 1. Everyone sees that it runs; what has run before, and was cut off, runs again.
    now = timezone.now()
    with tenant_scope(tenant):
        due = Operation.objects.filter(pk=operation, status__in=UNFINISHED, next_try__lte=now)
        due.filter(status=Operation.Status.QUEUED).update(status=Operation.Status.RUNNING, started=now)
    # 2. One worker at a time, and what came of it, once.
    with tenant_scope(tenant):
        rows = due.select_related("user", "tenant", "callback")
        row = rows.select_for_update(of=("self",), skip_locked=True).first()
        if row is None:
            return
        try:
            # A batch of which nothing could be read has nothing for the device.
            reply = ask(row, bytes(row.request), row.instruction, row.count) if row.request else OperationReply()
        except Refused as refused:
            row.error_code, row.error_detail = refused.code, refused.sentence[:500]
            if not is_final(refused) and timezone.now() < row.created + PATIENCE:
                row.status, row.next_try = Operation.Status.QUEUED, timezone.now() + PAUSE
                row.save()
                return
            row.status = Operation.Status.FAILED
        else:
            row.status, row.reply, row.statement = Operation.Status.DONE, reply.sealed, reply.statement
            row.used_version, row.used_mechanism = reply.version, reply.mechanism
            row.error_code = row.error_detail = ""
        row.request, row.instruction, row.next_try, row.finished = b"", "", None, timezone.now()
        row.save()
        callbacks.announce(
            tenant=tenant,
            event="operation.completed",
            subject=row.operation_id,
            data=selectors.told(row),
            named=row.callback,
        )


def run_due() -> None:
    """Have everything carried out that waits, of all tenants: what a broker has lost, and what is to be tried again."""
    waiting = Operation.objects.using("provider").filter(status__in=UNFINISHED)
    due = waiting.filter(next_try__lte=timezone.now() - PAUSE)
    for tenant, row in due.order_by("next_try").values_list("tenant", "pk")[:MOST_WAITING]:
        current_app.send_task(RUN, [tenant, row], expires=10)
