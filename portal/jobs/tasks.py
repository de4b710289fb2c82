"""Work of this package that may wait. It has a queue of its own; what a worker loses is delivered again."""

from celery import shared_task

from portal.jobs import operations, retention, services
from tenants.models import Tenant


@shared_task(acks_late=True)
def run_operation(tenant: int, operation: int) -> None:
    operations.run(tenant=Tenant.objects.get(pk=tenant), operation=operation)


@shared_task(acks_late=True)
def run_job(tenant: int, job: int) -> None:
    services.run_job(tenant=Tenant.objects.get(pk=tenant), job=job)


@shared_task
def run_due() -> None:
    """What waits, or was lost with a broker or worker."""
    operations.run_due()
    services.run_due()


@shared_task
def forget_old() -> None:
    retention.forget_old()
