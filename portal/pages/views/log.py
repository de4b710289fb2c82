"""The log of the tenant's partitions, and what happened in the portal."""

from django.http import HttpRequest, HttpResponse

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import Reader, customer_page
from portal.pages.rendering import before, page
from tenants import selectors as tenants
from tenants.models import Tenant


@customer_page
def log(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    shown = audit.newest(tenant=tenant, before=before(request))
    events = [] if "before" in request.GET else audit.events(tenant=tenant, limit=20)
    return page(
        request,
        "customer/log.html",
        reader=reader,
        lines=selectors.lines_of_tenant(shown.entries, tenant=tenant),
        older=shown.older,
        happenings=selectors.happenings_of_tenant(events, tenant=tenant),
        partitions=tenants.partitions(tenant=tenant),
    )
