"""`manage.py register_device`: make the device and the keys that it publishes known. Idempotent."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from tee.services import register_device


class Command(BaseCommand):
    help = "Ask the device for its certificate and published keys, check them, and keep them."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            device = register_device()
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{device.device_id} ({device.mode}) is registered.")
