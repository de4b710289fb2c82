"""The few forms of the portal."""

from typing import Any

import django_otp
from django import forms
from django.contrib.auth.forms import AuthenticationForm

from tenants.names import check_readable

CODE = {"inputmode": "numeric", "autocomplete": "one-time-code", "maxlength": 24, "spellcheck": "false"}


class CodeInput(forms.TextInput):
    """A field for a one-time code, which is never filled in again: it has served, or is about to expire."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class LoginForm(AuthenticationForm):
    """Password and one-time code at once, so that no answer tells which of them was wrong.

    `authenticator` is the one that verified the code. Someone who has none comes in unverified, and can then do
    nothing but set one up.
    """

    authenticator: Any = None

    otp_token = forms.CharField(
        required=False, label="One-time code", widget=CodeInput(CODE | {"aria-describedby": "otp-help"})
    )
    error_messages = {
        "invalid_login": "User name, password or one-time code is wrong. A code serves only once.",
        "inactive": "User name, password or one-time code is wrong. A code serves only once.",
    }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        user = self.get_user()
        # There is none where a field cannot be read, with a zero byte in it for instance.
        if user is not None and django_otp.user_has_device(user):
            # Remembers the last code of each authenticator, and slows guessing down.
            self.authenticator = django_otp.match_token(user, self.cleaned_data.get("otp_token", ""))
            if self.authenticator is None:
                raise self.get_invalid_login_error()
        return cleaned


class CodeForm(forms.Form):
    """The first code of a new authenticator."""

    code = forms.CharField(label="One-time code", widget=CodeInput(CODE | {"autofocus": True}))


class ConfirmationForm(forms.Form):
    """The fresh code that an act asks for; its field is `portal.pages.step_up.FIELD`."""

    fresh_code = forms.CharField(label="A fresh one-time code", widget=CodeInput(CODE | {"autofocus": True}))


class ClientForm(forms.Form):
    name = forms.CharField(max_length=100, validators=[check_readable])


class TokenForm(forms.Form):
    days = forms.IntegerField(min_value=1, max_value=365, initial=90)


class LimitsForm(forms.Form):
    """An API client's own limits in a minute; empty: none but the tenant's."""

    requests = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, label="Requests a minute")
    items = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, label="Items a minute")
