"""The provider's part of the evidence of a key, as the key's page gives it to whoever has no folder that sent the key.

Everything in it is signed, or counted by what is signed. What the owner's own machine validated before it encrypted is
not in it: it proves where a key is and whose, and not to whom it was encrypted on its way.
"""

from typing import ClassVar

import msgspec

from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused


class ProvidedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lane: str
    n: int
    entry: bytes


class Provided(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file. `key` and `version` are what the receipt has to say; the log's administrative lane alone is there."""

    only_admin: ClassVar[bool] = True

    key: str
    version: int
    header: str
    receipt: str
    attestation: str
    checkpoint: str
    entries: list[ProvidedEntry]

    @property
    def lanes(self) -> dict[str, list[bytes]]:
        """Raises `Refused("log-inconsistent")` for an entry that stands in another place than it says."""
        found: dict[str, list[bytes]] = {}
        for one in self.entries:
            lane = found.setdefault(one.lane, [])
            lane.append(one.entry)
            if one.n != len(lane):
                raise Refused("log-inconsistent", f"lane {one.lane}: entry {len(lane)} says that it is no. {one.n}")
        return found


def read_provided(data: bytes) -> Provided:
    """Raises `Refused("statement-malformed")`, also for a member that is unknown, missing or there twice."""
    provided = read_json(data, Provided, "statement-malformed")
    if msgspec.json.format(msgspec.json.encode(provided), indent=2) != data.strip():
        raise Refused("statement-malformed", "the file is not as the provider gave it: a member is there twice")
    return provided
