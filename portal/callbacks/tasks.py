"""Work of this package that may wait. It has a queue of its own."""

from celery import shared_task

from portal.callbacks import services
from tenants.models import Tenant


@shared_task
def deliver(tenant: int, callback: int) -> None:
    """Send what is due to one callback."""
    services.deliver(tenant=Tenant.objects.get(pk=tenant), callback=callback)


@shared_task
def deliver_due() -> None:
    services.deliver_due()


@shared_task
def forget_deliveries() -> None:
    services.forget_old()
