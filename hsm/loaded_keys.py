"""Keys and access lists as a worker has them at hand: loaded on demand, never out of date."""

from collections import OrderedDict
from typing import Generic, TypeVar

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


class LoadedKey:
    """A version of a key ready for use, with its terms and its standing."""

    def __init__(self, key_id: str, stored: r.StoredKey, standing: Standing) -> None:
        self.key_id = key_id
        self.name = stored.name
        self.version = stored.version
        self.terms: Terms = read_terms(stored.terms)
        self.destroyed = stored.destroyed
        # None: nobody has to be asked whether it may be used.
        self.standing = standing if is_watched(self.terms) else None
        self.key: Key | None = None if stored.destroyed else load(self.terms, stored.material, checked=True)
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
                raise Refused("key-not-active", "destroyed")
            if len(self._prepared) >= MOST_PREPARED:
                self._prepared.clear()
            found = self._prepared[wanted] = prepare(operation, Mechanism(mechanism), self.key, parameters)
        return found


class Cache(Generic[T]):
    """The most recently used values by record path, each good while its record's generation has not moved."""

    def __init__(self, records: Records, size: int) -> None:
        self._records = records
        self._size = size
        self._values: OrderedDict[str, tuple[int, T]] = OrderedDict()

    def get(self, path: str) -> T | None:
        found = self._values.get(path)
        if found is None or found[0] != self._records.generations.of(path):
            return None
        self._values.move_to_end(path)
        return found[1]

    def put(self, path: str, generation: int, value: T) -> T:
        """`generation` is what it was *before* the record was read, so that a change meanwhile is not missed."""
        self._values[path] = (generation, value)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value

    def drop(self, path: str) -> None:
        self._values.pop(path, None)


class LoadedKeys:
    """The look-ups of the operations' path."""

    def __init__(self, records: Records, standings: Standings) -> None:
        self._records = records
        self._standings = standings
        self._keys: Cache[LoadedKey] = Cache(records, 10_000)
        self._named: Cache[r.NamedKey] = Cache(records, 10_000)
        self._access: Cache[Access] = Cache(records, 1_000)

    def access(self, partition: str) -> Access:
        """The access list of a partition. Raises `Refused("not-found")`."""
        path = f"partitions/{partition}"
        found = self._access.get(path)
        if found is None:
            generation = self._records.generations.of(path)
            found = self._access.put(path, generation, Access(self._records.need(path, r.Partition)))
        return found

    def key(self, partition: str, key_id: str, version: int) -> LoadedKey:
        """The key in `version`, or in its newest where that is 0.

        Raises `Refused("not-found" | "version-below-minimum")`.
        """
        path = f"partitions/{partition}/keys/{key_id}"
        named = self._named_key(path)
        version = version or named.current
        if version < named.minimum:
            raise Refused("version-below-minimum", f"the minimum is version {named.minimum}")
        path = f"{path}/{version}"
        found = self._keys.get(path)
        if found is None:
            generation = self._records.generations.of(path)
            stored = self._records.need(path, r.StoredKey)
            found = self._keys.put(path, generation, LoadedKey(key_id, stored, self._standings.of(path)))
        return found

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
        named = self._named.get(path)
        if named is None:
            generation = self._records.generations.of(path)
            named = self._named.put(path, generation, self._records.need(path, r.NamedKey))
        return named
