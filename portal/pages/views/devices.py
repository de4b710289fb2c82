"""Client devices."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.audit import selectors as audit
from portal.pages.access import customer_page
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants import services
from tenants.models import Tenant

OFF_THE_LIST = "This only takes it off this list. What stops it is the access list, which the owner changes."


@customer_page
def devices(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    used = audit.last_uses(tenant=tenant)
    rows = [(one, used.get(f"device:{one.fingerprint}")) for one in tenants.devices(tenant=tenant)]
    return page(request, "customer/devices.html", reader=reader, devices=rows)


@customer_page
def device_remove(request: HttpRequest, reader: Reader, tenant: Tenant, fingerprint: str) -> HttpResponse:
    found = next((one for one in tenants.devices(tenant=tenant) if one.fingerprint == fingerprint), None)
    if found is None:
        raise Refused("not-found")
    confirm(request, f"Take the client device {found.name} off the list", OFF_THE_LIST, ends=True)
    services.remove_device(tenant=tenant, fingerprint=fingerprint, actor=reader.user.username)
    # What stops it is the owner's word.
    said = f"{found.name} is off this list. Now have the owner run: strongroom access remove device:{fingerprint}"
    messages.success(request, said)
    return redirect("pages:devices")
