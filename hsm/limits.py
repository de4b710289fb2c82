"""Limits of a world that security officers set, within bounds that no quorum moves."""

from hsm import records as r
from hsm.device import Device
from strongroom.protocol.action_table import UpdateLimits
from strongroom.protocol.errors import Refused

ACTION_HOURS = range(1, 30 * 24 + 1)
DESTRUCTION_HOURS = range(24, 90 * 24 + 1)


def limits(device: Device) -> r.Limits:
    return device.records.get("world/limits", r.Limits) or r.Limits()


def check_limits(_device: Device, body: UpdateLimits) -> None:
    """Raise `Refused("malformed")` for limits out of their bounds."""
    if body.action_hours not in ACTION_HOURS or body.destruction_hours not in DESTRUCTION_HOURS:
        raise Refused(
            "malformed",
            f"actions live {ACTION_HOURS[0]} to {ACTION_HOURS[-1]} hours, and destructions wait "
            f"{DESTRUCTION_HOURS[0]} to {DESTRUCTION_HOURS[-1]}",
        )


def update_limits(changes: r.Changes, body: UpdateLimits) -> str:
    changes.put("world/limits", r.Limits(body.action_hours, body.destruction_hours))
    return f"{body.action_hours}/{body.destruction_hours}"
