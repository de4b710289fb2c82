"""A tenant's people: invited by a link, given another role, removed. A tenant always keeps an owner."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from knox.models import AuthToken

from strongroom.protocol.errors import Refused
from tenants.models import Invitation, Membership, Role, Tenant, User
from tenants.permissions import ADMINS, PEOPLE
from tenants.scoping import tenant_scope
from tenants.services import add_person
from tenants.signals import emit

VALID = timedelta(days=7)
"""So long an invitation may be accepted."""
LAST_OWNER = "a tenant keeps an owner: make somebody else one first"


def members(*, tenant: Tenant) -> list[Membership]:
    """The tenant's people, by name; API clients are none."""
    people = Membership.objects.filter(tenant=tenant, user__kind=User.Kind.PERSON, user__is_active=True)
    return list(people.select_related("user").order_by("user__username"))


def invitations(*, tenant: Tenant) -> list[Invitation]:
    """Those that have not been accepted, expired ones too."""
    return list(Invitation.objects.filter(tenant=tenant))


def invite(*, tenant: Tenant, email: str, role: str, actor: str, by: str | None) -> tuple[Invitation, str]:
    """An invitation in the place of any other of that address, and the secret of its link, which is kept nowhere.

    `by`: the role of whoever invites; None for the provider. Raises `Refused("forbidden")` for a role that one may not
    give.
    """
    check_may_give(by=by, role=role)
    secret = secrets.token_urlsafe(32)
    with tenant_scope(tenant):
        Invitation.objects.filter(tenant=tenant, email=email).delete()
        made = Invitation.objects.create(
            tenant=tenant,
            email=email,
            role=role,
            digest=_digest(secret),
            invited_by=actor,
            expires=timezone.now() + VALID,
        )
        emit(tag="person:invitation:made", tenant=tenant, actor=actor, email=email, role=role)
    return made, secret


def withdraw_invitation(*, tenant: Tenant, invitation: int, actor: str) -> None:
    """Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        found = find_invitation(tenant=tenant, invitation=invitation)
        found.delete()
        emit(tag="person:invitation:withdrawn", tenant=tenant, actor=actor, email=found.email, role=found.role)


def find_invitation(*, tenant: Tenant, invitation: int) -> Invitation:
    """Raises `Refused("not-found")`."""
    found = Invitation.objects.filter(tenant=tenant, pk=invitation).first()
    if found is None:
        raise Refused("not-found")
    return found


def open_invitation(secret: str) -> Invitation:
    """The invitation whose link has this secret. Raises `Refused("not-found")` where it is used, withdrawn or old."""
    return _open(Invitation.objects.all(), secret)


def accept_invitation(*, secret: str, username: str, password: str) -> User:
    """Become one of the tenant's people. The link serves no more.

    Raises `Refused`: `not-found` as `open_invitation`, and what `add_person` does, after which the link still serves.
    """
    with transaction.atomic():
        found = _open(Invitation.objects.select_for_update(of=("self",)), secret)
        user = add_person(tenant=found.tenant, username=username, password=password, role=found.role, email=found.email)
        found.delete()
        emit(tag="person:invitation:accepted", tenant=found.tenant, actor=username, role=found.role)
    return user


def find_member(*, tenant: Tenant, username: str) -> Membership:
    """Raises `Refused("not-found")`."""
    people = Membership.objects.filter(tenant=tenant, user__kind=User.Kind.PERSON, user__is_active=True)
    found = people.select_related("user", "tenant").filter(user__username=username).first()
    if found is None:
        raise Refused("not-found")
    return found


def change_role(*, tenant: Tenant, username: str, role: str, actor: str, by: str) -> None:
    """Raises `Refused`: `not-found`, `forbidden`, `conflict` for the last owner."""
    with tenant_scope(tenant):
        found = _to_change(tenant, username, by)
        check_may_give(by=by, role=role)
        if found.role == role:
            return
        _check_not_last(tenant, found)
        emit(tag="person:member:changed", tenant=tenant, actor=actor, member=username, role=role, before=found.role)
        found.role = role
        found.save(update_fields=["role"])
        # A token that was given for the role before is of the role before.
        AuthToken.objects.filter(user=found.user).delete()


def remove_member(*, tenant: Tenant, username: str, actor: str, by: str) -> None:
    """End a person's login and tokens. The name stays taken: what it did stays on record.

    Raises `Refused`: `not-found`, `forbidden`, `conflict` for the last owner.
    """
    with tenant_scope(tenant):
        found = _to_change(tenant, username, by)
        _check_not_last(tenant, found)
        AuthToken.objects.filter(user=found.user).delete()
        User.objects.filter(pk=found.user_id).update(is_active=False)
        emit(tag="person:member:removed", tenant=tenant, actor=actor, member=username, role=found.role)


def roles_to_give(by: str) -> list[Role]:
    """The roles that this role may give somebody."""
    return [one for one in Role if _may_give(by, one)]


def check_may_give(*, by: str | None, role: str) -> None:
    """`by`: as for `invite`. Raises `Refused("forbidden")`."""
    if not _may_give(by, role):
        raise Refused("forbidden", "only an owner makes somebody an owner")


def check_may_go(*, tenant: Tenant, username: str, by: str) -> None:
    """Whether someone can be given another role, or removed, by this role.

    Raises `Refused`: `not-found`, `forbidden`, `conflict` for the last owner.
    """
    found = find_member(tenant=tenant, username=username)
    _check_may_touch(found, by)
    _check_not_last(tenant, found)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _open(rows: QuerySet[Invitation], secret: str) -> Invitation:
    found = rows.select_related("tenant").filter(digest=_digest(secret), expires__gt=timezone.now()).first()
    if found is None or found.tenant.status != Tenant.Status.ACTIVE:
        raise Refused("not-found", "the invitation has been used, withdrawn or has expired: ask for another")
    return found


def _to_change(tenant: Tenant, username: str, by: str) -> Membership:
    """The membership, while no other of the tenant's is changed."""
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    found = find_member(tenant=tenant, username=username)
    _check_may_touch(found, by)
    return found


def _may_give(by: str | None, role: str) -> bool:
    """Admins give every role but the owner's; the provider gives a tenant its first people."""
    return role in PEOPLE and (by is None or by == Role.OWNER or (by in ADMINS and role != Role.OWNER))


def _check_may_touch(found: Membership, by: str) -> None:
    if by not in ADMINS or (found.role == Role.OWNER and by != Role.OWNER):
        raise Refused("forbidden", "only an owner changes or removes an owner")


def _check_not_last(tenant: Tenant, leaving: Membership) -> None:
    owners = [one for one in members(tenant=tenant) if one.role == Role.OWNER]
    if owners == [leaving]:
        raise Refused("conflict", LAST_OWNER)
