"""Bulk jobs: opened, filled with sealed chunks, started, carried out chunk by chunk, forgotten after a while."""

import time

from celery import current_app
from django.db import connection, transaction
from django.utils import timezone

from portal.callbacks import services as callbacks
from portal.callbacks.selectors import find_callback
from portal.jobs import selectors
from portal.jobs.asking import PATIENCE, PAUSE, ask, is_final
from portal.jobs.models import Chunk, Job
from strongroom.protocol.encoding import digest, make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import check_fits
from tee.models import Key
from tee.selectors import operations_key as find_operations_key
from tenants.models import Tenant, User
from tenants.quotas import Quota
from tenants.scoping import tenant_scope

RUN = "portal.jobs.tasks.run_job"
MOST_CHUNKS = 10_000
MOST_UNFINISHED = 20
PARALLEL = 2
"""So many chunks of one job are at the device at once: others want it too."""
SLICE_SECONDS = 2.0
"""So long a worker stays with one job before it looks whether others wait."""
_LOCK = 0x6A6F6273
"""The class of the advisory locks that are a job's `PARALLEL` slots."""
_GOING = (Job.Status.RUNNING, Job.Status.PAUSED)


def create_job(
    *,
    tenant: Tenant,
    user: User,
    key: Key,
    operation: str,
    mechanism: str,
    operations_key: str,
    chunks: int,
    items: int,
    callback: str,
    version: int,
) -> Job:
    """An open job with this version of a key, whose chunks are to come.

    Raises `Refused`: `mechanism-unsupported`, `key-not-active` and `operations-key-unknown` for what can never run,
    as far as the portal knows; `not-found` for a callback that is none, `conflict` for one job too many.
    """
    partition = key.partition.partition_id or ""
    check_fits(mechanism, key.key_type, operation)
    if key.state == "destroyed":
        raise Refused("key-not-active", f"version {version} is destroyed")
    if operations_key != find_operations_key(tenant=tenant, partition_id=partition).key_id:
        raise Refused("operations-key-unknown")
    with tenant_scope(tenant):
        unfinished = Job.objects.filter(tenant=tenant, status__in=(Job.Status.OPEN, *_GOING))
        if unfinished.count() >= MOST_UNFINISHED:
            raise Refused("conflict", f"a tenant has at most {MOST_UNFINISHED} unfinished jobs: cancel one")
        named = find_callback(tenant=tenant, callback_id=callback) if callback else None
        return Job.objects.create(
            tenant=tenant,
            user=user,
            job_id=make_id("job_"),
            partition=partition,
            key_id=key.key_id,
            version=version,
            operation=operation,
            mechanism=mechanism,
            operations_key=operations_key,
            chunks=chunks,
            items=items,
            callback=named,
        )


def put_chunk(
    *, tenant: Tenant, user: User, quota: Quota, job_id: str, number: int, sealed: bytes, instruction: str, items: int
) -> bool:
    """Keep one chunk; whether it is new, and then its items count. The same bytes again are fine, others are not.

    Raises `Refused`: `not-found`, `conflict` for other bytes, or where the job has begun; `quota-exceeded`.
    """
    stated = digest(sealed + b"\x00" + instruction.encode())
    with tenant_scope(tenant):
        job = selectors.find_job(tenant=tenant, job_id=job_id, user=user)
        if not 0 <= number < job.chunks:
            raise Refused("not-found", f"the job's chunks are numbered 0 to {job.chunks - 1}")
        kept = Chunk.objects.filter(job=job, number=number).values_list("digest", flat=True).first()
        if kept is None and job.status == Job.Status.OPEN:
            quota.spend(items=items)
            _, new = Chunk.objects.get_or_create(
                job=job,
                number=number,
                defaults={
                    "tenant": tenant, "digest": stated, "items": items, "request": sealed, "instruction": instruction,
                },
            )  # fmt: skip
            if new:
                return True
            kept = Chunk.objects.filter(job=job, number=number).values_list("digest", flat=True).first()
    if kept == stated:
        return False
    raise Refused("conflict", "the job has begun or ended" if kept is None else "the chunk is there with other bytes")


def start_job(*, tenant: Tenant, user: User, token_digest: str, job_id: str) -> Job:
    """Begin, once all chunks are there, as long as this token stands: started again, by whose token that was.

    Raises `Refused`: `not-found`, `conflict`.
    """
    with tenant_scope(tenant):
        job = selectors.find_job(tenant=tenant, job_id=job_id, user=user, lock=True)
        if job.status in _GOING:
            job.token_digest = token_digest
            job.save(update_fields=["token_digest"])
        if job.status in (*_GOING, Job.Status.DONE):
            return job
        if job.status != Job.Status.OPEN:
            raise Refused("conflict", f"the job is {job.status}")
        there = job.parts.count()
        if there != job.chunks:
            raise Refused("conflict", f"{job.chunks - there} of {job.chunks} chunks are missing")
        now = timezone.now()
        job.status, job.started, job.next_try, job.token_digest = Job.Status.RUNNING, now, now, token_digest
        job.save()
        arguments = [tenant.pk, job.pk]
        for _ in range(PARALLEL):
            transaction.on_commit(lambda: current_app.send_task(RUN, arguments, retry=False), robust=True)
    return job


