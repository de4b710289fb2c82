"""Reads of devices, published keys, imports and keys."""

from strongroom.protocol.commands import Status, StatusReply
from tee.drivers import secure_module


def device_state() -> str:
    """The device's state now. Raises `Refused("hsm-unreachable")`."""
    return secure_module().call(Status(), StatusReply).state
