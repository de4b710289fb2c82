"""The device's key to which operations are sealed, as the device itself endorses it."""

from dataclasses import dataclass

import msgspec

from strongroom.client.connection import Connection
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement


@dataclass(frozen=True)
class OperationsKey:
    key_id: str
    public_key: RecipientPublicKey


class _Device(msgspec.Struct, frozen=True):
    device: str
    operations_keys: list[str] = []


class _Trust(msgspec.Struct, frozen=True):
    devices: list[_Device]


def fetch(connection: Connection, device: str, now: int) -> OperationsKey:
    """The operations key of the device that holds a key. The portal only passes it on.

    Raises `Refused`: `validation-failed` where the device endorses none; `certificate-invalid`, `signature-invalid`.
    """
    roots = connection.home.manufacturer_roots()
    for one in connection.portal.get("trust", _Trust).devices:
        for token in reversed(one.operations_keys) if one.device == device else []:
            endorsement, certified = verify_statement(token, Endorsement, roots, "device", now)
            public_key = RecipientPublicKey.from_text(endorsement.public_key)
            stated = (endorsement.purpose, endorsement.device, endorsement.key_id)
            if stated != ("operations-key", device, public_key.key_id("ok_")) or certified.device_id != device:
                raise Refused("validation-failed", "the device does not vouch for this operations key")
            return OperationsKey(endorsement.key_id, public_key)
    raise Refused("validation-failed", "the device has no operations key")
