"""Operations that were permitted and still are: one like an earlier one is not checked again while nothing has changed.

A permit is what the checks of `hsm.operations` found for a single operation on an API client's word. It stands while
everything that was looked at does: the records (by their generations), the validity of the key (by the clock, which
never runs backwards), and the newest answer on its revocation. Only what was permitted is kept, so every
refusal has gone the whole way.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from hsm.lanes import Form
from hsm.loaded_keys import LoadedKey, LoadedKeys, Read
from hsm.mechanisms import Prepared
from hsm.shared import Generations
from strongroom.protocol.instructions import largest_payload
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationRequest

MOST_OF_PERMITS = 16 * 1024 * 1024
"""Bytes of memory that each worker may take for keys that its permits hold on to, about."""
PERMIT_BYTES = 1500


class Like(NamedTuple):
    """What operations under one permit have in common: of what was asked for everything but payload, signature, aad."""

    principal: str
    partition: str
    key: str
    version: int
    operation: str
    mechanism: str
    prehashed: bool
    format: str


@dataclass(slots=True, frozen=True)
class Permit:
    """What one is for, until when, and what it was made from."""

    key: LoadedKey
    mechanism: str
    run: Prepared
    form: Form
    most: int
    until: float
    reads: list[Read]


class Permits:
    """One worker's."""

    def __init__(self, generations: Generations, loaded: LoadedKeys) -> None:
        self._at = generations.at
        self._loaded = loaded
        self._kept: dict[Like, Permit] = {}
        self._weight = 0

    def find(self, request: OperationRequest, now: int) -> Permit | None:
        """The permit under which `request` may be carried out at `now` (unix seconds), if one stands."""
        like = like_of(request)
        permit = self._kept.get(like) if like else None
        if permit is None:
            return None
        for slot, generation in permit.reads:
            if self._at(slot) != generation:
                return None
        standing = permit.key.standing
        if now >= permit.until or len(request.payload) > permit.most or (standing and not standing.holds()):
            return None
        return permit

    def keep(self, like: Like, key: LoadedKey, mechanism: str, run: Prepared, form: Form) -> None:
        """Remember that such an operation was permitted just now, and how it is done and put on record."""
        reads = self._loaded.read_for(form.partition, key)
        if reads is None:
            return
        self._let_go(like)
        if self._weight > MOST_OF_PERMITS:
            self._kept.clear()
            self._weight = 0
        until = math.inf if key.terms.not_after is None else key.terms.not_after
        self._kept[like] = Permit(key, mechanism, run, form, largest_payload(like.operation), until, reads)
        self._weight += PERMIT_BYTES + key.weight

    def drop(self, path: str) -> None:
        """Let go of a version of a key that is gone."""
        for like in [one for one, permit in self._kept.items() if permit.key.path == path]:
            self._let_go(like)

    def _let_go(self, like: Like) -> None:
        permit = self._kept.pop(like, None)
        self._weight -= PERMIT_BYTES + permit.key.weight if permit else 0


def like_of(request: OperationRequest) -> Like | None:
    """None: of a kind that is checked each time."""
    given = request.parameters
    if request.instruction or request.sealed or request.items is not None or request.operation == Usage.REWRAP:
        return None
    if given.target or given.target_mechanism or given.target_aad:
        return None
    if given.salt or given.length or given.generate or given.clear:
        return None
    return Like(
        request.principal,
        request.partition,
        request.key,
        request.version,
        request.operation,
        request.mechanism,
        given.prehashed,
        given.format,
    )
