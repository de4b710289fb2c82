"""The contract of the TEE's socket: what a caller may ask of the sealed process, and what it answers.

A connection begins with a `Hello` that names its lane, answered by a `Reply`. On the *admin* lane each request is a
`Request` (command name and body) answered by a `Reply`; on the *operations* lane each request is an `OperationRequest`
of `strongroom.protocol.operations`. Every message is MessagePack in one frame of `strongroom.protocol.frames`.
Which device state and caller each command needs is declared where it is handled, in `hsm/`.
"""

from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from strongroom.protocol.action_table import OfficerEnrolment
from strongroom.protocol.admin_actions import Officer
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import CATALOGUE, Refused

Caller = Literal["portal", "console"]
Lane = Literal["admin", "operations"]
T = TypeVar("T")
MOST_RANDOM = 65_536
"""Bytes of one `MakeRandom`."""


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First frame of a connection. The process at the other end must be allowed that caller (`SO_PEERCRED`)."""

    lane: Lane
    caller: Caller


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One command. `body` is the MessagePack of the command's own struct."""

    command: str
    body: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answer: `body` where `code` is empty, else a refusal."""

    code: str = ""
    detail: str = ""
    body: msgspec.Raw = msgspec.Raw(b"\xc0")


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command's body. `NAME` is how it is called."""

    NAME: ClassVar[str]


def encode_request(command: Command) -> bytes:
    """A command as the body of a frame."""
    return msgspec.msgpack.encode(Request(command.NAME, msgspec.Raw(msgspec.msgpack.encode(command))))


def decode_reply(frame: bytes, type_: type[T]) -> T:
    """The answer inside a frame, or the `Refused` that it carries."""
    try:
        reply = msgspec.msgpack.decode(frame, type=Reply)
        if not reply.code:
            return msgspec.msgpack.decode(reply.body, type=type_)
    except msgspec.DecodeError:
        raise Refused("internal", "the device's answer cannot be read") from None
    raise Refused(reply.code if reply.code in CATALOGUE else "internal", reply.detail)


class Done(msgspec.Struct, frozen=True):
    """The answer to what has nothing to say."""


# --- Life of the device ---------------------------------------------------------------------------------------------


class Status(Command, frozen=True, kw_only=True):
    NAME = "status"


class StatusReply(msgspec.Struct, frozen=True, kw_only=True):
    """`unseal_cards`: whose parts the device has; `unseal_wait`: seconds until it takes one again."""

    state: Literal["blank", "manufactured", "sealed", "operational"]
    mode: str
    device: str
    world: str
    boot_epoch: int
    unseal_progress: int
    unseal_threshold: int
    unseal_cards: list[str] = []
    unseal_wait: int = 0
    workers: list[int]
    version: str


class MakeIdentity(Command, frozen=True, kw_only=True):
    """Make device secret and identity key. The mode is what the certificate will say; asked again, the same CSR."""

    NAME = "device.make-identity"


class MakeIdentityReply(msgspec.Struct, frozen=True):
    csr: str


class InstallCertificate(Command, frozen=True, kw_only=True):
    """PEM of the device certificate and of the root that issued it."""

    NAME = "device.install-certificate"
    certificate: str
    root: str


class Initialise(Command, frozen=True, kw_only=True):
    """The ceremony: enrol officers, make world key, vendor key and provider key, split the unseal secret."""

    NAME = "ceremony.initialise"
    officers: list[OfficerEnrolment]
    thresholds: dict[str, int]


class InitialiseReply(msgspec.Struct, frozen=True):
    """`parts`: for each security card (by fingerprint) its unseal part, sealed to the card's key
    with `unseal_part_info(world, fingerprint)`; `transcript` is a signed `CeremonyTranscript`."""

    world: str
    parts: dict[str, bytes]
    transcript: str


class BeginUnseal(Command, frozen=True, kw_only=True):
    """Ask for a fresh unseal key, endorsed over the officer's nonce."""

    NAME = "unseal.begin"
    nonce: str


class BeginUnsealReply(msgspec.Struct, frozen=True):
    endorsement: str


class GiveUnsealPart(Command, frozen=True, kw_only=True):
    """One officer's part, sealed to the fresh key `key_id` with `unseal_part_info(world, card, key_id)`."""

    NAME = "unseal.give-part"
    key_id: str
    card: str
    part: bytes


class GiveUnsealPartReply(msgspec.Struct, frozen=True):
    progress: int
    threshold: int
    state: str


