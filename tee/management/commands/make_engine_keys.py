"""`manage.py make_engine_keys`: a provider key in engine custody for each suite that has none in force. Idempotent."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from tee import at_rest, engine


class Command(BaseCommand):
    help = "Make the provider keys of the engine that are missing, one for each suite."

    def handle(self, *args: Any, **options: Any) -> None:
        if not at_rest.is_configured():
            raise CommandError("Set STRONGROOM_ENGINE_KEY_FILE: a file of 32 random bytes, mode 0600.")
        try:
            made = engine.make_engine_keys(actor="")
        except Refused as refused:
            raise CommandError(str(refused)) from None
        for key in made:
            self.stdout.write(f"{key.key_id} ({key.suite}) is in force.")
        if not made:
            self.stdout.write("Each suite has a key in force.")
