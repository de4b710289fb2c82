"""Records as the rest of the device sees them: typed values by path, sealed on the way to the store.

`RECORDS` in the comments beside each struct are their paths.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from hsm.keytree import KeyTree
from hsm.shared import Generations
from hsm.store import Store
from strongroom.protocol.admin_actions import Officer
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, GENESIS, WORLD_LOG, Entry, next_head
from strongroom.protocol.revocation import SAID_BY

T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True):  # device/identity
    private_key: bytes
    csr: str


class Certificate(msgspec.Struct, frozen=True):  # device/certificate
    certificate: str
    root: str


class Boot(msgspec.Struct, frozen=True):  # device/boot
    epoch: int


class ClockMark(msgspec.Struct, frozen=True):  # device/clock
    """The highest wall time that the device knows of, in unix seconds."""

    mark: int


class Unsealing(msgspec.Struct, frozen=True):  # device/unsealing
    """How K parts give the world key: a wrap of the unseal secret for each set of K officers' cards.

    `request` and `reply` of the ceremony are kept until the first unsealing, so that a lost answer can be asked again.
    """

    world: str
    threshold: int
    wraps: dict[str, bytes]
    commitments: dict[str, bytes]
    names: dict[str, str]
    world_key: bytes
    request: bytes
    reply: bytes


class Officers(msgspec.Struct, frozen=True):  # world/officers
    epoch: int
    officers: list[Officer]
    thresholds: dict[str, int]


class RevocationBounds(msgspec.Struct, frozen=True):  # world/revocation-bounds
    """Seconds that the revocation interval of a key to come may have, where officers have set them."""

    shortest: int
    longest: int


class WrappingKey(msgspec.Struct, frozen=True):  # world/{vendor,provider,operations}-keys/ID
    private_key: bytes
    endorsement: str
    suite: str = "HPKE-XWING"
    in_force: bool = True


class SingleUseKey(msgspec.Struct, frozen=True):  # partitions/ID/single-use/ID
    private_key: bytes
    import_id: str
    owner: str
    expires_at: int


class OpenedAction(msgspec.Struct, frozen=True):  # world/actions/DIGEST
    action: bytes
    executed: bool = False
    result: str = ""
    withdrawn: bool = False


class Limits(msgspec.Struct, frozen=True):  # world/limits
    """How long an action can be approved, and how long a destruction waits that the owner did not sign."""

    action_hours: int = 7 * 24
    destruction_hours: int = 7 * 24


class Destruction(msgspec.Struct, frozen=True):  # world/destructions/PARTITION
    """A partition whose destruction waits: an index, so that they are found without reading every partition."""

    due: int


class UnsealParts(msgspec.Struct, frozen=True):  # device/unseal-parts
    """The newest sharing of the unseal secret: each security card's part, sealed to the card, with its transcript.

    It can be read while the device is sealed: without it nobody could unseal what restarts after a change.
    """

    parts: dict[str, bytes]
    transcript: str


class SecurityKeyCounter(msgspec.Struct, frozen=True):  # world/security-keys/FINGERPRINT
    """The highest counter of an approval by this security key that served."""

    counter: int


class AskedAction(msgspec.Struct, frozen=True):  # world/requests/DIGEST
    """The action that an officer's signed request opened: one request opens one."""

    action: bytes


class Partition(msgspec.Struct, frozen=True):  # partitions/ID
    """`document` is the signed access list in force (empty: none yet); `owners` are in force either way.

    `counters`: what those of the security keys have come to that changed the list, by fingerprint.
    `destroy_at` (unix seconds): a destruction waits until then. `destroyed`: no key of it is left.
    """

    tenant: str
    defined_by: str
    owners: list[PublicCredential]
    version: int = 0
    document: str = ""
    destroy_at: int = 0
    destroyed: bool = False
    counters: dict[str, int] = {}


class Import(msgspec.Struct, frozen=True):  # partitions/ID/imports/ID
    header_digest: str
    receipt: str


class Name(msgspec.Struct, frozen=True):  # partitions/ID/names/NAME
    key: str


class NamedKey(msgspec.Struct, frozen=True):  # partitions/ID/keys/ID
    """A key with all its versions; `current` is the newest. `destroyed`: every version was.

    Versions below `minimum` serve for nothing; the owner's order that says so is of `ordered_at`.
    """

    name: str
    current: int
    destroyed: bool = False
    minimum: int = 0
    ordered_at: int = 0


