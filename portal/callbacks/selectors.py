"""Reads of callbacks and their deliveries. Functions named `find_…` need a `tenant_scope` around them."""

from datetime import datetime

from portal.callbacks.models import Callback, Delivery
from strongroom.protocol.errors import Refused
from tenants.models import Tenant
from tenants.scoping import tenant_scope

MOST_SHOWN = 200


def callbacks(*, tenant: Tenant) -> list[Callback]:
    """The tenant's callbacks, oldest first."""
    with tenant_scope(tenant):
        return list(Callback.objects.filter(tenant=tenant, status=Callback.Status.ACTIVE))


def callback(*, tenant: Tenant, callback_id: str) -> Callback:
    """Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        return find_callback(tenant=tenant, callback_id=callback_id)


def find_callback(*, tenant: Tenant, callback_id: str, lock: bool = False) -> Callback:
    rows = Callback.objects.select_for_update() if lock else Callback.objects
    found = rows.filter(tenant=tenant, callback_id=callback_id, status=Callback.Status.ACTIVE).first()
    if found is None:
        raise Refused("not-found", "there is no such callback")
    return found


def deliveries_waiting() -> int:
    """How many messages to callbacks of all tenants are still to be delivered: the provider's own view."""
    return Delivery.objects.using("provider").filter(status=Delivery.Status.PENDING).count()


def deliveries(*, tenant: Tenant, callback_id: str) -> list[Delivery]:
    """The last 200 messages to a callback, newest first. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        row = find_callback(tenant=tenant, callback_id=callback_id)
        return list(Delivery.objects.filter(callback=row).defer("body")[:MOST_SHOWN])


def failing(*, tenant: Tenant, since: datetime) -> list[tuple[Callback, int, str]]:
    """Callbacks whose last message was not delivered at its last attempt: how many since then were not, and why."""
    found = []
    for callback in callbacks(tenant=tenant):
        with tenant_scope(tenant):
            tried = Delivery.objects.filter(callback=callback, attempts__gt=0, created__gte=since)
            last = tried.defer("body").first()
            if last is None or last.status == Delivery.Status.DELIVERED:
                continue
            count = tried.exclude(status=Delivery.Status.DELIVERED).count()
        found.append((callback, count, last.error or f"the answer was {last.status_code}"))
    return found
