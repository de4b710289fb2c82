"""Keys and access lists as a worker has them at hand: loaded on demand, never out of date."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from hsm import records as r
from hsm.access import Access
from hsm.material import Key, load
from hsm.mechanisms import Prepared, prepare
from hsm.records import Records
from hsm.standings import Standing, Standings
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage
from strongroom.protocol.terms import Terms, is_watched, read_terms

T = TypeVar("T")
MOST_PREPARED = 32
MOST_OF_KEYS = 64 * 1024 * 1024
MOST_OF_NAMES = 16 * 1024 * 1024
MOST_OF_ACCESS = 32 * 1024 * 1024
"""Bytes of memory that each worker may take for what it has at hand, about."""
NAMED_KEY_BYTES = 640
KEY_BYTES, BYTES_OF_MATERIAL = 5000, 8
"""What a loaded key takes, with what is prepared of it: some, and for each byte of its material some more."""


class LoadedKey:
    """A version of a key ready for use, with its terms and its standing."""

    def __init__(self, path: str, key_id: str, stored: r.StoredKey, standing: Standing) -> None:
        self.path = path
        self.key_id = key_id
        self.name = stored.name
        self.version = stored.version
        self.terms: Terms = read_terms(stored.terms)
        self.destroyed = stored.destroyed
        self.gone = stored.gone
        # None: nobody has to be asked whether it may be used.
        self.standing = standing if is_watched(self.terms) else None
        self.key: Key | None = None if stored.destroyed else load(self.terms, stored.material, checked=True)
        self.weight = KEY_BYTES + BYTES_OF_MATERIAL * len(stored.material) + len(stored.terms)
        self.encryptions_left = 0
        self._prepared: dict[tuple[Usage, str, bool, str, str, int, int, bool], Prepared] = {}

    def prepared(self, operation: Usage, mechanism: str, parameters: Parameters) -> Prepared:
        """What does `operation` with this key; made once for each mechanism and its parameters."""
        wanted = (
            operation,
            mechanism,
            parameters.prehashed,
            parameters.format,
            parameters.salt,
            parameters.length,
            parameters.generate,
            parameters.clear,
        )
        found = self._prepared.get(wanted)
        if found is None:
            if self.key is None:
                raise Refused("key-not-active", self.gone)
            if len(self._prepared) >= MOST_PREPARED:
                self._prepared.clear()
            found = self._prepared[wanted] = prepare(operation, Mechanism(mechanism), self.key, parameters)
        return found


class Read(NamedTuple):
    """What tells whether a record has changed since it was read: its slot, and what the slot's generation was then."""

    slot: int
    generation: int


class _Cached(NamedTuple, Generic[T]):
    slot: int
    generation: int
    weight: int
    value: T


class Cache(Generic[T]):
    """The most recently used values by record path, each good while its record's generation has not moved.

    `weigh` says what a value takes, such as bytes; together they take no more than `most`.
    """

    def __init__(self, records: Records, most: int, weigh: Callable[[T], int]) -> None:
        self._at, self._slot = records.generations.at, records.generations.slot
        self._most = most
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[str, _Cached[T]] = OrderedDict()

    def get(self, path: str, load: Callable[[], T]) -> T:
        """The value at `path`: as it is kept, or as `load` reads it now."""
        found = self._values.get(path)
        if found is not None and self._at(found[0]) == found[1]:
            self._values.move_to_end(path)
            return found[3]
        self.drop(path)
        # The generation is what it was before the record is read, so that a change meanwhile is not missed.
        slot = self._slot(path)
        generation = self._at(slot)
        value = load()
        fresh = self._values[path] = _Cached(slot, generation, self._weigh(value), value)
        self._weight += fresh.weight
        while self._weight > self._most and len(self._values) > 1:
            self._weight -= self._values.popitem(last=False)[1].weight
        return value

    def read_of(self, path: str) -> Read | None:
        """When the value that is kept was read; None where none is."""
        found = self._values.get(path)
        return Read(found.slot, found.generation) if found else None

    def drop(self, path: str) -> None:
        found = self._values.pop(path, None)
        self._weight -= found.weight if found else 0


class LoadedKeys:
    """The look-ups of the operations' path."""

    def __init__(self, records: Records, standings: Standings) -> None:
        self._records = records
        self._standings = standings
        self._keys: Cache[LoadedKey] = Cache(records, MOST_OF_KEYS, lambda one: one.weight)
        self._named: Cache[r.NamedKey] = Cache(records, MOST_OF_NAMES, lambda _: NAMED_KEY_BYTES)
        self._access: Cache[Access] = Cache(records, MOST_OF_ACCESS, lambda one: one.weight)

    def access(self, partition: str) -> Access:
        """The access list of a partition. Raises `Refused("not-found")`."""
        path = f"partitions/{partition}"
        return self._access.get(path, lambda: Access(self._records.need(path, r.Partition)))

    def key(self, partition: str, key_id: str, version: int) -> LoadedKey:
        """The key in `version`, or in its newest where that is 0.

        Raises `Refused("not-found" | "version-below-minimum")`.
        """
        path = f"partitions/{partition}/keys/{key_id}"
        named = self._named_key(path)
        version = version or named.current
        if 0 < version < named.minimum:
            raise Refused("version-below-minimum", f"the minimum is version {named.minimum}")
        if version > named.current:
            raise Refused("not-found", f"the key has no version {version}: its newest is {named.current}")
        path = f"{path}/{version}"
        return self._keys.get(path, lambda: self._load(path, key_id))

    def read_for(self, partition: str, key: LoadedKey) -> list[Read] | None:
        """The reads behind `key` and the access list, as they were just used; None where one is not kept any more."""
        path = f"partitions/{partition}"
        reads = (
            self._access.read_of(path),
            self._named.read_of(f"{path}/keys/{key.key_id}"),
            self._keys.read_of(key.path),
        )
        found = [one for one in reads if one is not None]
        return found if len(found) == len(reads) else None

    def drop(self, path: str) -> None:
        """Let go of a version that is gone."""
        self._keys.drop(path)

    def newest_active(self, partition: str, key_id: str, now: int) -> int:
        """The newest version that may be used now, or 0: among the hundred newest."""
        named = self._named_key(f"partitions/{partition}/keys/{key_id}")
        for version in range(named.current, max(named.minimum, named.current - 100, 1) - 1, -1):
            one = self.key(partition, key_id, version)
            if not one.destroyed and one.terms.state_at(now) == "active":
                return version
        return 0

    def _named_key(self, path: str) -> r.NamedKey:
        return self._named.get(path, lambda: self._records.need(path, r.NamedKey))

    def _load(self, path: str, key_id: str) -> LoadedKey:
        return LoadedKey(path, key_id, self._records.need(path, r.StoredKey), self._standings.of(path))
