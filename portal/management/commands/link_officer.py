"""`manage.py link_officer USERNAME --card FINGERPRINT`: the login of the officer whose card this is."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.quorum.officers import link_officer
from strongroom.protocol.errors import Refused


class Command(BaseCommand):
    help = "Link a login, made where there is none, to the officer with an enrolled card; print a new one's password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--card", required=True, metavar="FINGERPRINT")
        parser.add_argument("--email", default="", help="Where the officer is told of actions.")

    def handle(self, *args: Any, **options: Any) -> None:
        password = secrets.token_urlsafe(18)
        try:
            officer, new = link_officer(
                username=options["username"], card=options["card"], password=password, email=options.get("email", "")
            )
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{officer} is {officer.name}, with every card of that name")
        if new:
            self.stdout.write(f"First password: {password}")
            self.stdout.write("The first login in the portal sets up the one-time codes.")
