"""A person's session at the REST interface: opened with password and one-time code, closed by logging out."""

from contextlib import AbstractContextManager

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.db import transaction
from django_otp import match_token
from knox.models import AuthToken

from strongroom.protocol.errors import Refused
from tenants import selectors
from tenants.authentication import Caller
from tenants.models import Tenant, User
from tenants.scoping import tenant_scope
from tenants.signals import emit


def open_session(*, username: str, password: str, otp: str) -> tuple[AuthToken, str, User, Tenant | None]:
    """(token, its plaintext, the person, their tenant or None for an officer).

    Raises `Refused("login-refused")` alike for a wrong name, password or code, and for a code that was used before.
    """
    # 1. Password.
    user = authenticate(username=username, password=password)
    if not isinstance(user, User):
        raise Refused("login-refused")
    # 2. A fresh code of a confirmed authenticator; django-otp remembers the last code and slows guessing down.
    if match_token(user, otp) is None:
        raise Refused("login-refused")
    # 3. A tenant that may use the service, or none.
    membership = selectors.membership_of(user)
    if membership is not None and membership.tenant.status != Tenant.Status.ACTIVE:
        raise Refused("login-refused")
    tenant = membership.tenant if membership else None
    # 4. The token, and the word of it.
    with _transaction(tenant):
        token, plaintext = AuthToken.objects.create(user=user)
        update_last_login(User, user)
        emit(tag="person:session:opened", tenant=tenant, actor=user.username, by="api")
    return token, plaintext, user, tenant


def close_session(*, caller: Caller) -> None:
    """End the token that the caller used. Raises `Refused("unauthenticated")` for one who has none."""
    if caller.token is None:
        raise Refused("unauthenticated")
    with _transaction(caller.tenant):
        caller.token.delete()
        if caller.user.kind == User.Kind.PERSON:
            emit(tag="person:session:closed", tenant=caller.tenant, actor=caller.user.username, by="api")


def _transaction(tenant: Tenant | None) -> AbstractContextManager[None]:
    return tenant_scope(tenant) if tenant is not None else transaction.atomic()
