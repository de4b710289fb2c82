"""API clients and their tokens."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from knox.models import AuthToken

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import customer_page
from portal.pages.attention import SOON
from portal.pages.forms import ClientForm, LimitsForm, TokenForm
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.samples import key_to_show, samples_for, samples_of_token
from portal.pages.step_up import confirm
from strongroom.protocol.access import client_principal
from strongroom.protocol.errors import Refused
from tee import selectors as tee
from tenants import selectors as tenants
from tenants import services
from tenants.models import ApiClient, Tenant

DAYS = 90
"""So long a token is good unless something else is asked for."""
ROTATED = "The old one serves for another day, so that you can put the new one in its place."
REMOVED = "All its tokens are refused within a second. Its principal is never used again."
REVOKED = "Whoever still calls with it is refused within a second."


@customer_page
def clients(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    form = ClientForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            made = services.create_client(tenant=tenant, name=name, actor=reader.user.username)
        except Refused as error:
            form.add_error("name", error.detail or error.problem.sentence)
        else:
            return redirect("pages:client", client_id=made.client_id)
    used = audit.last_uses(tenant=tenant)
    ends = tenants.last_expiries(tenant=tenant)
    rows = [
        (one, client_principal(one.client_id), used.get(client_principal(one.client_id)), ends.get(one.user_id))
        for one in tenants.clients(tenant=tenant)
    ]
    return page(request, "customer/clients.html", reader=reader, clients=rows, form=form)


@sensitive_variables("made")
@customer_page
def client(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    """An API client and its tokens. A new token stands in the answer to the request that made it, and nowhere else."""
    found, _ = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    form, made = TokenForm(request.POST or None, initial={"days": DAYS}), None
    if request.method == "POST" and form.is_valid():
        confirm(request, f"Make a token of the API client {found.name}")
        made = services.create_token(
            tenant=tenant, client_id=client_id, days=form.cleaned_data["days"], actor=reader.user.username
        )
    return _client(request, reader, tenant, client_id, form=form, made=made)


@sensitive_variables("made")
@customer_page
def token_rotate(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str, token_key: str) -> HttpResponse:
    """As `client`: the new token stands in this answer alone."""
    found = _with_token(tenant, client_id, token_key)
    confirm(request, f"Make a token in the place of {token_key}… of the API client {found.name}", ROTATED)
    made = services.rotate_token(
        tenant=tenant, client_id=client_id, token_key=token_key, days=DAYS, actor=reader.user.username
    )
    form = TokenForm(initial={"days": DAYS})
    return _client(request, reader, tenant, client_id, form=form, made=made, before=token_key)


@customer_page
def client_limits(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    found, _ = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    form = LimitsForm(request.POST)
    if not form.is_valid():
        raise Refused("malformed", "a limit is a number from 1 on, or empty")
    services.set_client_quota(tenant=tenant, client_id=client_id, actor=reader.user.username, **form.cleaned_data)
    messages.success(request, f"The limits of {found.name} are in force within a second.")
    return redirect("pages:client", client_id=client_id)


@customer_page
def client_remove(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    found, _ = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    confirm(request, f"Remove the API client {found.name} and all its tokens", REMOVED, ends=True)
    services.revoke_client(tenant=tenant, client_id=client_id, actor=reader.user.username)
    messages.success(request, "The client is removed, and its tokens are refused.")
    return redirect("pages:clients")


@customer_page
def token_revoke(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str, token_key: str) -> HttpResponse:
    found = _with_token(tenant, client_id, token_key)
    confirm(request, f"Revoke the token {token_key}… of the API client {found.name}", REVOKED, ends=True)
    services.revoke_token(tenant=tenant, client_id=client_id, token_key=token_key, actor=reader.user.username)
    messages.success(request, "The token is revoked.")
    return redirect("pages:client", client_id=client_id)


def _with_token(tenant: Tenant, client_id: str, token_key: str) -> ApiClient:
    """The client, if it has such a token. Raises `Refused("not-found")`."""
    found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    if token_key not in [one.token_key for one in tokens]:
        raise Refused("not-found")
    return found


def _client(
    request: HttpRequest,
    reader: Reader,
    tenant: Tenant,
    client_id: str,
    *,
    form: TokenForm,
    made: tuple[AuthToken, str] | None = None,
    before: str = "",
) -> HttpResponse:
    """`made`: a new token with its secret; `before`: the key of the one whose place it takes."""
    found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    principal, now = client_principal(client_id), timezone.now()
    limits = tenants.limits_of(found)
    granted = selectors.rights_in_partitions(tenant=tenant, principal=principal)
    return page(
        request,
        "customer/client.html",
        reader=reader,
        client=found,
        principal=principal,
        last_use=audit.last_uses(tenant=tenant).get(principal),
        granted=granted,
        tokens=[(one, _state(one, now)) for one in tokens],
        form=form,
        limits=LimitsForm(initial={"requests": limits[0], "items": limits[1]}),
        secret=made[1] if made else "",
        before=before,
        expiry=made[0].expiry if made else None,
        **(_first_use(tenant, granted, request.build_absolute_uri("/")) if made else {}),
    )


def _first_use(tenant: Tenant, granted: list[selectors.Granted], root: str) -> dict[str, Any]:
    """What a new token is tried with: a key of the tenant's, where there is one."""
    rights = {one.partition.partition_id or "": one.rights for one in granted}
    key = key_to_show(tee.keys(tenant=tenant), rights)
    return {"key": key, "samples": samples_for(key, root) if key else samples_of_token(root)}


def _state(token: AuthToken, now: datetime) -> str:
    if token.expiry is None or token.expiry > now + SOON:
        return "active"
    return "expires soon" if token.expiry > now else "expired"
