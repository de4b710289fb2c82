"""The first page: what there is, what needs attention, and the way to the first signature."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import Reader, any_page
from portal.pages.commands import commands_for
from portal.pages.rendering import page
from strongroom.protocol.errors import Refused
from tee import selectors as tee
from tenants import selectors as tenants


@any_page
def overview(request: HttpRequest, reader: Reader) -> HttpResponse:
    """The first page of everyone who is logged in."""
    if reader.is_of_provider:
        return redirect("pages:officer-overview")
    tenant = reader.tenant
    if tenant is None:
        raise Refused("not-found")
    keys, partitions = tee.keys(tenant=tenant), tenants.partitions(tenant=tenant)
    devices, clients = tenants.devices(tenant=tenant), tenants.clients(tenant=tenant)
    steps = selectors.steps(username=reader.user.username, partitions=partitions, devices=devices, keys=keys)
    return page(
        request,
        "customer/overview.html",
        reader=reader,
        tenant=tenant,
        role=reader.role,
        device_state=selectors.device_state(),
        counts={
            "keys": len(keys),
            "partitions": len(partitions),
            "devices": len(devices),
            "clients": len(clients),
            "entries": audit.count(tenant=tenant),
        },
        attention=selectors.attention(tenant=tenant),
        steps=steps,
        finished=all(step.state == "done" for step in steps),
        example=keys[0] if keys else None,
        example_commands=commands_for(keys[0]) if keys else "",
        lines=selectors.lines_of_tenant(audit.newest(tenant=tenant, limit=8).entries, tenant=tenant),
    )
