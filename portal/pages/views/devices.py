"""Client devices."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.pages.access import Reader, customer_page
from portal.pages.rendering import page
from tenants import selectors as tenants
from tenants import services
from tenants.models import Tenant


@customer_page
def devices(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    return page(request, "customer/devices.html", reader=reader, devices=tenants.devices(tenant=tenant))


@customer_page
def device_remove(request: HttpRequest, reader: Reader, tenant: Tenant, fingerprint: str) -> HttpResponse:
    services.remove_device(tenant=tenant, fingerprint=fingerprint, actor=reader.user.username)
    messages.success(request, "The device is off this list. The access list is the owner's to change.")
    return redirect("pages:devices")
