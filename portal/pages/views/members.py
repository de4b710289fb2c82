"""A tenant's people, their roles, and invitations."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from portal.pages.access import customer_page
from portal.pages.invitation_mail import send_invitation
from portal.pages.readers import Reader
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
    """Shows the roles alone that the reader may give; that no other is given is the services' to see."""

    role = forms.ChoiceField(choices=[(one.value, one.value) for one in ROLES])

    def __init__(self, *arguments: Any, by: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.given = people.roles_to_give(by)
        self.fields["role"].widget.choices = [(one.value, one.value) for one in self.given]  # type: ignore[attr-defined]

    def meanings(self) -> list[tuple[str, str]]:
        return [(one.value, ROLES[one]) for one in self.given]


class InvitationForm(RoleForm):
    email = forms.EmailField(max_length=200, label="E-mail address")
    field_order = ["email", "role"]


@sensitive_variables("secret", "link")
@customer_page
def members(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """An invitation's link stands in the answer to the request that made it, in its mail, and nowhere else."""
    form, link, sent = InvitationForm(request.POST or None, by=reader.role, initial={"role": Role.OPERATOR}), "", ""
    if request.method == "POST" and form.is_valid():
        email, role = form.cleaned_data["email"], form.cleaned_data["role"]
        people.check_may_give(by=reader.role, role=role)
        confirm(request, f"Invite {email} as {role}")
        made, secret = people.invite(tenant=tenant, email=email, role=role, actor=reader.user.username, by=reader.role)
        link = request.build_absolute_uri(reverse("pages:invitation", args=[secret]))
        sent = send_invitation(made, link)
        form = InvitationForm(by=reader.role, initial={"role": Role.OPERATOR})
    return page(
        request,
        "customer/members.html",
        reader=reader,
        members=people.members(tenant=tenant),
        invitations=people.invitations(tenant=tenant),
        roles=form.meanings(),
        form=form,
        link=link,
        sent=sent,
    )


@customer_page
def member(request: HttpRequest, reader: Reader, tenant: Tenant, username: str) -> HttpResponse:
    """Another role for someone."""
    found = people.find_member(tenant=tenant, username=username)
    form = RoleForm(request.POST or None, by=reader.role, initial={"role": found.role})
    if request.method == "POST" and form.is_valid():
        role = form.cleaned_data["role"]
        people.check_may_give(by=reader.role, role=role)
        people.check_may_go(tenant=tenant, username=username, by=reader.role)
        confirm(request, f"Make {username} {_with_article(role)} of {tenant.name}", NEW_ROLE)
        people.change_role(tenant=tenant, username=username, role=role, actor=reader.user.username, by=reader.role)
        messages.success(request, f"{username} is {_with_article(role)} now.")
        return redirect("pages:members")
    return page(
        request,
        "customer/member.html",
        reader=reader,
        member=found,
        form=form,
        roles=form.meanings(),
        stays=_why_to_stay(tenant, username, reader.role),
    )


@customer_page
def member_remove(request: HttpRequest, reader: Reader, tenant: Tenant, username: str) -> HttpResponse:
    people.check_may_go(tenant=tenant, username=username, by=reader.role)
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


def _why_to_stay(tenant: Tenant, username: str, by: str) -> str:
    """Why this role can neither give someone another role nor remove them; empty where it can."""
    try:
        people.check_may_go(tenant=tenant, username=username, by=by)
    except Refused as refused:
        return refused.detail
    return ""


def _with_article(role: str) -> str:
    if role not in [one.value for one in ROLES]:
        raise Refused("malformed")
    return f"an {role}"
