"""Logins of the provider's people. Who is an officer is what the device says; here a person is linked to one."""

from django.db import transaction

from portal.quorum import selectors
from portal.quorum.models import OfficerProfile, SupportProfile
from portal.quorum.selectors import ALIAS
from strongroom.protocol.errors import Refused
from tenants.errors import conflict
from tenants.models import User
from tenants.selectors import membership_of
from tenants.services import add_person


def link_officer(*, username: str, card: str, password: str, email: str = "") -> tuple[OfficerProfile, bool]:
    """Link a login to the officer whose card this is, with all that officer's cards, and whether the login is new.

    `password` is a new login's. `email`: where it is told of actions; without one the address it has stays. A login
    that was another officer's is this one's from then on. Raises `Refused`: `officer-unknown` for a card that the
    device has not enrolled, `conflict` for a person of a tenant or another's card, and what the TEE says.
    """
    enrolled = next((one for one in selectors.world().officers if one.credential.fingerprint == card), None)
    if enrolled is None:
        raise Refused("officer-unknown", "the device has not enrolled this card: it is not enrolled by quorum yet")
    user = User.objects.filter(username=username).first()
    new = user is None
    if user is None:
        user = add_person(tenant=None, username=username, password=password, role=None)
    elif user.kind != User.Kind.PERSON or membership_of(user) is not None:
        raise Refused("conflict", "this is a login of a tenant's")
    elif selectors.is_support(user):
        raise Refused("conflict", "this is a login of support: whoever decides has one of its own")
    with conflict("the card is another officer's"), transaction.atomic(using=ALIAS):
        officer, _ = OfficerProfile.objects.using(ALIAS).update_or_create(
            user_id=user.pk,
            defaults={"officer_class": enrolled.officer_class, "name": enrolled.name, "active": True}
            | ({"email": email} if email else {}),
        )
    return officer, new


def add_support(*, username: str, password: str) -> SupportProfile:
    """A login that reads officers' pages and does nothing. Raises `Refused`: `conflict`, `malformed` (password)."""
    user = add_person(tenant=None, username=username, password=password, role=None)
    return SupportProfile.objects.using(ALIAS).create(user_id=user.pk)


def follow_enrolments() -> None:
    """Let whoever has an enrolled card, and nobody else, be an officer. Raises `Refused`, as the TEE does."""
    enrolled = {(one.officer_class, one.name) for one in selectors.world().officers}
    for officer in OfficerProfile.objects.using(ALIAS).all():
        active = (officer.officer_class, officer.name) in enrolled
        if active != officer.active:
            OfficerProfile.objects.using(ALIAS).filter(pk=officer.pk).update(active=active)
