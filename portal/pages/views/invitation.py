"""Accepting an invitation: a user name and a password; the authenticator comes next, as at every first login."""

from django import forms
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from strongroom.protocol.errors import Refused
from tenants.members import accept_invitation, open_invitation
from tenants.models import User

BACKEND = "django.contrib.auth.backends.ModelBackend"


class AcceptanceForm(forms.Form):
    username = forms.RegexField(
        r"^[\w.@+-]+$",
        max_length=64,
        label="User name",
        widget=forms.TextInput({"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
        error_messages={"invalid": "Letters, digits and . @ + - _ only."},
    )
    password = forms.CharField(
        max_length=200, strip=False, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )
    again = forms.CharField(
        max_length=200,
        strip=False,
        label="The password again",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    # Each field by itself, so that everything is said at once. What makes the person checks again.

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username=username).exists():
            raise forms.ValidationError(f"there is a user {username!r} already")
        return username

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        # As it was typed: a password that is refused is no other than the one that was meant.
        if again != self.data.get("password"):
            raise forms.ValidationError("The two passwords are not the same.")
        return again


@never_cache
@sensitive_post_parameters()
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    try:
        found = open_invitation(secret)
    except Refused as error:
        return render(request, "pages/invitation_over.html", {"error": error}, status=error.problem.status)
    form = AcceptanceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        username, password = form.cleaned_data["username"], form.cleaned_data["password"]
        try:
            user = accept_invitation(secret=secret, username=username, password=password)
        except Refused as error:
            form.add_error("username" if error.code == "conflict" else None, error.detail or error.problem.sentence)
        else:
            login(request, user, backend=BACKEND)
            return redirect("pages:enrol")
    return render(request, "pages/invitation.html", {"form": form, "invitation": found})
