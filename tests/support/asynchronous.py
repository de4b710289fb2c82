"""Asynchronous operations as the worker carries them out, for the portal's tests."""

import base64
from typing import Any

import httpx

from strongroom.protocol.mechanisms import KeyType
from tests.support.materials import material_of
from tests.support.portal import Browser

SECRET = b"known plaintext of an asynchronous call"
AES = material_of(KeyType.AES_256)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def submit(browser: Browser, path: str, **body: Any) -> httpx.Response:
    return browser.post(f"keys/{path}?async=1", json=body)


def work(operation: dict[str, Any]) -> None:
    """What the worker does."""
    from portal.jobs.models import Operation
    from portal.jobs.operations import run
    from tenants.models import Tenant

    row = Operation.objects.using("provider").get(operation_id=operation["id"])
    run(tenant=Tenant.objects.get(pk=row.tenant_id), operation=row.pk)


def finished(browser: Browser, response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    work(response.json())
    return browser.get(response.headers["location"].removeprefix("/api/v1/")).json()


def make_due() -> None:
    """The time of every next attempt has come."""
    from django.utils import timezone

    from portal.jobs.models import Operation
    from tenants.models import Tenant
    from tenants.scoping import tenant_scope

    for tenant in Tenant.objects.all():
        with tenant_scope(tenant):
            Operation.objects.exclude(next_try=None).update(next_try=timezone.now())
