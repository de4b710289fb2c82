"""Keys: all of them, and one."""

from django.http import HttpRequest, HttpResponse

from portal.pages.access import Reader, customer_page
from portal.pages.commands import commands_for
from portal.pages.rendering import page
from strongroom.protocol import jws
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from tee import revocation as tee_revocation
from tee import selectors as tee
from tenants import selectors as tenants
from tenants.models import Tenant


@customer_page
def keys(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    partitions = tenants.partitions(tenant=tenant)
    return page(request, "customer/keys.html", reader=reader, keys=tee.keys(tenant=tenant), partitions=partitions)


@customer_page
def key(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    versions = tee.versions(tenant=tenant, reference=reference)
    newest, revocation, refused = versions[-1], [], None
    try:
        found = tee_revocation.status(tenant=tenant, reference=newest.key_id)
        tee_revocation.stand(versions, found)
        revocation = [one for one in found if one.state not in ("none", "destroyed")]
    except Refused as error:
        refused = error
    return page(
        request,
        "customer/key.html",
        reader=reader,
        key=newest,
        versions=versions,
        receipt=jws.read_unverified(newest.receipt, Receipt),
        revocation=revocation,
        drilled=any(one.state in ("unchecked", "good", "suspended") for one in revocation),
        refused=refused,
        commands=commands_for(newest),
    )
