"""`manage.py register_device`: make the device and the keys that it publishes known, also to the manufacturer.

Idempotent."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from strongroom.protocol.errors import Refused
from tee.listing import list_vendor_keys
from tee.services import register_device


class Command(BaseCommand):
    help = "Ask the device for its certificate and keys, check and keep them, and have the manufacturer list them."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            device = register_device()
            list_vendor_keys()
        except Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{device.device_id} ({device.mode}) is registered.")
