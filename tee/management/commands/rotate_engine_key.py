"""`manage.py rotate_engine_key --suite SUITE`: a new provider key in engine custody; the one before is retired."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import SUITES
from tee import at_rest, engine


class Command(BaseCommand):
    help = "Make a new provider key of the engine and retire the one in force, whose private half is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--suite", required=True, choices=SUITES)

    def handle(self, *args: Any, **options: Any) -> None:
        if not at_rest.is_configured():
            raise CommandError("Set STRONGROOM_ENGINE_KEY_FILE: a file of 32 random bytes, mode 0600.")
        try:
            key = engine.rotate_engine_key(suite=options["suite"], actor="")
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{key.key_id} ({key.suite}) is in force; customers re-wrap for it.")
