"""`manage.py create_tenant SLUG NAME --admin USERNAME [--email ADDRESS]`: a tenant, and who then makes the rest."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from tenants.models import Role
from tenants.services import add_person, create_tenant


class Command(BaseCommand):
    help = "Create a tenant with its owner, and print the owner's first password, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("--admin", required=True, metavar="USERNAME")
        parser.add_argument("--email", default="", help="Where the owner is told of the tenant's keys.")

    def handle(self, *args: Any, **options: Any) -> None:
        password = secrets.token_urlsafe(18)
        try:
            tenant = create_tenant(slug=options["slug"], name=options["name"])
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
