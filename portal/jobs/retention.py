"""What has ended is forgotten after a stated time: ciphertexts too are kept no longer than they serve."""

from datetime import timedelta

from django.utils import timezone

from portal.jobs.models import Chunk, Job, Operation

RESULTS_KEPT = timedelta(days=7)
"""After the end of an operation or job."""
OPEN_KEPT = timedelta(days=7)
"""A job that was never started."""
JOBS_SHOWN = timedelta(days=90)


def forget_old() -> None:
    """Delete what is due, of all tenants, by the provider's role."""
    now = timezone.now()
    Operation.objects.using("provider").filter(finished__lt=now - RESULTS_KEPT).delete()
    jobs = Job.objects.using("provider")
    jobs.filter(status=Job.Status.OPEN, created__lt=now - OPEN_KEPT).update(status=Job.Status.CANCELLED, finished=now)
    over = jobs.filter(forgotten=None).exclude(finished=None)
    due = over.filter(finished__lt=now - RESULTS_KEPT) | over.filter(status=Job.Status.CANCELLED)
    for job in due:
        Chunk.objects.using("provider").filter(job=job).delete()
        jobs.filter(pk=job.pk).update(forgotten=now)
    # A worker may have been at a chunk while its job was cancelled.
    Chunk.objects.using("provider").filter(job__status=Job.Status.CANCELLED).delete()
    jobs.filter(finished__lt=now - JOBS_SHOWN).delete()
