"""What each administrative action does in the device: whether it can be done as things stand, and doing it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hsm import records as r
from hsm.destruction import check_destruction, check_keeping, destroy_partition, keep_partition
from hsm.device import Device
from hsm.limits import check_limits, update_limits
from hsm.officers import change_officers, check_officers
from hsm.partitions import define_partition
from hsm.revocation_bounds import check_bounds_body, set_bounds
from hsm.wrapping_keys import check_in_force, retire_wrapping_key, rotate_wrapping_key
from strongroom.protocol.action_table import (
    ChangeOfficers,
    DefinePartition,
    DestroyPartition,
    KeepPartition,
    RetireProviderKey,
    RotateProviderKey,
    RotateVendorKey,
    SealDevice,
    SetRevocationBounds,
    UpdateLimits,
)
from strongroom.protocol.admin_actions import AdminAction


def _nothing(_device: Device, _body: Any) -> None:
    return


def _of_no_partition(_body: Any, _result: str) -> list[str]:
    return []


def _of_its_partition(body: Any, _result: str) -> list[str]:
    return [body.partition]


class Does(NamedTuple):
    """`check` raises `Refused`, when the action is opened and again before it is done. `run` is given the action
    too, for its nonce, and returns in a word what it made. `partitions`: those whose logs have it, beside the world's.
    """

    run: Callable[[Device, r.Changes, Any, AdminAction], str]
    check: Callable[[Device, Any], None] = _nothing
    partitions: Callable[[Any, str], list[str]] = _of_no_partition


DOES: dict[type, Does] = {
    DefinePartition: Does(
        lambda device, changes, body, action: define_partition(device, changes, action, body),
        partitions=lambda _body, result: [result],
    ),
    DestroyPartition: Does(
        lambda device, changes, body, _: destroy_partition(device, changes, body), check_destruction, _of_its_partition
    ),
    KeepPartition: Does(
        lambda device, changes, body, _: keep_partition(device, changes, body), check_keeping, _of_its_partition
    ),
    ChangeOfficers: Does(lambda device, changes, body, _: change_officers(device, changes, body), check_officers),
    SealDevice: Does(lambda _device, _changes, _body, _: "sealed"),
    RotateVendorKey: Does(
        lambda device, changes, _body, _: rotate_wrapping_key(device, changes, "vendor-key", "HPKE-XWING")
    ),
    RotateProviderKey: Does(
        lambda device, changes, body, _: rotate_wrapping_key(device, changes, "provider-key", body.suite)
    ),
    RetireProviderKey: Does(
        lambda device, changes, body, _: retire_wrapping_key(device, changes, "provider-key", body.key),
        lambda device, body: check_in_force(device, "provider-key", body.key),
    ),
    SetRevocationBounds: Does(lambda _device, changes, body, _: set_bounds(changes, body), check_bounds_body),
    UpdateLimits: Does(lambda _device, changes, body, _: update_limits(changes, body), check_limits),
}
"""By the type of the action's body; `strongroom.protocol.action_table` has a row for each."""
