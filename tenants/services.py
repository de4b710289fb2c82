"""What changes tenants, their clients, devices and partitions. All names of tenants and people are the caller's own."""

from datetime import timedelta

import msgspec
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from knox.models import AuthToken

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from tenants import selectors
from tenants.errors import conflict
from tenants.models import ApiClient, ClientDevice, Membership, Partition, Role, Tenant, User
from tenants.names import check_slug
from tenants.scoping import tenant_scope
from tenants.signals import emit

OVERLAP = timedelta(hours=24)
"""So long a token serves beside the one that takes its place."""


def create_tenant(*, slug: str, name: str) -> Tenant:
    """A new tenant. Raises `Refused("conflict")`, and `ValidationError` for a name that none may have."""
    check_slug(slug)
    with conflict(f"there is a tenant {slug!r} already"), transaction.atomic():
        tenant = Tenant(slug=slug, name=name)
        tenant.clean_fields()
        tenant.save()
    return tenant


def add_person(*, tenant: Tenant | None, username: str, password: str, role: str | None, email: str = "") -> User:
    """A person who may log in once an authenticator is set up: of `tenant` as `role`, or of none (an officer).

    `email`: where one of a tenant is told of its keys. Raises `Refused`: `conflict`, `malformed` for a password that
    the validators refuse.
    """
    with conflict(f"there is a user {username!r} already"), transaction.atomic():
        try:
            validate_password(password)
        except ValidationError as error:
            raise Refused("malformed", " ".join(error.messages)) from None
        user = User.objects.create_user(username, password)
        if tenant is not None and role is not None:
            Membership.objects.create(user=user, tenant=tenant, role=role, email=email)
    return user


def set_email(*, username: str, email: str) -> None:
    """Where a person of a tenant is told of its keys; empty: nowhere. Raises `Refused("not-found")`."""
    if not Membership.objects.filter(user__username=username, user__kind=User.Kind.PERSON).update(email=email):
        raise Refused("not-found", "no tenant has a person of that name")


def create_client(*, tenant: Tenant, name: str, actor: str) -> ApiClient:
    """A new API client, with its service user. It has no token yet, and no right in any partition.

    Raises `Refused("conflict")` for a name that an active client has.
    """
    with conflict(f"there is an active client {name!r} already"), tenant_scope(tenant):
        client_id = make_id("cl_")
        user = User.objects.create_user(client_id, kind=User.Kind.SERVICE)
        Membership.objects.create(user=user, tenant=tenant, role=Role.CLIENT)
        client = ApiClient.objects.create(tenant=tenant, client_id=client_id, name=name, user=user)
        emit(tag="person:client:created", tenant=tenant, actor=actor, client=client_id, name=name)
    return client


def revoke_client(*, tenant: Tenant, client_id: str, actor: str) -> None:
    """End an API client and all its tokens. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        client = selectors.find_client(tenant=tenant, client_id=client_id)
        AuthToken.objects.filter(user=client.user).delete()
        User.objects.filter(pk=client.user_id).update(is_active=False)
        client.status = ApiClient.Status.REVOKED
        client.save(update_fields=["status"])
        emit(tag="person:client:revoked", tenant=tenant, actor=actor, client=client_id, name=client.name)


def set_tenant_quota(*, slug: str, requests: int | None, items: int | None) -> None:
    """The provider's limits for a tenant in a minute; None: the default. Raises `Refused("not-found")`."""
    changed = Tenant.objects.filter(slug=slug).update(requests_a_minute=requests, items_a_minute=items)
    if not changed:
        raise Refused("not-found")


def set_client_quota(*, tenant: Tenant, client_id: str, requests: int | None, items: int | None, actor: str) -> None:
    """A tenant's limits for one of its API clients in a minute; None: no other than the tenant's.

    Raises `Refused("not-found")`.
    """
    with tenant_scope(tenant):
        client = selectors.find_client(tenant=tenant, client_id=client_id)
        Membership.objects.filter(user=client.user).update(requests_a_minute=requests, items_a_minute=items)
        emit(tag="person:client:limited", tenant=tenant, actor=actor, client=client_id, requests=requests, items=items)


