"""Coming in and going out: password with one-time code, and setting up the authenticator."""

import base64
from typing import Any

import django_otp
import qrcode
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from qrcode.image.svg import SvgPathImage

from portal.authenticators.models import RecoveryCodes
from portal.authenticators.services import confirm, waiting_authenticator
from portal.pages.forms import CodeForm, LoginForm
from tenants.lockout import Attempt, LockedOut, address_of
from tenants.models import User
from tenants.selectors import membership_of
from tenants.signals import emit


class Login(auth_views.LoginView):
    """Django's own view (session rotation, safe redirects) with a form that asks for the one-time code, too."""

    template_name = "pages/login.html"
    authentication_form = LoginForm
    attempt: Attempt

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            self.attempt = Attempt(request.POST.get("username", ""), address_of(request))
        except LockedOut as locked:
            response = render(
                request,
                self.template_name,
                {"form": LoginForm(request), "locked": locked},
                status=locked.problem.status,
            )
            response.headers["Retry-After"] = str(locked.retry_after)
            return response
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        self.attempt.succeeded()
        # Django keeps the key where the same person logs in again; what a one-time code opens gets a key of its own.
        self.request.session.cycle_key()
        if isinstance(form, LoginForm) and form.authenticator is not None:
            django_otp.login(self.request, form.authenticator)
            _tell("person:session:opened", form.get_user())
        return response


class Logout(auth_views.LogoutView):
    """By POST only; the session is emptied and gets another key."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        response = super().post(request, *args, **kwargs)
        if user.is_authenticated:
            _tell("person:session:closed", user)
        return response


@never_cache
def enrol(request: HttpRequest) -> HttpResponse:
    """Set up the authenticator of someone who has none and came in by password alone, or who lost it.

    Whoever came in by a recovery code sets up another one in its place.
    """
    if not request.user.is_authenticated:
        return redirect("pages:login")
    recovering = isinstance(request.user.otp_device, RecoveryCodes)  # type: ignore[attr-defined]  # OTPMiddleware's
    if django_otp.user_has_device(request.user) and not recovering:
        return redirect("pages:overview")
    form = CodeForm(request.POST or None)
    with transaction.atomic():
        # 1. One waiting authenticator for a person, whose secret the page shows until it is confirmed.
        device = waiting_authenticator(request.user)
        # 2. Its first code confirms it.
        confirmed = form.is_valid() and device.verify_token(form.cleaned_data["code"])
        codes = confirm(device) if confirmed else []
    if confirmed:
        # 3. From here on the session is another one, and verified.
        request.session.cycle_key()
        django_otp.login(request, device)
        _tell("person:authenticator:confirmed", request.user)
        _tell("person:session:opened", request.user)
        # 4. Shown this once.
        return render(request, "pages/recovery.html", {"codes": codes})
    if form.is_bound and form.is_valid():
        form.add_error("code", "This is not the code of now. Check the clock of your device and try the next one.")
    secret = base64.b32encode(device.seed).decode()
    return render(request, "pages/enrol.html", {"form": form, "secret": secret, "qr": _qr(device.config_url)})


def _qr(text: str) -> SafeString:
    image = qrcode.make(text, image_factory=SvgPathImage, border=0)
    return mark_safe(image.to_string(encoding="unicode"))  # noqa: S308 - made here, of rectangles only


def _tell(tag: str, user: User) -> None:
    membership = membership_of(user)
    emit(tag=tag, tenant=membership.tenant if membership else None, actor=user.get_username(), by="web")
