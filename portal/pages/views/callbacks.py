"""Callbacks, their secrets, and what became of each message."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from portal.callbacks import selectors, services
from portal.callbacks.models import Delivery
from portal.callbacks.sending import MAX_URL
from portal.pages.access import customer_page
from portal.pages.attention import OF_LATE
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.errors import Refused
from tenants.models import Tenant

REPLACED = "The one before signs too for another day, so that you can put the new one in its place."


class CallbackForm(forms.Form):
    url = forms.CharField(max_length=MAX_URL, label="Address", widget=forms.URLInput({"placeholder": "https://"}))
    every = forms.BooleanField(required=False, label="Tell it of every operation and job")


@sensitive_variables("secret")
@customer_page
def callbacks(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    form = CallbackForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            services.check_new_callback(tenant=tenant, url=given["url"])
            confirm(request, f"Register the callback {given['url']}")
            made, secret = services.create_callback(tenant=tenant, actor=reader.user.username, **given)
        except Refused as error:
            form.add_error("url", error.detail or error.problem.sentence)
        else:
            return _callback(request, reader, tenant, made.callback_id, secret)
    found = selectors.callbacks(tenant=tenant)
    failing = {one.pk for one, _, _ in selectors.failing(tenant=tenant, since=timezone.now() - OF_LATE)}
    rows = [(one, one.pk in failing) for one in found]
    return page(request, "customer/callbacks.html", reader=reader, callbacks=rows, form=form)


@customer_page
def callback(request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str) -> HttpResponse:
    return _callback(request, reader, tenant, callback_id, "")


@sensitive_variables("secret")
@customer_page
def callback_secret(request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str) -> HttpResponse:
    """A new secret stands in the answer to the request that made it, and nowhere else."""
    found = selectors.callback(tenant=tenant, callback_id=callback_id)
    confirm(request, f"Make a new secret of the callback {found.url}", REPLACED)
    _, secret = services.rotate_secret(tenant=tenant, callback_id=callback_id, actor=reader.user.username)
    return _callback(request, reader, tenant, callback_id, secret)


@customer_page
def callback_remove(request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str) -> HttpResponse:
    found = selectors.callback(tenant=tenant, callback_id=callback_id)
    confirm(request, f"Remove the callback {found.url}", "It is told nothing more.", ends=True)
    services.remove_callback(tenant=tenant, callback_id=callback_id, actor=reader.user.username)
    messages.success(request, f"{found.url} is told nothing more.")
    return redirect("pages:callbacks")


@customer_page
def callback_ping(request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str) -> HttpResponse:
    services.ping(tenant=tenant, callback_id=callback_id)
    messages.success(request, "A test message is on its way. What becomes of it stands first in the list.")
    return redirect("pages:callback", callback_id=callback_id)


@customer_page
def delivery_again(
    request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str, delivery_id: str
) -> HttpResponse:
    services.redeliver(tenant=tenant, callback_id=callback_id, delivery_id=delivery_id)
    messages.success(request, "The message is sent again.")
    return redirect("pages:callback", callback_id=callback_id)


def _callback(request: HttpRequest, reader: Reader, tenant: Tenant, callback_id: str, secret: str) -> HttpResponse:
    """Answers htmx, which follows messages that are under way, with their list alone."""
    deliveries = selectors.deliveries(tenant=tenant, callback_id=callback_id)
    return page(
        request,
        "customer/delivery_list.html" if request.headers.get("HX-Request") else "customer/callback.html",
        reader=reader,
        callback=selectors.callback(tenant=tenant, callback_id=callback_id),
        deliveries=deliveries,
        under_way=any(one.status == Delivery.Status.PENDING for one in deliveries),
        secret=secret,
    )
