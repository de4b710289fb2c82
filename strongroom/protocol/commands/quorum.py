"""Administrative actions, and the officers who decide them."""

import msgspec

from strongroom.protocol.admin_actions import Officer
from strongroom.protocol.commands.calling import Command


class OpenAction(Command, frozen=True, kw_only=True):
    """Open an administrative action on a signed `ActionRequest`."""

    NAME = "action.open"
    request: str


class OpenActionReply(msgspec.Struct, frozen=True):
    action: bytes


class ExecuteAction(Command, frozen=True, kw_only=True):
    """Carry out exactly these bytes on these approvals. Asked again after success, the same answer."""

    NAME = "action.execute"
    action: bytes
    approvals: list[str]


class ExecuteActionReply(msgspec.Struct, frozen=True):
    """`result` of `partition.define` is the partition's id."""

    result: str


class WithdrawAction(Command, frozen=True, kw_only=True):
    """Take an open action back, on its requester's signed `Withdrawal`."""

    NAME = "action.withdraw"
    withdrawal: str


class ListUnsealParts(Command, frozen=True, kw_only=True):
    """The parts of the newest sharing of the unseal secret, each sealed to its card."""

    NAME = "officers.parts"


class ListUnsealPartsReply(msgspec.Struct, frozen=True):
    """As `InitialiseReply`."""

    world: str
    parts: dict[str, bytes]
    transcript: str


class ListOfficers(Command, frozen=True, kw_only=True):
    NAME = "officers.list"


class ListOfficersReply(msgspec.Struct, frozen=True):
    epoch: int
    world: str
    officers: list[Officer]
    thresholds: dict[str, int]
    roster: str = ""
