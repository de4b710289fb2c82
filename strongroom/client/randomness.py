"""Random bytes made in the device."""

import msgspec

from strongroom.client.connection import Connection
from strongroom.protocol.errors import Refused


class _Answer(msgspec.Struct, frozen=True):
    bytes: bytes


def random_bytes(connection: Connection, length: int) -> bytes:
    """`length` bytes (1 to 65536), on the API client's token. Raises `Refused` with the device's code."""
    body = {"length": length, "partition": connection.home.partition()}
    found = connection.portal.post("random", body, _Answer).bytes
    if len(found) != length:
        raise Refused("internal", f"{len(found)} bytes came, not {length}")
    return found
