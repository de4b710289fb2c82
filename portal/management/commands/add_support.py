"""`manage.py add_support USERNAME`: a login that reads officers' pages and does nothing."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.quorum.officers import add_support
from strongroom.protocol.errors import Refused


class Command(BaseCommand):
    help = "Make a login that reads officers' pages and does nothing; print its first password, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = secrets.token_urlsafe(18)
        try:
            profile = add_support(username=options["username"], password=password)
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{profile}; first password: {password}")
        self.stdout.write("The first login in the portal sets up the one-time codes.")
