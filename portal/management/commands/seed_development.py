"""`manage.py seed_development`: the people of a development installation, as a JSON document on standard input says.

In: `{"officers": [{"username", "password", "otp_seed", "officer_class", "name", "email"}],
"support": [{"username", "password", "otp_seed"}],
"tenants": [{"slug", "name", "client", "people": [{"username", "password", "otp_seed", "role", "email"}]}]}`;
passwords and seeds (base32) are made where they are missing, and a tenant's API client only where `client` names one.
Out: `{"people": [{"username", "password", "otp_seed", …}], "clients": [{"slug", "client_id", "token"}]}`, of those that
were made now. Idempotent: who is there already is left alone.
"""

import base64
import secrets
import sys
from typing import Any, Literal

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from portal.authenticators.models import Authenticator
from portal.quorum.models import OfficerProfile, SupportProfile
from strongroom.protocol.action_table import OfficerClass
from tenants import selectors, services
from tenants.models import Membership, Tenant, User


class PersonSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    username: str
    password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(18))
    otp_seed: str = msgspec.field(default_factory=lambda: base64.b32encode(secrets.token_bytes(20)).decode())


class OfficerSpec(PersonSpec, kw_only=True):
    officer_class: OfficerClass
    name: str
    email: str = ""


class MemberSpec(PersonSpec, kw_only=True):
    role: Literal["owner", "admin", "operator", "auditor"] = "owner"
    email: str = ""


class TenantSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    slug: str
    name: str
    client: str = ""
    people: list[MemberSpec] = []


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    officers: list[OfficerSpec] = []
    support: list[PersonSpec] = []
    tenants: list[TenantSpec] = []


class Made(msgspec.Struct):
    """What this run made."""

    people: list[PersonSpec] = []
    clients: list[dict[str, str]] = []


class Command(BaseCommand):
    help = "Make the people of a development installation, as the JSON document on standard input says."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Refused: this is for STRONGROOM_ENV=development alone.")
        try:
            spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
        except msgspec.DecodeError as error:
            raise CommandError(f"Standard input: {error}") from None
        made = Made()
        for officer in spec.officers:
            self._person(officer, made)
            OfficerProfile.objects.using("provider").get_or_create(
                user_id=User.objects.get(username=officer.username).pk,
                defaults={
                    "officer_class": officer.officer_class,
                    "name": officer.name,
                    "email": officer.email,
                },
            )
        for reader in spec.support:
            self._person(reader, made)
            user = User.objects.get(username=reader.username)
            SupportProfile.objects.using("provider").get_or_create(user_id=user.pk)
        for one in spec.tenants:
            tenant, _ = Tenant.objects.get_or_create(slug=one.slug, defaults={"name": one.name})
            for member in one.people:
                self._person(member, made, tenant=tenant, role=member.role, email=member.email)
            if one.client and one.client not in [known.name for known in selectors.clients(tenant=tenant)]:
                made.clients.append(self._client(tenant, one.client))
        self.stdout.write(msgspec.json.encode(made).decode())

    def _person(
        self, spec: PersonSpec, made: Made, *, tenant: Tenant | None = None, role: str = "", email: str = ""
    ) -> None:
        """Person, membership and authenticator, all or nothing."""
        with transaction.atomic():
            user, new = User.objects.get_or_create(username=spec.username)
            if not new:
                return
            user.set_password(spec.password)
            user.save(update_fields=["password"])
            Authenticator.objects.create(user=user, name="default", seed=base64.b32decode(spec.otp_seed))
            if tenant is not None:
                Membership.objects.create(user=user, tenant=tenant, role=role, email=email)
        made.people.append(spec)

    def _client(self, tenant: Tenant, name: str) -> dict[str, str]:
        client = services.create_client(tenant=tenant, name=name, actor="seed_development")
        _, token = services.create_token(tenant=tenant, client_id=client.client_id, days=90, actor="seed_development")
        return {"slug": tenant.slug, "client_id": client.client_id, "token": token}
