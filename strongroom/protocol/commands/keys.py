"""Partitions, their access lists, imports and keys."""

from typing import Literal

import msgspec

from strongroom.protocol.commands.calling import Command
from strongroom.protocol.credentials import PublicCredential

MOST_RANDOM = 65_536
"""Bytes of one `MakeRandom`."""


class KeepPartitionOrder(Command, frozen=True, kw_only=True):
    """Cancel a waiting destruction, on the owner's signed `PartitionOrder`."""

    NAME = "partition.keep"
    partition: str
    order: str


class ShowPartition(Command, frozen=True, kw_only=True):
    """Whether a partition is in use, waits for its destruction, or is destroyed."""

    NAME = "partition.show"
    partition: str


class ShowPartitionReply(msgspec.Struct, frozen=True):
    state: Literal["in-use", "to-be-destroyed", "destroyed"]
    destroy_at: int = 0


class ShowAccess(Command, frozen=True, kw_only=True):
    NAME = "access.show"
    partition: str


class ShowAccessReply(msgspec.Struct, frozen=True):
    """`document` is the signed `AccessList` in force, empty before the first; `owners` are in force either way."""

    version: int
    document: str
    owners: list[PublicCredential]


class UpdateAccess(Command, frozen=True, kw_only=True):
    NAME = "access.update"
    partition: str
    document: str


class UpdateAccessReply(msgspec.Struct, frozen=True):
    version: int


class ImportKey(Command, frozen=True, kw_only=True):
    """An envelope, as its transport leaves it: with its provider layer for `tee`, without for `engine` and `channel`.

    `tenant` is whom the portal authenticated: it must be the header's. `consent`: the owner's signed `VersionConsent`,
    needed only for a new version with looser terms.
    """

    NAME = "import.key"
    partition: str
    tenant: str
    header: str
    material: bytes
    terms: bytes
    consent: str = ""


class ImportKeyReply(msgspec.Struct, frozen=True):
    receipt: str


class FindImport(Command, frozen=True, kw_only=True):
    """The receipt of an import by its id, or `not-found`: how an interrupted import is settled."""

    NAME = "import.find"
    partition: str
    import_id: str


class ListKeys(Command, frozen=True, kw_only=True):
    """Keys of the partition in the order of their ids and versions, after `after` (empty: from the start)."""

    NAME = "keys.list"
    partition: str
    after: str = ""


class ListKeysReply(msgspec.Struct, frozen=True):
    """(receipt, state) of each version of each key. `last` is where to go on after, or empty at the end."""

    keys: list[tuple[str, str]]
    last: str = ""


class MakeSingleUseKey(Command, frozen=True, kw_only=True):
    """A vendor key of suite `RSA-AES-KWP` for one import id, partition and owner: gone after use, or in an hour."""

    NAME = "keys.make-single-use"
    partition: str
    import_id: str
    owner: str


class MakeSingleUseKeyReply(msgspec.Struct, frozen=True):
    endorsement: str


class OrderKey(Command, frozen=True, kw_only=True):
    """Carry out an owner's signed `KeyOrder`. Asked again with the same order, the same answer."""

    NAME = "keys.order"
    partition: str
    order: str


class OrderKeyReply(msgspec.Struct, frozen=True):
    """State of each version of the key afterwards."""

    states: dict[int, str]


class MakeRandom(Command, frozen=True, kw_only=True):
    """Random bytes for the API client that the portal authenticated, if the access list gives it any right."""

    NAME = "random"
    partition: str
    principal: str
    length: int


class MakeRandomReply(msgspec.Struct, frozen=True):
    random: bytes
