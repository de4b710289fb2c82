"""API clients and their tokens."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_variables

from portal.pages import selectors
from portal.pages.access import Reader, customer_page
from portal.pages.forms import ClientForm, TokenForm
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.access import client_principal
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants import services
from tenants.models import Tenant


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
    rows = [(one, client_principal(one.client_id)) for one in tenants.clients(tenant=tenant)]
    return page(request, "customer/clients.html", reader=reader, clients=rows, form=form)


@sensitive_variables("secret")
@customer_page
def client(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    """An API client and its tokens. A new token stands in the answer to the request that made it, and nowhere else."""
    found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    form, token, secret = TokenForm(request.POST or None, initial={"days": 90}), None, ""
    if request.method == "POST" and form.is_valid():
        confirm(request, f"Make a token of the API client {found.name}")
        token, secret = services.create_token(
            tenant=tenant, client_id=client_id, days=form.cleaned_data["days"], actor=reader.user.username
        )
        found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    return page(
        request,
        "customer/client.html",
        reader=reader,
        client=found,
        principal=client_principal(found.client_id),
        tokens=tokens,
        form=form,
        secret=secret,
        expiry=token.expiry if token else None,
    )


@customer_page
def client_remove(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str) -> HttpResponse:
    found, _ = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    confirm(request, f"Remove the API client {found.name} and all its tokens")
    services.revoke_client(tenant=tenant, client_id=client_id, actor=reader.user.username)
    messages.success(request, "The client is removed, and its tokens are refused.")
    return redirect("pages:clients")


@customer_page
def token_revoke(request: HttpRequest, reader: Reader, tenant: Tenant, client_id: str, token_key: str) -> HttpResponse:
    found, tokens = selectors.client_and_tokens(tenant=tenant, client_id=client_id)
    if token_key not in [one.token_key for one in tokens]:
        raise Refused("not-found")
    confirm(request, f"Revoke the token {token_key}… of the API client {found.name}")
    services.revoke_token(tenant=tenant, client_id=client_id, token_key=token_key, actor=reader.user.username)
    messages.success(request, "The token is revoked.")
    return redirect("pages:client", client_id=client_id)
