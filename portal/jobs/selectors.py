"""Reads of asynchronous operations and jobs. Functions named `find_…` need a `tenant_scope` around them."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum

from portal.jobs.models import Chunk, Job, Operation
from strongroom.protocol.errors import Refused
from tenants.models import Tenant, User
from tenants.scoping import tenant_scope

TOLD_BYTES = 64 * 1024
"""A larger reply is not in the message to a callback, which then says only where it is."""
MOST_SHOWN = 200


@dataclass(frozen=True)
class Progress:
    """Chunks that have come, and chunks and items that are done."""

    stored: int
    done: int
    items_done: int


def operation(*, tenant: Tenant, operation_id: str) -> Operation:
    """Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        found = Operation.objects.filter(tenant=tenant, operation_id=operation_id).first()
    if found is None:
        raise Refused("not-found")
    return found


def work_waiting() -> dict[str, int]:
    """How many operations, and chunks of jobs that go on, of all tenants are not done: the provider's own view."""
    unfinished = Operation.objects.using("provider").filter(finished=None)
    chunks = Chunk.objects.using("provider").filter(done=False, job__status__in=(Job.Status.RUNNING, Job.Status.PAUSED))
    return {"operations": unfinished.count(), "chunks": chunks.count()}


def operations(*, tenant: Tenant) -> list[Operation]:
    """The last 200, newest first."""
    with tenant_scope(tenant):
        return list(Operation.objects.filter(tenant=tenant).defer("request", "reply")[:MOST_SHOWN])


def jobs(*, tenant: Tenant) -> list[tuple[Job, Progress]]:
    """The last 200, newest first."""
    with tenant_scope(tenant):
        found = list(Job.objects.filter(tenant=tenant).select_related("callback")[:MOST_SHOWN])
        return [(one, _progress(one)) for one in found]


def jobs_to_look_at(*, tenant: Tenant, since: datetime) -> list[Job]:
    """Those that are paused, and those that failed since then, newest first."""
    failed = Q(status=Job.Status.FAILED, finished__gte=since)
    with tenant_scope(tenant):
        return list(Job.objects.filter(failed | Q(status=Job.Status.PAUSED), tenant=tenant)[:MOST_SHOWN])


def job(*, tenant: Tenant, job_id: str) -> tuple[Job, Progress]:
    """Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        found = find_job(tenant=tenant, job_id=job_id)
        return found, _progress(found)


def find_job(*, tenant: Tenant, job_id: str, user: User | None = None, lock: bool = False) -> Job:
    """`user`: whose job it must be, where one is given. Raises `Refused("not-found")`."""
    rows = Job.objects.select_for_update(of=("self",)) if lock else Job.objects
    found = rows.select_related("callback").filter(tenant=tenant, job_id=job_id).first()
    if found is None or (user is not None and found.user_id != user.pk):
        raise Refused("not-found")
    return found


def chunks(*, tenant: Tenant, job_id: str) -> list[Chunk]:
    """The chunks that have come, in order, without what is in them. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        found = find_job(tenant=tenant, job_id=job_id)
        return list(found.parts.defer("request", "reply", "instruction", "statement"))


def chunk(*, tenant: Tenant, job_id: str, number: int) -> Chunk:
    """A chunk that is done. Raises `Refused`: `not-found`, `conflict` where it is not done yet."""
    with tenant_scope(tenant):
        found = find_job(tenant=tenant, job_id=job_id)
        row = found.parts.filter(number=number).first()
    if row is None:
        forgotten = f"the results were deleted on {found.forgotten:%Y-%m-%d}" if found.forgotten else ""
        raise Refused("not-found", forgotten)
    if not row.done:
        raise Refused("conflict", "the chunk is not done yet")
    return row


def told(row: Operation) -> dict[str, Any]:
    """What a callback is told of an operation that has ended: its result only as it rests, sealed."""
    about = {
        "id": row.operation_id,
        "status": row.status,
        "key_id": row.key_id,
        "operation": row.operation,
        "error": _error(row),
        "url": f"/api/v1/operations/{row.operation_id}",
    }
    if row.status == Operation.Status.DONE and len(row.reply) <= TOLD_BYTES:
        about |= {"sealed": base64.b64encode(bytes(row.reply)).decode(), "statement": row.statement}
    return about


def told_job(row: Job) -> dict[str, Any]:
    return {
        "id": row.job_id,
        "status": row.status,
        "key_id": row.key_id,
        "operation": row.operation,
        "chunks": row.chunks,
        "error": _error(row),
        "url": f"/api/v1/jobs/{row.job_id}",
    }


def _error(row: Operation | Job) -> dict[str, str] | None:
    return {"code": row.error_code, "detail": row.error_detail} if row.error_code else None


def _progress(found: Job) -> Progress:
    if found.forgotten:
        is_done = found.status == Job.Status.DONE
        return Progress(found.chunks if is_done else 0, found.chunks if is_done else 0, found.items if is_done else 0)
    parts = found.parts.order_by()
    done = parts.filter(done=True).aggregate(chunks=Count("pk"), items=Sum("items"))
    return Progress(parts.count(), done["chunks"], done["items"] or 0)
