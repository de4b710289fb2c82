"""Tenants, as the provider's people see and open them, suspend and close them."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from portal.pages import provider, selectors
from portal.pages.access import officer_page
from portal.pages.invitation_mail import send_invitation
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.errors import Refused
from tenants import lifecycle, members
from tenants.models import Role, Tenant
from tenants.names import check_readable, check_slug

VERBS = {Tenant.Status.ACTIVE: "Resume", Tenant.Status.SUSPENDED: "Suspend", Tenant.Status.CLOSED: "Close"}
MEANINGS = {
    Tenant.Status.ACTIVE: "Its people and programs are let in again.",
    Tenant.Status.SUSPENDED: "Its people and programs are refused until it is resumed. Keys and partitions stay.",
    Tenant.Status.CLOSED: "For good: all tokens and invitations end. Its partitions must be destroyed before.",
}


class TenantForm(forms.Form):
    name = forms.CharField(max_length=200, validators=[check_readable])
    slug = forms.CharField(max_length=50, label="Short name", validators=[check_slug])


class OwnerForm(forms.Form):
    email = forms.EmailField(max_length=200, label="E-mail address of an owner")


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=Tenant.Status.choices)


@officer_page
def tenants(request: HttpRequest, reader: Reader) -> HttpResponse:
    """All tenants, and a form for a new one."""
    form = TenantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name, slug = form.cleaned_data["name"], form.cleaned_data["slug"]
        try:
            lifecycle.check_new(slug=slug)
            confirm(request, f"Open the tenant {name} ({slug})", "The short name never changes.")
            lifecycle.open_tenant(slug=slug, name=name, actor=reader.user.username)
        except (Refused, ValidationError) as error:
            form.add_error("slug", error.detail if isinstance(error, Refused) else error)
        else:
            messages.success(request, f"{name} is open. Invite its first owner now.")
            return redirect("pages:officer-tenant", slug=slug)
    return page(request, "officer/tenants.html", reader=reader, tenants=selectors.tenants_with_partitions(), form=form)


@officer_page
def tenant(request: HttpRequest, reader: Reader, slug: str) -> HttpResponse:
    return _shown(request, reader, slug, OwnerForm())


@officer_page
def tenant_status(request: HttpRequest, reader: Reader, slug: str) -> HttpResponse:
    found, form = provider.get_tenant(slug).tenant, StatusForm(request.POST)
    if not form.is_valid():
        raise Refused("malformed")
    status = Tenant.Status(form.cleaned_data["status"])
    lifecycle.check_change(tenant=found, status=status)
    confirm(request, f"{VERBS[status]} {found.name} ({slug})", MEANINGS[status], ends=status != Tenant.Status.ACTIVE)
    lifecycle.change_status(tenant=found, status=status, actor=reader.user.username)
    messages.success(request, f"{found.name} is {status.value} now.")
    return redirect("pages:officer-tenant", slug=slug)


@sensitive_variables("secret", "link")
@officer_page
def tenant_invite(request: HttpRequest, reader: Reader, slug: str) -> HttpResponse:
    """An invitation's link stands in the answer to the request that made it, in its mail, and nowhere else."""
    found, form = provider.get_tenant(slug).tenant, OwnerForm(request.POST)
    if not form.is_valid():
        return _shown(request, reader, slug, form)
    email = form.cleaned_data["email"]
    confirm(request, f"Invite {email} as an owner of {found.name}")
    made, secret = members.invite(tenant=found, email=email, role=Role.OWNER, actor=reader.user.username, by=None)
    link = request.build_absolute_uri(reverse("pages:invitation", args=[secret]))
    return _shown(request, reader, slug, OwnerForm(), link=link, sent=send_invitation(made, link))


def _shown(
    request: HttpRequest, reader: Reader, slug: str, form: OwnerForm, *, link: str = "", sent: str = ""
) -> HttpResponse:
    seen = provider.get_tenant(slug)
    changes = [(one.value, VERBS[one], MEANINGS[one]) for one in lifecycle.NEXT[seen.tenant.status]]
    return page(
        request,
        "officer/tenant.html",
        reader=reader,
        seen=seen,
        invitations=members.invitations(tenant=seen.tenant),
        changes_of_status=changes,
        form=form,
        link=link,
        sent=sent,
    )
