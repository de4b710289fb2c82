"""A tenant's people, their roles, and invitations."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from portal.pages.access import Reader, customer_page
from portal.pages.invitation_mail import send_invitation
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.errors import Refused
from tenants import members as people
from tenants.models import Role, Tenant

ROLES = {
    Role.OWNER: "everything, owners too",
    Role.ADMIN: "everything but owners: API clients, tokens, callbacks, people",
    Role.OPERATOR: "imports and tries keys, and sees after jobs and messages: for those who run your programs",
    Role.AUDITOR: "sees everything and changes nothing: for those who check them",
}

NEW_ROLE = "Tokens that were given for the role before end at once."
REMOVED = "Every session and token ends at once. The name is never given again: what was done by it stays on record."


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=[(one.value, one.value) for one in ROLES])


class InvitationForm(RoleForm):
    email = forms.EmailField(max_length=200, label="E-mail address")
    field_order = ["email", "role"]


@sensitive_variables("secret", "link")
@customer_page
def members(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """An invitation's link stands in the answer to the request that made it, in its mail, and nowhere else."""
    form, link, sent = InvitationForm(request.POST or None, initial={"role": Role.OPERATOR}), "", ""
    if request.method == "POST" and form.is_valid():
        email, role = form.cleaned_data["email"], form.cleaned_data["role"]
        confirm(request, f"Invite {email} as {role}")
        made, secret = people.invite(tenant=tenant, email=email, role=role, actor=reader.user.username, by=reader.role)
        link = request.build_absolute_uri(reverse("pages:invitation", args=[secret]))
        sent = send_invitation(made, link)
        form = InvitationForm(initial={"role": Role.OPERATOR})
    return page(
        request,
        "customer/members.html",
        reader=reader,
        members=people.members(tenant=tenant),
        invitations=people.invitations(tenant=tenant),
        roles=[(one.value, text) for one, text in ROLES.items()],
        form=form,
        link=link,
        sent=sent,
    )


@customer_page
def member(request: HttpRequest, reader: Reader, tenant: Tenant, username: str) -> HttpResponse:
    """Another role for someone."""
    found = people.find_member(tenant=tenant, username=username)
    form = RoleForm(request.POST or None, initial={"role": found.role})
    if request.method == "POST" and form.is_valid():
        role = form.cleaned_data["role"]
        confirm(request, f"Make {username} {_with_article(role)} of {tenant.name}", NEW_ROLE)
        people.change_role(tenant=tenant, username=username, role=role, actor=reader.user.username, by=reader.role)
        messages.success(request, f"{username} is {_with_article(role)} now.")
        return redirect("pages:members")
    return page(request, "customer/member.html", reader=reader, member=found, form=form, roles=ROLES.items())


@customer_page
def member_remove(request: HttpRequest, reader: Reader, tenant: Tenant, username: str) -> HttpResponse:
    people.find_member(tenant=tenant, username=username)
    confirm(request, f"Remove {username} from {tenant.name}", REMOVED, ends=True)
    people.remove_member(tenant=tenant, username=username, actor=reader.user.username, by=reader.role)
    messages.success(request, f"{username} is removed: every session and token of theirs has ended.")
    return redirect("pages:members" if username != reader.user.username else "pages:login")


@customer_page
def invitation_withdraw(request: HttpRequest, reader: Reader, tenant: Tenant, invitation: int) -> HttpResponse:
    found = people.find_invitation(tenant=tenant, invitation=invitation)
    people.withdraw_invitation(tenant=tenant, invitation=invitation, actor=reader.user.username)
    messages.success(request, f"The invitation of {found.email} is withdrawn.")
    return redirect("pages:members")


def _with_article(role: str) -> str:
    if role not in [one.value for one in ROLES]:
        raise Refused("malformed")
    return f"an {role}"
