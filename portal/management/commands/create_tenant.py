"""`manage.py create_tenant SLUG NAME`: a tenant, and the person who then makes the rest.

With `--admin USERNAME [--email ADDRESS]` that person is there at once; with `--invite ADDRESS` it is invited by mail.
"""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from portal.pages.invitation_mail import send_invitation
from strongroom.protocol.errors import Refused
from tenants.members import invite
from tenants.models import Role, Tenant
from tenants.services import add_person, create_tenant


class Command(BaseCommand):
    help = "Create a tenant with its owner, and print the owner's first password, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        owner = parser.add_mutually_exclusive_group(required=True)
        owner.add_argument("--admin", metavar="USERNAME")
        owner.add_argument("--invite", metavar="ADDRESS")
        parser.add_argument("--email", default="", help="Where the owner is told of the tenant's keys.")
        parser.add_argument("--url", default="http://localhost:8000", help="The portal's, for the link in the mail.")

    def handle(self, *args: Any, **options: Any) -> None:
        password = secrets.token_urlsafe(18)
        try:
            tenant = create_tenant(slug=options["slug"], name=options["name"])
            if options.get("invite"):
                self._invite(tenant, options["invite"], options["url"])
                return
            add_person(
                tenant=tenant,
                username=options["admin"],
                password=password,
                role=Role.OWNER,
                email=options.get("email", ""),
            )
        except Refused as refused:
            raise CommandError(str(refused)) from None
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"{options['admin']} owns {tenant.slug}; first password: {password}")
        self.stdout.write("The first login in the portal sets up the one-time codes.")

    def _invite(self, tenant: Tenant, address: str, url: str) -> None:
        made, secret = invite(tenant=tenant, email=address, role=Role.OWNER, actor="the provider", by=None)
        link = url.rstrip("/") + reverse("pages:invitation", args=[secret])
        sent = send_invitation(made, link)
        self.stdout.write(
            f"{address} is invited to own {tenant.slug}{'' if sent else ', but the mail did not go off'}."
        )
        self.stdout.write(f"The link serves once, for a week: {link}")
