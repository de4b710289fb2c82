"""Whether the copy of a partition's log is what the device itself counts, as far as the provider can show that."""

import secrets
from dataclasses import dataclass

from portal.audit.models import LogEntry
from portal.audit.services import signed_checkpoint
from strongroom.protocol import jws
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import GENESIS, next_head
from strongroom.protocol.statements import Checkpoint, LaneHead
from tee.selectors import device_key
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope

MOST_ENTRIES = 200_000
"""More than that are not read while somebody waits for a page."""
_BLOCK = 5_000


@dataclass(frozen=True)
class LaneFinding:
    lane: str
    count: int
    holds: bool


@dataclass(frozen=True)
class Finding:
    """`issued_at`: when the device signed the checkpoint, in unix seconds."""

    partition: Partition
    issued_at: int
    lanes: list[LaneFinding]

    @property
    def holds(self) -> bool:
        return all(one.holds for one in self.lanes)


def verify_copy(*, tenant: Tenant, partition: Partition) -> Finding:
    """Have the device sign a fresh checkpoint, and recompute every lane's head from the copy.

    Raises `Refused`: what the device says, `signature-invalid`, `nonce-mismatch`, and `too-large` for a longer log.
    """
    # 1. The device's word of now, by the key that it was registered with.
    nonce = secrets.token_urlsafe(24)
    token = signed_checkpoint(partition.partition_id or "", nonce)
    stated = jws.verify(token, Checkpoint, device_key(jws.read_unverified(token, Checkpoint).device))
    if stated.nonce != nonce or stated.partition != partition.partition_id:
        raise Refused("nonce-mismatch")
    if sum(one.count for one in stated.lanes.values()) > MOST_ENTRIES:
        raise Refused("too-large", f"more than {MOST_ENTRIES} entries: the command verifies a log of any length")
    # 2. The same from the copy, lane by lane.
    lanes = [
        LaneFinding(lane, head.count, _gives(tenant, partition, lane, head))
        for lane, head in sorted(stated.lanes.items())
    ]
    return Finding(partition, stated.issued_at, lanes)


def _gives(tenant: Tenant, partition: Partition, lane: str, stated: LaneHead) -> bool:
    count, head = 0, GENESIS
    while count < stated.count:
        with tenant_scope(tenant):
            entries = LogEntry.objects.filter(tenant=tenant, partition=partition.partition_id, lane=lane)
            rows = entries.filter(n__gt=count, n__lte=min(count + _BLOCK, stated.count)).order_by("n")
            block = list(rows.values_list("n", "entry"))
        for number, entry in block:
            if number != count + 1:
                return False
            count, head = number, next_head(head, bytes(entry))
        if not block:
            return False
    return head.hex() == stated.head
