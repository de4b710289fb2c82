"""What is used of the tenant's limits, and by which keys."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from portal.audit import selectors as audit
from portal.pages.access import customer_page
from portal.pages.chart import SPANS, chart
from portal.pages.readers import Reader
from portal.pages.rendering import page
from tee.selectors import key_names
from tenants import selectors as tenants
from tenants.models import Tenant
from tenants.quotas import WINDOW_SECONDS, used_of_tenant

MONTH = timedelta(days=30)
SHOWN = 20


@customer_page
def usage(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    now, span = timezone.now(), SPANS.get(request.GET.get("span", ""), SPANS["month"])
    names, busiest = key_names(tenant=tenant), audit.busiest(tenant=tenant, since=now - MONTH, limit=SHOWN)
    most = max([one.uses for one in busiest], default=1)
    return page(
        request,
        "customer/usage.html",
        reader=reader,
        used=used_of_tenant(tenant),
        window=WINDOW_SECONDS,
        limited=tenants.limited_clients(tenant=tenant),
        chart=chart(audit.activity(tenant=tenant, since=span.since(now)), span, now),
        busiest=[(one, names.get(one.key, ""), one.uses / most) for one in busiest],
    )