class Revoked(msgspec.Struct, frozen=True):
    """On whose word a version was revoked (`owner`, `endpoint`, `ocsp`, `crl`), when, and the reason that was given."""

    by: str
    at: int
    reason: str


class StoredKey(msgspec.Struct, frozen=True):  # partitions/ID/keys/ID/VERSION
    """One version. Once `destroyed` it has no material; its receipt stays, as the tombstone. `revoked`: that is why."""

    receipt: str
    name: str
    version: int
    terms: bytes
    material: bytes
    destroyed: bool = False
    revoked: bool = False
    revocation: Revoked | None = None

    @property
    def gone(self) -> str:
        """How it came to be destroyed, in words; empty while it is there."""
        if not self.destroyed:
            return ""
        if self.revocation is None:
            return "revoked" if self.revoked else "destroyed"
        told = self.revocation
        reason = f": {told.reason}" if told.reason else ""
        return f"revoked {datetime.fromtimestamp(told.at, UTC):%Y-%m-%d %H:%M:%SZ} by {SAID_BY[told.by]}{reason}"


class Uses(msgspec.Struct, frozen=True):  # partitions/ID/uses/KEY/VERSION
    """How many encryptions workers have reserved of an AES-GCM key."""

    reserved: int


class Head(msgspec.Struct, frozen=True):  # world/log-head, partitions/ID/log-head
    """Count and head of the administrative chain; `checkpoint` is the digest of the newest signed checkpoint."""

    count: int = 0
    head: bytes = GENESIS
    checkpoint: str = ""


class Records:
    """Reads and writes of typed records; one of these for each process."""

    def __init__(
        self,
        store: Store,
        keys: KeyTree,
        generations: Generations,
        announce: Callable[[str], None] = lambda _path: None,
    ) -> None:
        """`announce` is told the path of each version of a key that was written."""
        self.store = store
        self.keys = keys
        self.generations = generations
        self._announce = announce

    def get(self, path: str, type_: type[T]) -> T | None:
        sealed = self.store.read(path)
        if sealed is None:
            return None
        try:
            return msgspec.msgpack.decode(self.keys.open(path, sealed), type=type_)
        except msgspec.ValidationError:  # a path, made of what a caller sent, that leads to another kind of record
            raise Refused("not-found") from None

    def need(self, path: str, type_: type[T]) -> T:
        """As `get`; raises `Refused("not-found")` where there is none."""
        value = self.get(path, type_)
        if value is None:
            raise Refused("not-found")
        return value

    @contextmanager
    def transaction(self) -> Iterator["Changes"]:
        """Writes that are flushed together; afterwards, and before anyone is answered, caches are told."""
        changes = Changes(self)
        with self.store.transaction():
            yield changes
        for path in changes.paths:
            self.generations.moved(path)
        for path in changes.versions:
            self._announce(path)
        if changes.erases:
            self.store.forget_history()


class Changes:
    """The writes of one transaction. Who takes a secret away says so by `erases`: no copy of it then stays behind."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.paths: list[str] = []
        self.versions: list[str] = []
        self.erases = False

    def put(self, path: str, value: msgspec.Struct) -> None:
        self._records.store.write(path, self._records.keys.seal(path, msgspec.msgpack.encode(value)))
        self.paths.append(path)
        if isinstance(value, StoredKey):
            self.versions.append(path)

    def delete(self, path: str) -> None:
        self._records.store.delete(path)
        self.paths.append(path)
        self.erases = True

    def log(self, partition: str, *, epoch: int, time: int, event: str, **fields: Any) -> int:
        """Append an entry to the administrative chain of `partition` (or of the world). Returns its number."""
        head_path = log_head_path(partition)
        head = self._records.get(head_path, Head) or Head()
        entry = canonical_json(
            Entry(partition=partition, lane=ADMIN_LANE, n=head.count + 1, epoch=epoch, time=time, event=event, **fields)
        )
        self._records.store.append(partition, head.count + 1, entry)
        self.put("device/clock", ClockMark(time))
        self.put(head_path, replaced(head, count=head.count + 1, head=next_head(head.head, entry)))
        return head.count + 1


def log_head_path(partition: str) -> str:
    return "world/log-head" if partition == WORLD_LOG else f"partitions/{partition}/log-head"


def replaced(value: T, **changes: Any) -> T:
    """A copy of a record with some fields changed."""
    return msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
