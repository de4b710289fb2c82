"""Pages on which a partition officer's security key is used."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.pages.access import officer_page
from portal.pages.forms import CODE, CodeInput
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.webauthn import AssertionForm, RegistrationForm, origin_of, read
from portal.quorum import security_keys as quorum
from portal.quorum import services
from portal.quorum.models import AdminAction, Decision, OfficerProfile
from portal.quorum.selectors import cards_of
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import SecurityKey


class AnswerForm(AssertionForm):
    """What a security key signed, for which answer, and a fresh one-time code."""

    decision = forms.ChoiceField(choices=Decision.choices)
    reason = forms.CharField(label="Why, if you decline", max_length=200, required=False)
    otp = forms.CharField(label="A fresh one-time code", max_length=16, widget=CodeInput(CODE))


@officer_page
def security_keys(request: HttpRequest, reader: Reader) -> HttpResponse:
    """An officer's cards and security keys that are enrolled; and of a new key, what domain officers are to enrol."""
    officer, made = _officer(reader), None
    if request.method == "POST":
        made = quorum.enrolment(officer=officer, origin=origin_of(request), **read(RegistrationForm(request.POST)))
    cards = cards_of(officer)
    return page(
        request,
        "officer/security_keys.html",
        reader=reader,
        officer=officer,
        keys=[one for one in cards if isinstance(one, SecurityKey)],
        cards=[one for one in cards if not isinstance(one, SecurityKey)],
        made=made,
        enrolment=canonical_json(made).decode() if made else "",
    )


@officer_page
def approve(request: HttpRequest, reader: Reader, action_id: int) -> HttpResponse:
    officer, given = _officer(reader), read(AnswerForm(request.POST))
    otp = given.pop("otp")
    declines = given["decision"] == Decision.DECLINE
    if declines != bool(given["reason"]):
        raise Refused("malformed", "who declines says why, for the others to read; who approves does not")
    services.add_approval(
        officer=officer, action_id=action_id, approval=quorum.approval(officer=officer, **given), otp=otp
    )
    messages.success(request, f"Your security key's {'refusal' if declines else 'approval'} is given.")
    return redirect("pages:officer-action", action_id=action_id)


def approving(request: HttpRequest, officer: OfficerProfile, action: AdminAction) -> dict[str, Any]:
    """What the page of an action that `officer` may approve needs to have a security key do it."""
    try:
        usable = [one for one in quorum.keys_of(officer) if one.origin == origin_of(request)]
    except Refused:
        usable = []
    return {"keys": usable, "challenge": b64u(bytes.fromhex(action.digest)), "answer": AnswerForm()}


def _officer(reader: Reader) -> OfficerProfile:
    if reader.officer is None:
        raise Refused("forbidden")
    return reader.officer
