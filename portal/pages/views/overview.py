"""The first page: what there is, what needs attention, and the way to the first signature."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import any_page
from portal.pages.attention import notices
from portal.pages.browser_modules import import_map
from portal.pages.chart import SPANS, chart
from portal.pages.onboarding import steps
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.samples import commands_for
from strongroom.protocol.errors import Refused
from tee import selectors as tee
from tee.key_list import standings
from tenants import selectors as tenants

CHECKED = 100
"""Keys whose last check is asked of the device for the page."""
SHOWN = 8


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
    way = steps(
        tenant=tenant,
        username=reader.user.username,
        role=reader.role,
        in_browser=bool(import_map()),
        url=request.build_absolute_uri("/"),
        partitions=partitions,
        devices=devices,
        clients=clients,
        keys=keys,
    )
    device_state, now = selectors.device_state(), timezone.now()
    span = SPANS.get(request.GET.get("span", ""), SPANS["day"])
    # A device that has just not answered is not waited for again.
    asked = [] if device_state == selectors.UNREACHABLE else keys[-CHECKED:]
    standing, _ = selectors.standings_of(asked)
    checked = [(one, standing[one.pk]) for one in keys if one.pk in standing]
    return page(
        request,
        "customer/overview.html",
        reader=reader,
        tenant=tenant,
        role=reader.role,
        device_state=device_state,
        standings=sorted(standings(tenant=tenant).items()),
        counts={
            "keys": len(keys),
            "partitions": len(partitions),
            "devices": len(devices),
            "clients": len(clients),
        },
        notices=notices(tenant=tenant, device_state=device_state, partitions=partitions),
        chart=chart(audit.activity(tenant=tenant, since=span.since(now)), span, now),
        checked=sorted(checked, key=lambda one: one[1].last_check or 0, reverse=True)[:SHOWN],
        steps=way,
        finished=all(step.state == "done" for step in way),
        example=keys[0] if keys else None,
        example_commands=commands_for(keys[0]) if keys else "",
        lines=selectors.lines_of_tenant(audit.newest(tenant=tenant, limit=SHOWN).entries, tenant=tenant),
    )
