"""What a browser's security key gave to a page, and at which origin."""

from typing import Any

from django import forms
from django.http import HttpRequest

from strongroom.protocol.errors import Refused


class RegistrationForm(forms.Form):
    """What `navigator.credentials.create` gave, in base64url."""

    credential_id = forms.CharField(max_length=1_400)
    public_key = forms.CharField(max_length=400)
    authenticator_data = forms.CharField(max_length=4_000)
    client_data = forms.CharField(max_length=2_000)


class AssertionForm(forms.Form):
    """What `navigator.credentials.get` gave, in base64url."""

    credential_id = forms.CharField(max_length=1_400)
    authenticator_data = forms.CharField(max_length=200)
    client_data = forms.CharField(max_length=2_000)
    signature = forms.CharField(max_length=200)


def origin_of(request: HttpRequest) -> str:
    """The portal's origin as the reader's browser has it: of a host that the settings allow."""
    return f"{request.scheme}://{request.get_host()}"


def read(form: forms.Form) -> dict[str, Any]:
    """What a form holds. Raises `Refused("malformed")`."""
    if not form.is_valid():
        raise Refused("malformed", f"not filled in: {', '.join(form.errors)}")
    return form.cleaned_data
