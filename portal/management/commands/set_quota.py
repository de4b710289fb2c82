"""`manage.py set_quota SLUG [--requests N] [--items N]`: what a tenant may ask in a minute."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from tenants.quotas import DEFAULT_ITEMS, DEFAULT_REQUESTS
from tenants.services import set_tenant_quota


class Command(BaseCommand):
    help = "Limit a tenant's requests and items in a minute. All web processes heed it within a second."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--requests", type=int, help=f"default: {DEFAULT_REQUESTS}")
        parser.add_argument("--items", type=int, help=f"items of operations; default: {DEFAULT_ITEMS}")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("requests", "items"):
            if options[name] is not None and not 0 < options[name] < 2**31:
                raise CommandError(f"--{name}: from 1 to {2**31 - 1}")
        try:
            set_tenant_quota(slug=options["slug"], requests=options["requests"], items=options["items"])
        except Refused as refused:
            raise CommandError(str(refused)) from None