def unseal_part_info(world: str, card: str, key_id: str = "") -> bytes:
    """HPKE `info` for an unseal part: on its way to a card (no `key_id`), or to the device."""
    return b"\x00".join([b"strongroom-unseal-part-1", world.encode(), card.encode(), key_id.encode()])


# --- Trust ----------------------------------------------------------------------------------------------------------


class PublishKeys(Command, frozen=True, kw_only=True):
    NAME = "keys.publish"


class PublishKeysReply(msgspec.Struct, frozen=True):
    """Signed `Endorsement`s of the wrapping keys and operations keys in force, with the device certificate in PEM."""

    device: str
    certificate: str
    vendor_keys: list[str]
    provider_keys: list[str]
    operations_keys: list[str] = []


class Attest(Command, frozen=True, kw_only=True):
    NAME = "attest"
    nonce: str
    partition: str = ""


class AttestReply(msgspec.Struct, frozen=True):
    attestation: str


# --- Quorum ---------------------------------------------------------------------------------------------------------


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


class ListOfficers(Command, frozen=True, kw_only=True):
    NAME = "officers.list"


class ListOfficersReply(msgspec.Struct, frozen=True):
    epoch: int
    world: str
    officers: list[Officer]
    thresholds: dict[str, int]
    roster: str = ""


# --- Partitions, imports, keys ----------------------------------------------------------------------------------------


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


# --- Revocation -------------------------------------------------------------------------------------------------------


class RevocationStatus(Command, frozen=True, kw_only=True):
    """How the versions of a key stand with those who may revoke it."""

    NAME = "revocation.status"
    partition: str
    key: str


class VersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `state`: `none` (its terms name nobody to ask), `unchecked` (no answer yet since import or start),
    `good`, `suspended`, `revoked`, `destroyed`. Times are unix seconds. `answer` is the last valid one (`active`,
    `suspended`, `unknown`); `why` says why it is suspended, or the customer's reason. `checks` counts the calls since
    the device's start, `seconds` is what the last one took from sending to being applied.
    """

    version: int
    state: Literal["none", "unchecked", "good", "suspended", "revoked", "destroyed"]
    last_check: int | None = None
    next_check: int | None = None
    answer: str = ""
    why: str = ""
    checks: int = 0
    seconds: float = 0.0


class RevocationStatusReply(msgspec.Struct, frozen=True, kw_only=True):
    versions: list[VersionStatus]


class CheckNow(Command, frozen=True, kw_only=True):
    """Ask now for every version of these keys (at most 1000). Answered at once with `Done`: `revocation.status` tells
    what came of it, once `checks` has grown.
    """

    NAME = "revocation.check-now"
    partition: str
    keys: list[str]


class MakeRandom(Command, frozen=True, kw_only=True):
    """Random bytes for the API client that the portal authenticated, if the access list gives it any right."""

    NAME = "random"
    partition: str
    principal: str
    length: int


class MakeRandomReply(msgspec.Struct, frozen=True):
    random: bytes


# --- Log --------------------------------------------------------------------------------------------------------------


class MakeCheckpoint(Command, frozen=True, kw_only=True):
    NAME = "log.checkpoint"
    partition: str
    nonce: str


class MakeCheckpointReply(msgspec.Struct, frozen=True):
    checkpoint: str


class ReadLane(Command, frozen=True, kw_only=True):
    """Entries of all partitions of one lane in the order written, after `cursor` (empty: from the start)."""

    NAME = "log.read-lane"
    lane: str
    cursor: str = ""
    limit: int = 5000


class LoggedEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it was written, with where it stands."""

    partition: str
    n: int
    entry: bytes


class ReadLaneReply(msgspec.Struct, frozen=True):
    """`cursor` is where the next call goes on. Not `more`: the end was reached for now.

    There may be fewer than `limit` although there are more: an answer stays well below a frame's size.
    """

    entries: list[LoggedEntry]
    cursor: str
    more: bool = False


class ListLanes(Command, frozen=True, kw_only=True):
    NAME = "log.lanes"


class ListLanesReply(msgspec.Struct, frozen=True):
    lanes: list[str]


# --- Sessions --------------------------------------------------------------------------------------------------------


class SessionRequest(Command, frozen=True, kw_only=True):
    """Admin lane: the session in which `signed` instructions are accepted now."""

    NAME = "session"


class SessionReply(msgspec.Struct, frozen=True):
    session: str
    device: str


def refusal(error: Refused) -> dict[str, Any]:
    """A refusal as the fields that replies carry."""
    return {"code": error.code, "detail": error.detail}