def cancel_job(*, tenant: Tenant, user: User | None, job_id: str) -> Job:
    """End a job (of `user`, if given), and forget its chunks. Raises `Refused`: `not-found`, `conflict`."""
    with tenant_scope(tenant):
        job = selectors.find_job(tenant=tenant, job_id=job_id, user=user, lock=True)
        if job.is_over and job.status != Job.Status.CANCELLED:
            raise Refused("conflict", f"the job is {job.status}: DELETE deletes its results")
        _forget(job)
    return job


def forget_job(*, tenant: Tenant, user: User | None, job_id: str) -> None:
    """Delete the chunks of a job (of `user`, if given), and end it if it is not over. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        _forget(selectors.find_job(tenant=tenant, job_id=job_id, user=user, lock=True))


def _forget(job: Job) -> None:
    if job.forgotten:
        return
    job.forgotten = timezone.now()
    if not job.is_over:
        job.status, job.finished, job.next_try = Job.Status.CANCELLED, job.forgotten, None
    job.save()
    job.parts.all().delete()


def run_job(*, tenant: Tenant, job: int) -> None:
    """Carry out chunks for some seconds, and have the rest done by whoever is next."""
    begun = time.monotonic()
    while time.monotonic() - begun < SLICE_SECONDS:
        if not _run_chunk(tenant, job):
            _finish(tenant, job)
            return
    current_app.send_task(RUN, [tenant.pk, job], retry=False)


def run_due() -> None:
    """Have every job gone on with that is not finished, of all tenants: whatever was lost on the way, this finds."""
    going = Job.objects.using("provider").filter(status__in=_GOING, next_try__lte=timezone.now())
    for tenant, job in going.values_list("tenant", "pk"):
        current_app.send_task(RUN, [tenant, job], expires=10)


def _run_chunk(tenant: Tenant, job_pk: int) -> bool:
    """Carry out one chunk; whether there may be more. A kill at any moment leaves it as it was, for the next."""
    with tenant_scope(tenant):
        # 1. A job that goes on, a slot of it, and a chunk that nobody is at.
        rows = Job.objects.select_related("user", "tenant")
        job = rows.filter(pk=job_pk, status__in=_GOING, next_try__lte=timezone.now()).first()
        if job is None or not _take_slot(job_pk):
            return False
        chunk = job.parts.filter(done=False).select_for_update(skip_locked=True).first()
        if chunk is None:
            return False
        # 2. The device.
        try:
            reply = ask(job, bytes(chunk.request), chunk.instruction, chunk.items)
        except Refused as refused:
            _refused(job, chunk, refused)
            return False
        # 3. Its reply in the request's place, once.
        chunk.reply, chunk.statement, chunk.request, chunk.instruction, chunk.done = (
            reply.sealed, reply.statement, b"", "", True,
        )  # fmt: skip
        chunk.save()
        if job.status == Job.Status.PAUSED:
            Job.objects.filter(pk=job.pk, status=Job.Status.PAUSED).update(
                status=Job.Status.RUNNING, refused_since=None, error_code="", error_detail=""
            )
    return True


def _take_slot(job: int) -> bool:
    with connection.cursor() as cursor:
        for slot in range(PARALLEL):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, (job * PARALLEL + slot) % 2**31])
            if cursor.fetchone()[0]:
                return True
    return False


def _refused(job: Job, chunk: Chunk, refused: Refused) -> None:
    """The device refuses a chunk as a whole: the job pauses visibly and tries again, or has failed."""
    now = timezone.now()
    since = job.refused_since or now
    reason = {"error_code": refused.code, "error_detail": f"chunk {chunk.number}: {refused.sentence}"[:500]}
    going = Job.objects.filter(pk=job.pk, status__in=_GOING)
    if not is_final(refused) and now < since + PATIENCE:
        going.update(status=Job.Status.PAUSED, refused_since=since, next_try=now + PAUSE, **reason)
    elif going.update(status=Job.Status.FAILED, refused_since=since, next_try=None, finished=now, **reason):
        job.refresh_from_db()
        _announce(job)


def _finish(tenant: Tenant, job_pk: int) -> None:
    """The job is done when its last chunk is, whoever saw to that."""
    with tenant_scope(tenant):
        job = Job.objects.select_for_update().filter(pk=job_pk, status__in=_GOING).first()
        if job is None or job.parts.filter(done=False).exists():
            return
        job.status, job.finished, job.next_try = Job.Status.DONE, timezone.now(), None
        job.error_code, job.error_detail, job.refused_since = "", "", None
        job.save()
        _announce(job)


def _announce(job: Job) -> None:
    callbacks.announce(
        tenant=job.tenant, event="job.completed", subject=job.job_id, data=selectors.told_job(job), named=job.callback
    )
