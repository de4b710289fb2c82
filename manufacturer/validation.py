"""The answer to: was this vendor key issued, to which provider's device, and is it in force?"""

from typing import Annotated, Literal

import msgspec

from manufacturer.hierarchy import Hierarchies
from manufacturer.selectors import STATUSES, Device, Status, VendorKey, get_device, get_vendor_key
from manufacturer.store import Store
from strongroom.protocol import jws
from strongroom.protocol.certificates import Mode, to_x5c
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import ValidationStatement

LIFETIME = 300
"""Seconds for which an answer counts."""


class ValidationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question. `mode` is for an asker who trusts one hierarchy alone: the answer is then signed in that one."""

    nonce: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{16,128}\Z")]
    subject: Literal["vendor-key"]
    key_id: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}\Z")]
    mode: Mode | None = None


def answer(*, store: Store, hierarchies: Hierarchies, request: ValidationRequest, now: int) -> str:
    """A `ValidationStatement` as JWS with `x5c`. A key that is not listed has the status `unknown`, signed too.

    Raises `Refused("development-refused")` where the development hierarchy is asked for and is not in use.
    """
    if request.mode is not None and request.mode not in hierarchies:
        raise Refused("development-refused")
    # 1. The key, and the device that it was made in, as the register has them at one moment.
    with store.reading() as register:
        key = get_vendor_key(register, request.key_id)
        device = None if key is None else get_device(register, key.device)
    # 2. The hierarchy that answers: the one asked for, else the device's own, else production. None knows of the
    #    devices of another.
    if device is not None and device.mode in hierarchies and request.mode in (None, device.mode):
        hierarchy = hierarchies[device.mode]
    else:
        hierarchy = hierarchies[request.mode or "production"]
        key = device = None
    # 3. What is known, signed over the nonce.
    statement = ValidationStatement(
        validator="manufacturer",
        subject=request.subject,
        key_id=request.key_id,
        public_key_digest="" if key is None else digest(key.public_key),
        device="" if device is None else device.device,
        device_status="unknown" if device is None else device.status,
        provider="" if device is None else device.provider,
        status="unknown" if key is None or device is None else effective_status(key, device, now),
        not_before=None,
        not_after=None if key is None else key.expires_at,
        nonce=request.nonce,
        issued_at=now,
        expires_at=now + LIFETIME,
    )
    signer = hierarchy.statement
    return jws.sign(statement, signer.key, x5c=to_x5c(signer.certificate))


def effective_status(key: VendorKey, device: Device, now: int) -> Status:
    """A vendor key is never in a better state than the device that it was made in, nor than its expiry allows."""
    by_time: Status = "retired" if key.expires_at is not None and now >= key.expires_at else "in-force"
    return max(key.status, device.status, by_time, key=STATUSES.index)
