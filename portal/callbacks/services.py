"""Registering callbacks, telling them what is done, and delivering that until it arrives or is given up."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from portal.callbacks import selectors, sending, signing
from portal.callbacks.models import Callback, Delivery
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from tee import at_rest
from tenants.models import Tenant
from tenants.scoping import tenant_scope
from tenants.signals import emit

OVERLAP = timedelta(hours=24)
"""So long the secret before signs too."""
MOST_CALLBACKS = 50
KEPT = timedelta(days=30)
"""So long a delivery is shown after it has ended."""
DELIVER = "portal.callbacks.tasks.deliver"
_SLICE_SECONDS = 5.0
_LOCK = 0x63616C6C
"""The class of the advisory locks by which one message at a time goes to a callback."""


def check_new_callback(*, tenant: Tenant, url: str) -> None:
    """Raises `Refused`: `callback-refused` for an address that may not be called, `conflict` for one too many."""
    sending.check_url(url, reach=settings.CALLBACK_REACH)
    with tenant_scope(tenant):
        _check_room(tenant)


def create_callback(*, tenant: Tenant, url: str, every: bool, actor: str) -> tuple[Callback, str]:
    """A new callback, and its secret, which is shown this once.

    Raises `Refused`: as `check_new_callback`, and `unavailable` where secrets cannot be kept.
    """
    sending.check_url(url, reach=settings.CALLBACK_REACH)
    if not at_rest.is_configured():
        raise Refused("unavailable", "this provider has no key to keep a callback's secret under")
    callback_id, secret = make_id("cb_"), signing.new_secret()
    with tenant_scope(tenant):
        _check_room(tenant)
        sealed = at_rest.seal(callback_id, secret.encode())
        row = Callback.objects.create(tenant=tenant, callback_id=callback_id, url=url, every=every, secret=sealed)
        emit(tag="person:callback:created", tenant=tenant, actor=actor, callback=callback_id)
    return row, secret


def rotate_secret(*, tenant: Tenant, callback_id: str, actor: str) -> tuple[Callback, str]:
    """A new secret, shown this once; the one before signs too for 24 hours. Raises `Refused("not-found")`."""
    secret = signing.new_secret()
    with tenant_scope(tenant):
        row = selectors.find_callback(tenant=tenant, callback_id=callback_id, lock=True)
        row.previous_secret, row.previous_until = row.secret, timezone.now() + OVERLAP
        row.secret = at_rest.seal(callback_id, secret.encode())
        row.save(update_fields=["secret", "previous_secret", "previous_until"])
        emit(tag="person:callback:secret-rotated", tenant=tenant, actor=actor, callback=callback_id)
    return row, secret


def remove_callback(*, tenant: Tenant, callback_id: str, actor: str) -> None:
    """Tell it nothing more; what was not delivered yet is given up. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        row = selectors.find_callback(tenant=tenant, callback_id=callback_id, lock=True)
        row.status, row.secret, row.previous_secret = Callback.Status.REMOVED, b"", b""
        row.save(update_fields=["status", "secret", "previous_secret"])
        Delivery.objects.filter(callback=row, status=Delivery.Status.PENDING).update(
            status=Delivery.Status.GIVEN_UP, error="the callback was removed", next_try=None, finished=timezone.now()
        )
        emit(tag="person:callback:removed", tenant=tenant, actor=actor, callback=callback_id)


def announce(*, tenant: Tenant, event: str, subject: str, data: dict[str, Any], named: Callback | None) -> None:
    """Tell the callback that was named, and all that want to know of everything. Needs a `tenant_scope` around it.

    `data` holds nothing in clear that is not shown to everyone of the tenant.
    """
    told = list(Callback.objects.filter(tenant=tenant, status=Callback.Status.ACTIVE, every=True))
    if named is not None and named.status == Callback.Status.ACTIVE and named not in told:
        told.append(named)
    for one in told:
        _add(one, event=event, subject=subject, data=data)


