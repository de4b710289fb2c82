"""Partitions and who may do what in them."""

from django.http import HttpRequest, HttpResponse

from portal.pages import selectors
from portal.pages.access import customer_page
from portal.pages.readers import Reader
from portal.pages.rendering import page
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants.models import Tenant


@customer_page
def partitions(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    return page(request, "customer/partitions.html", reader=reader, partitions=tenants.partitions(tenant=tenant))


@customer_page
def request_partition(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """The page that asks for a partition. What it does, its script does, by the REST interface."""
    facts = canonical_json({"tenant": tenant.slug}).decode()
    return page(request, "customer/request_partition.html", reader=reader, tenant=tenant, facts=facts)


@customer_page
def partition(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    found = tenants.partition(tenant=tenant, reference=reference)
    access, refused = None, None
    if found.partition_id:
        try:
            access = selectors.access_of(found)
        except Refused as error:
            refused = error
    names = selectors.names_of(tenant=tenant)
    listed = {one.principal for one in access.principals} if access else set()
    return page(
        request,
        "customer/partition.html",
        reader=reader,
        partition=found,
        access=access,
        refused=refused,
        listed=[(one, names.principals.get(one.principal, one.label)) for one in access.principals] if access else [],
        unlisted=[one for one in selectors.principals_now(tenant=tenant) if one[0] not in listed],
    )
