"""Drivers of secure modules: the portal speaks to `SecureModule`, and a driver to what it is made of."""

from functools import cache

from django.conf import settings

from tee.drivers.emulator import Emulator
from tee.drivers.secure_module import SecureModule


@cache
def secure_module() -> SecureModule:
    """The device of this installation (`STRONGROOM_HSM_SOCKET`)."""
    return Emulator(settings.HSM_SOCKET)


__all__ = ["SecureModule", "secure_module"]