def ping(*, tenant: Tenant, callback_id: str) -> Delivery:
    """Send a message that says nothing, for a test. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        row = selectors.find_callback(tenant=tenant, callback_id=callback_id)
        return _add(row, event="ping", subject=callback_id, data={"callback": callback_id})


def redeliver(*, tenant: Tenant, callback_id: str, delivery_id: str) -> Delivery:
    """Begin anew with a message, whatever has become of it. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        row = selectors.find_callback(tenant=tenant, callback_id=callback_id)
        delivery = Delivery.objects.select_for_update().filter(callback=row, delivery_id=delivery_id).first()
        if delivery is None:
            raise Refused("not-found")
        delivery.status, delivery.attempts, delivery.error = Delivery.Status.PENDING, 0, ""
        delivery.status_code, delivery.next_try, delivery.finished = None, timezone.now(), None
        delivery.save()
        _soon(row)
    return delivery


def deliver(*, tenant: Tenant, callback: int) -> None:
    """Send what is due to one callback, one message after another, for some seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < _SLICE_SECONDS:
        with tenant_scope(tenant):
            # 1. One process at a time sends to a callback, and a kill at any moment lets go of it.
            if not _hold(callback):
                return
            due = Delivery.objects.filter(
                callback=callback, status=Delivery.Status.PENDING, next_try__lte=timezone.now()
            )
            found = due.select_related("callback").order_by("next_try", "id").select_for_update(of=("self",)).first()
            if found is None:
                return
            # 2. Send, and 3. what came of it.
            _attempt(found)


def deliver_due() -> None:
    """Have everything sent that is due, of all tenants."""
    due = Delivery.objects.using("provider").filter(status=Delivery.Status.PENDING, next_try__lte=timezone.now())
    for tenant, callback in due.order_by().values_list("tenant", "callback").distinct():
        current_app.send_task(DELIVER, [tenant, callback], expires=10)


def forget_old() -> None:
    """Delete deliveries that ended long ago, of all tenants."""
    Delivery.objects.using("provider").filter(finished__lt=timezone.now() - KEPT).delete()


def _check_room(tenant: Tenant) -> None:
    if Callback.objects.filter(tenant=tenant, status=Callback.Status.ACTIVE).count() >= MOST_CALLBACKS:
        raise Refused("conflict", f"a tenant has at most {MOST_CALLBACKS} callbacks")


def _add(callback: Callback, *, event: str, subject: str, data: dict[str, Any]) -> Delivery:
    body = {"type": event, "timestamp": timezone.now().isoformat(), "data": data}
    delivery = Delivery.objects.create(
        tenant_id=callback.tenant_id,
        callback=callback,
        delivery_id=make_id("msg_"),
        event=event,
        subject=subject,
        body=json.dumps(body, separators=(",", ":")),
    )
    _soon(callback)
    return delivery


def _soon(callback: Callback) -> None:
    """A broker that is away costs some seconds: what is due is looked for on a schedule too."""
    arguments = [callback.tenant_id, callback.pk]
    transaction.on_commit(lambda: current_app.send_task(DELIVER, arguments, retry=False), robust=True)


def _hold(callback: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, callback % 2**31])
        return bool(cursor.fetchone()[0])


def _attempt(delivery: Delivery) -> None:
    now = timezone.now()
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Strongroom-Callbacks/1",
        **signing.signed_headers(delivery.delivery_id, int(now.timestamp()), body, _keys(delivery.callback, now)),
    }
    delivery.attempts += 1
    delivery.status_code, delivery.error = None, ""
    try:
        url = delivery.callback.url
        delivery.status_code = sending.post(url, body, headers, reach=settings.CALLBACK_REACH)
    except sending.Undeliverable as error:
        delivery.error = str(error)
    waits = settings.CALLBACK_RETRY_SECONDS
    if delivery.status_code is not None and 200 <= delivery.status_code < 300:
        delivery.status, delivery.next_try, delivery.finished = Delivery.Status.DELIVERED, None, timezone.now()
    elif delivery.attempts > len(waits):
        delivery.status, delivery.next_try, delivery.finished = Delivery.Status.GIVEN_UP, None, timezone.now()
    else:
        delivery.next_try = timezone.now() + timedelta(seconds=waits[delivery.attempts - 1])
    delivery.save()


def _keys(callback: Callback, now: datetime) -> list[str]:
    keys = [callback.secret]
    if callback.previous_until is not None and callback.previous_until > now:
        keys.append(callback.previous_secret)
    return [at_rest.open_sealed(callback.callback_id, bytes(one)).decode() for one in keys if one]
