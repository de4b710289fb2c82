"""What the provider's side has that proves a key: signed statements and the log, for whoever checks them elsewhere."""

import secrets
from typing import Any

from portal.audit import selectors
from portal.audit.api import entries_out
from portal.audit.services import signed_checkpoint
from strongroom.protocol import jws
from strongroom.protocol.log import ADMIN_LANE
from strongroom.protocol.statements import Receipt
from tee.models import Key
from tee.selectors import attestation, find_import
from tenants.models import Tenant

MOST_ENTRIES = 100_000


def evidence_of(*, tenant: Tenant, key: Key) -> dict[str, Any]:
    """The header that was sent, the receipt, and a fresh attestation and checkpoint with the administrative lane.

    Everything in it is signed, or counted by what is signed. What the customer's own machine validated before it sealed
    the key is not in it: that is only there. Raises `Refused`: what the device says.
    """
    partition = key.partition
    reference = partition.partition_id or ""
    receipt = jws.read_unverified(key.receipt, Receipt)
    header = find_import(tenant=tenant, import_id=receipt.import_id).header
    said = attestation(tenant=tenant, partition_id=reference, nonce=secrets.token_urlsafe(24))
    # The checkpoint first: afterwards the copy has all that it counts.
    checkpoint = signed_checkpoint(reference, secrets.token_urlsafe(24))
    entries = selectors.lane_entries(tenant=tenant, partition=partition, lane=ADMIN_LANE, after=0, limit=MOST_ENTRIES)
    return {
        "key": key.key_id,
        "version": key.version,
        "header": header,
        "receipt": key.receipt,
        "attestation": said,
        "checkpoint": checkpoint,
        "entries": entries_out(entries),
    }
