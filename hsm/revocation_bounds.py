"""Which revocation intervals this device accepts in terms: what officers set, or the defaults.

They count when a key is imported. A key that is there keeps the interval that its customer sealed.
"""

from hsm import records as r
from hsm.device import Device
from strongroom.protocol.action_table import SetRevocationBounds
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import LONGEST, SHORTEST, check_address_literal, check_bounds
from strongroom.protocol.terms import Terms

DEVELOPMENT_SHORTEST = 1


def bounds_in_force(device: Device) -> tuple[int, int]:
    """Shortest and longest interval, in seconds. A development device accepts a second, so that tests are quick."""
    kept = device.records.get("world/revocation-bounds", r.RevocationBounds)
    if kept is not None:
        return kept.shortest, kept.longest
    return DEVELOPMENT_SHORTEST if device.mode == "development" else SHORTEST, LONGEST


def check_revocation_here(device: Device, terms: Terms) -> None:
    """Raise `Refused("terms-refused")` where this device would not ask as these terms say."""
    if terms.revocation is not None:
        check_bounds(terms.revocation, *bounds_in_force(device))
        check_address_literal(terms.revocation.url, device.reach)
    age = terms.certificate_status.every if terms.certificate_status is not None else 0
    if age and not bounds_in_force(device)[0] <= age <= bounds_in_force(device)[1]:
        raise Refused("terms-refused", "the age of a certificate's status is not within the device's bounds")


def check_bounds_body(_device: Device, body: SetRevocationBounds) -> None:
    """Raise `Refused("malformed")` where nothing lies within the bounds."""
    if not 1 <= body.shortest <= body.longest:
        raise Refused("malformed", "1 ≤ shortest ≤ longest, in seconds")


def set_bounds(changes: r.Changes, body: SetRevocationBounds) -> str:
    """Put other bounds in force."""
    changes.put("world/revocation-bounds", r.RevocationBounds(body.shortest, body.longest))
    return f"{body.shortest}-{body.longest}"
