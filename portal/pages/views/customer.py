"""Pages for a customer's people."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import Reader, any_page, customer_page
from portal.pages.commands import commands_for
from portal.pages.forms import ClientForm, TokenForm
from portal.pages.rendering import before, page
from strongroom.protocol import jws
from strongroom.protocol.access import client_principal
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from tee import revocation as tee_revocation
from tee import selectors as tee
from tenants import selectors as tenants
from tenants import services
from tenants.models import Tenant


@any_page
def overview(request: HttpRequest, reader: Reader) -> HttpResponse:
    """The first page of everyone who is logged in."""
    if reader.officer is not None:
        return redirect("pages:officer-overview")
    tenant = reader.tenant
    if tenant is None:
        raise Refused("not-found")
    keys, partitions = tee.keys(tenant=tenant), tenants.partitions(tenant=tenant)
    devices, clients = tenants.devices(tenant=tenant), tenants.clients(tenant=tenant)
    steps = selectors.steps(username=reader.user.username, partitions=partitions, devices=devices, keys=keys)
    return page(
        request,
        "overview.html",
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


@customer_page
def keys(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    partitions = tenants.partitions(tenant=tenant)
    return page(request, "keys.html", reader=reader, keys=tee.keys(tenant=tenant), partitions=partitions)


@customer_page
def key(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    versions = tee.versions(tenant=tenant, reference=reference)
    newest, revocation, refused = versions[-1], [], None
    try:
        found = tee_revocation.status(tenant=tenant, reference=newest.key_id)
        revocation = [one for one in found if one.state not in ("none", "destroyed")]
    except Refused as error:
        refused = error
    return page(
        request,
        "key.html",
        reader=reader,
        key=newest,
        versions=versions,
        receipt=jws.read_unverified(newest.receipt, Receipt),
        revocation=revocation,
        refused=refused,
        commands=commands_for(newest),
    )


@customer_page
def partitions(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    return page(request, "partitions.html", reader=reader, partitions=tenants.partitions(tenant=tenant))


@customer_page
def partition(request: HttpRequest, reader: Reader, tenant: Tenant, reference: str) -> HttpResponse:
    found = tenants.partition(tenant=tenant, reference=reference)
    access, refused = None, None
    if found.partition_id:
        try:
            access = selectors.access_of(found)
        except Refused as error:
            refused = error
    devices = tenants.devices(tenant=tenant)
    return page(
        request, "partition.html", reader=reader, partition=found, access=access, refused=refused, devices=devices
    )


@customer_page
def clients(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    form = ClientForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _admin(reader)
        name = form.cleaned_data["name"]
        try:
            made = services.create_client(tenant=tenant, name=name, actor=reader.user.username)
        except Refused as error:
            form.add_error("name", error.detail or error.problem.sentence)
        else:
            return redirect("pages:client", client_id=made.client_id)
    rows = [(one, client_principal(one.client_id)) for one in tenants.clients(tenant=tenant)]
    return page(request, "clients.html", reader=reader, clients=rows, form=form)


@sensitive_variables("secret")
@customer_page
def client(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    """An API client and its tokens. A new token stands in the answer to the request that made it, and nowhere else."""
    form, token, secret = TokenForm(request.POST or None, initial={"days": 90}), None, ""
    if request.method == "POST" and form.is_valid():
        _admin(reader)
        token, secret = services.create_token(
            tenant=tenant, client_id=client_id, days=form.cleaned_data["days"], actor=reader.user.username
        )
    found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    return page(
        request,
        "client.html",
        reader=reader,
        client=found,
        principal=client_principal(found.client_id),
        tokens=tokens,
        form=form,
        secret=secret,
        expiry=token.expiry if token else None,
    )


@require_POST
@customer_page
def client_remove(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    _admin(reader)
    services.revoke_client(tenant=tenant, client_id=client_id, actor=reader.user.username)
    messages.success(request, "The client is removed, and its tokens are refused.")
    return redirect("pages:clients")


@require_POST
@customer_page
def token_revoke(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str, token_key: str) -> HttpResponse:
    _admin(reader)
    services.revoke_token(tenant=tenant, client_id=client_id, token_key=token_key, actor=reader.user.username)
    messages.success(request, "The token is revoked.")
    return redirect("pages:client", client_id=client_id)


@customer_page
def devices(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    return page(request, "devices.html", reader=reader, devices=tenants.devices(tenant=tenant))


@require_POST
@customer_page
def device_remove(request: HttpRequest, reader: Reader, tenant: Tenant, fingerprint: str) -> HttpResponse:
    _admin(reader)
    services.remove_device(tenant=tenant, fingerprint=fingerprint, actor=reader.user.username)
    messages.success(request, "The device is off this list. The access list is the owner's to change.")
    return redirect("pages:devices")


@customer_page
def log(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    shown = audit.newest(tenant=tenant, before=before(request))
    events = [] if "before" in request.GET else audit.events(tenant=tenant, limit=20)
    return page(
        request,
        "log.html",
        reader=reader,
        lines=selectors.lines_of_tenant(shown.entries, tenant=tenant),
        older=shown.older,
        happenings=selectors.happenings_of_tenant(events, tenant=tenant),
        partitions=tenants.partitions(tenant=tenant),
    )


def _admin(reader: Reader) -> None:
    if not reader.may_change:
        raise Refused("forbidden")
