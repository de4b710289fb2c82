"""Who may see a page: everything beyond login needs a verified one-time code, and each page names its readers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import django_otp
from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from portal.pages.rendering import problem
from portal.quorum.models import OfficerProfile
from portal.quorum.selectors import officer_of
from strongroom.protocol.errors import Refused
from tenants.models import Tenant, User
from tenants.permissions import ADMINS
from tenants.selectors import membership_of


@dataclass(frozen=True)
class Reader:
    """Who reads a page: a person of a tenant (`tenant` and `role`), or an officer of the provider (`officer`)."""

    user: User
    tenant: Tenant | None
    role: str
    officer: OfficerProfile | None

    @property
    def may_change(self) -> bool:
        return self.role in ADMINS


Page = Callable[..., HttpResponse]


def customer_page(view: Page) -> Page:
    """For people of a tenant: the view gets `reader` and `tenant`. To everyone else the page does not exist."""

    def for_customer(request: HttpRequest, reader: Reader, **parts: object) -> HttpResponse:
        if reader.tenant is None:
            raise Http404
        return view(request, reader=reader, tenant=reader.tenant, **parts)

    return _verified(wraps(view)(for_customer))


def officer_page(view: Page) -> Page:
    """For officers of the provider: the view gets `reader`. To everyone else the page does not exist."""

    def for_officer(request: HttpRequest, reader: Reader, **parts: object) -> HttpResponse:
        if reader.officer is None:
            raise Http404
        return view(request, reader=reader, **parts)

    return _verified(wraps(view)(for_officer))


def any_page(view: Page) -> Page:
    """For everyone who is logged in with a one-time code: the view gets `reader`."""
    return _verified(view)


def must_change(reader: Reader) -> None:
    """Raises `Refused("forbidden")` for someone who is no admin."""
    if not reader.may_change:
        raise Refused("forbidden")


def reader_of(user: User) -> Reader | None:
    """The reader that a user is; None for one who is neither of an active tenant nor an officer."""
    membership = membership_of(user)
    if membership is not None and membership.tenant.status == Tenant.Status.ACTIVE:
        return Reader(user, membership.tenant, membership.role, None)
    officer = officer_of(user)
    return Reader(user, None, "", officer) if membership is None and officer is not None else None


def _verified(view: Page) -> Page:
    @never_cache
    @wraps(view)
    def verified(request: HttpRequest, **parts: object) -> HttpResponse:
        # 1. Password, then one-time code: whoever has no authenticator sets one up first.
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_verified():  # type: ignore[attr-defined]  # OTPMiddleware adds it
            if django_otp.user_has_device(request.user):
                return redirect_to_login(request.get_full_path())
            return redirect("pages:enrol")
        # 2. Somebody who has business here.
        reader = reader_of(request.user)
        if reader is None:
            raise Http404
        # 3. The page, or in its place what went wrong.
        try:
            return view(request, reader=reader, **parts)
        except Refused as error:
            return problem(request, error, reader=reader)
        except DataError:
            # An address that no row can have, with a zero byte for instance.
            return problem(request, Refused("not-found"), reader=reader)

    return verified
