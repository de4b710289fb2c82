"""Who comes in: whoever has logged in with a one-time code, and whom `portal.pages.roles` names for the page."""

from collections.abc import Callable
from functools import wraps

import django_otp
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache

from portal.pages.places import page_above
from portal.pages.readers import Reader, reader_of, tenant_kept_out
from portal.pages.rendering import problem
from portal.pages.roles import PAGES, may
from portal.pages.step_up import Unconfirmed, ask
from strongroom.protocol.errors import Refused

Page = Callable[..., HttpResponseBase]


def customer_page(view: Page) -> Page:
    """For people of a tenant: the view gets `reader` and `tenant`. To everyone else the page does not exist."""

    def for_customer(request: HttpRequest, reader: Reader, **parts: object) -> HttpResponseBase:
        if reader.tenant is None:
            raise Http404
        return view(request, reader=reader, tenant=reader.tenant, **parts)

    return _verified(wraps(view)(for_customer))


def officer_page(view: Page) -> Page:
    """For people of the provider: the view gets `reader`. To everyone else the page does not exist."""

    def for_provider(request: HttpRequest, reader: Reader, **parts: object) -> HttpResponseBase:
        if not reader.is_of_provider:
            raise Http404
        return view(request, reader=reader, **parts)

    return _verified(wraps(view)(for_provider))


def any_page(view: Page) -> Page:
    """For everyone who is logged in with a one-time code: the view gets `reader`."""
    return _verified(view)


def _verified(view: Page) -> Page:
    @never_cache
    @wraps(view)
    def verified(request: HttpRequest, **parts: object) -> HttpResponseBase:
        # 1. Password, then one-time code: whoever has no authenticator sets one up first.
        if not request.user.is_authenticated:
            return _to_login(request)
        if not request.user.is_verified():  # type: ignore[attr-defined]  # OTPMiddleware adds it
            if django_otp.user_has_device(request.user):
                return _to_login(request)
            return redirect("pages:enrol")
        # 2. Somebody who has business here, or is told why not.
        if (tenant := tenant_kept_out(request.user)) is not None:
            return render(request, "pages/kept_out.html", {"tenant": tenant}, status=403)
        reader = reader_of(request.user)
        if reader is None:
            raise Http404
        # 3. The page, or in its place what went wrong.
        try:
            _admit(request, reader)
            try:
                return view(request, reader=reader, **parts)
            except Unconfirmed as unconfirmed:
                return ask(request, unconfirmed)
        except Refused as error:
            return problem(request, error, reader=reader)
        except DataError:
            # An address that no row can have, with a zero byte for instance.
            return problem(request, Refused("not-found"), reader=reader)

    return verified


def _to_login(request: HttpRequest) -> HttpResponseBase:
    """To the login page, and from there to what was asked for; after a form, which is not sent again, to its page."""
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    return redirect_to_login(page_above(request.path), f"{resolve_url(settings.LOGIN_URL)}?ended=1")


def _admit(request: HttpRequest, reader: Reader) -> None:
    """Raises `Http404` for the other side, and `Refused`: `method-not-allowed`, `forbidden`."""
    name = request.resolver_match.url_name if request.resolver_match else None
    rule, method = PAGES[name or ""], request.method or ""
    if reader.role not in rule.sides:
        raise Http404
    if method not in rule.methods:
        raise Refused("method-not-allowed")
    if not may(reader.role, name or "", method):
        raise Refused("forbidden")