def create_token(*, tenant: Tenant, client_id: str, days: int, actor: str) -> tuple[AuthToken, str]:
    """A new token of an API client, and its plaintext, which is kept nowhere. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        client = selectors.find_client(tenant=tenant, client_id=client_id)
        token, plaintext = AuthToken.objects.create(user=client.user, expiry=timedelta(days=days))
        emit(tag="person:token:created", tenant=tenant, actor=actor, client=client_id, token_key=token.token_key)
    return token, plaintext


def rotate_token(*, tenant: Tenant, client_id: str, token_key: str, days: int, actor: str) -> tuple[AuthToken, str]:
    """A new token as `create_token`, and a day until the one before ends, in which both serve.

    Raises `Refused("not-found")`.
    """
    with tenant_scope(tenant):
        client = selectors.find_client(tenant=tenant, client_id=client_id)
        before = AuthToken.objects.filter(user=client.user, token_key=token_key).first()
        if before is None:
            raise Refused("not-found")
        token, plaintext = AuthToken.objects.create(user=client.user, expiry=timedelta(days=days))
        until = timezone.now() + OVERLAP
        if before.expiry is None or before.expiry > until:
            before.expiry = until
            before.save(update_fields=["expiry"])
        emit(
            tag="person:token:rotated", tenant=tenant, actor=actor, client=client_id,
            token_key=token.token_key, before=token_key,
        )  # fmt: skip
    return token, plaintext


def revoke_token(*, tenant: Tenant, client_id: str, token_key: str, actor: str) -> None:
    """End one token. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        client = selectors.find_client(tenant=tenant, client_id=client_id)
        deleted, _ = AuthToken.objects.filter(user=client.user, token_key=token_key).delete()
        if not deleted:
            raise Refused("not-found")
        emit(tag="person:token:revoked", tenant=tenant, actor=actor, client=client_id, token_key=token_key)


def enrol_device(*, tenant: Tenant, name: str, credential: PublicCredential, actor: str) -> ClientDevice:
    """Make a client device's credential known. Raises `Refused("conflict")` for a name or key that is enrolled."""
    with conflict("a device of that name or credential is enrolled already"), tenant_scope(tenant):
        device = ClientDevice.objects.create(
            tenant=tenant,
            name=name,
            credential=msgspec.to_builtins(credential),
            fingerprint=credential.fingerprint,
        )
        emit(tag="person:device:enrolled", tenant=tenant, actor=actor, device=device.fingerprint, name=name)
    return device


def remove_device(*, tenant: Tenant, fingerprint: str, actor: str) -> None:
    """Take a client device off the portal's list; its rights end when the owner takes it off the access list.

    Raises `Refused("not-found")`.
    """
    with tenant_scope(tenant):
        changed = ClientDevice.objects.filter(
            tenant=tenant, fingerprint=fingerprint, status=ClientDevice.Status.ENROLLED
        ).update(status=ClientDevice.Status.REMOVED)
        if not changed:
            raise Refused("not-found")
        emit(tag="person:device:removed", tenant=tenant, actor=actor, device=fingerprint)


def request_partition(*, tenant: Tenant, label: str, owner: PublicCredential, actor: str) -> Partition:
    """Ask the provider's officers for a partition of this owner."""
    with tenant_scope(tenant):
        partition = Partition.objects.create(
            tenant=tenant,
            request=make_id("rq_"),
            label=label,
            owner=msgspec.to_builtins(owner),
            owner_fingerprint=owner.fingerprint,
        )
        emit(tag="person:partition:requested", tenant=tenant, actor=actor, request=partition.request, label=label)
    return partition
