"""`manage.py set_email USERNAME ADDRESS`: where a person of a tenant is told of its keys."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from strongroom.protocol.errors import Refused
from tenants.services import set_email


class Command(BaseCommand):
    help = "Tell a tenant's owner or admin of its keys by mail at this address; an empty one: no longer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["address"]:
                validate_email(options["address"])
            set_email(username=options["username"], email=options["address"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        except Refused as refused:
            raise CommandError(str(refused)) from None
