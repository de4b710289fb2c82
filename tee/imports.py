"""The import of an envelope: the row is there before the TEE is asked, so that nothing is lost whoever dies when.

The engine takes off its own layer, where the header names a key of the engine's; all else passes unopened.
Whether an import happened is the TEE's to say. A row that is still *received* after an interruption is settled by
asking it; the ciphertexts are not kept, so nothing is ever imported behind the customer's back.
"""

import logging
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone

from strongroom.protocol import jws
from strongroom.protocol.access import read_list
from strongroom.protocol.commands import FindImport, ImportKey, ImportKeyReply, ShowAccess, ShowAccessReply
from strongroom.protocol.envelope import IMPORT_ID, Envelope, ImportHeader, check_header, check_sizes, header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from tee import at_rest, engine, selectors
from tee.drivers import secure_module
from tee.models import Import, Key
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import find_defined_partition
from tenants.signals import emit

logger = logging.getLogger(__name__)

UNDECIDED = {"hsm-unreachable", "hsm-sealed", "log-unwritable", "internal"}
"""Refusals after which only the TEE knows, or which may pass: the row stays *received*."""

STALE = timedelta(seconds=60)
"""After this no call of the portal can still be under way: it is longer than the driver waits for an answer."""


def import_key(
    *, tenant: Tenant, partition_id: str, envelope: Envelope, consent: str, secure: bool, actor: str
) -> tuple[Import, bool]:
    """Hand an envelope to the TEE. Returns the import, and whether it is new: the same header was not imported before.

    `secure`: it came over TLS. `consent`: the owner's, to looser terms, or empty. Raises `Refused`: `too-large`,
    `envelope-malformed`, `not-found`, `wrong-tenant`, `wrong-partition`, `transport-insecure`, `suite-unsupported`,
    `import-replayed`, `provider-key-unknown`, `envelope-unopenable`, whatever the TEE refuses it with, and
    `hsm-unreachable` or `hsm-sealed` where it cannot say now.
    """
    # 1. It is an envelope, for this tenant and this partition of the tenant's, by a transport that is offered.
    check_sizes(envelope)
    header = _read_header(envelope.header)
    with tenant_scope(tenant):
        partition = find_defined_partition(tenant=tenant, partition_id=partition_id)
        if header.tenant != tenant.slug:
            raise Refused("wrong-tenant")
        if header.partition != partition_id:
            raise Refused("wrong-partition")
        _check_transport(header, secure=secure)
        # 2. On record as received, before anything is done. A repetition may find that it was done.
        row, repeated = _receive(tenant=tenant, partition=partition, header=header, signed=envelope.header)
    if repeated:
        row = settle(row)
    if row.status == Import.Status.COMPLETE:
        return row, False
    try:
        # 3. The engine takes off its own layer, where there is one.
        if header.transport == "engine":
            header = check_header(envelope, _listed_device(partition_id, jws.signer(envelope.header)))
            envelope = engine.strip(envelope, header)
        # 4. The TEE opens the rest, or says why not.
        command = ImportKey(
            partition=partition_id,
            tenant=tenant.slug,
            header=envelope.header,
            material=envelope.material,
            terms=envelope.terms,
            consent=consent,
        )
        token = secure_module().call(command, ImportKeyReply).receipt
    except Refused as refused:
        if refused.code not in UNDECIDED:
            _fail(row, code=refused.code, actor=actor)
        raise
    # 5. The receipt and what it says of the key.
    return _complete(row, token=token, actor=actor), True


def settle(row: Import) -> Import:
    """Ask the TEE about an import that is still *received*; complete it, or fail it once it can no longer be under way.

    Leaves it as it is where the TEE cannot say now.
    """
    if row.status != Import.Status.RECEIVED:
        return row
    command = FindImport(partition=row.partition.partition_id or "", import_id=row.import_id)
    try:
        token = secure_module().call(command, ImportKeyReply).receipt
    except Refused as refused:
        if refused.code == "not-found" and row.received < timezone.now() - STALE:
            return _fail(row, code="hsm-unreachable", actor="")
        return row
    return _complete(row, token=token, actor="")


def settle_stale() -> None:
    """Settle every tenant's imports that were interrupted."""
    stale = Import.objects.using("provider").filter(status=Import.Status.RECEIVED, received__lt=timezone.now() - STALE)
    for row in stale.select_related("tenant", "partition"):
        settled = settle(row)
        logger.info("Import %s was interrupted; it is now %s", row.import_id, settled.status)


def record_key(*, tenant: Tenant, partition: Partition, token: str, state: str) -> None:
    """Make a version of a key known by its receipt. Needs a `tenant_scope` around it."""
    receipt = jws.read_unverified(token, Receipt)
    key = Key(
        tenant=tenant,
        partition=partition,
        key_id=receipt.key_id,
        version=receipt.version,
        name=receipt.name,
        key_type=receipt.key_type,
        state=state,
        receipt=token,
        public_key=receipt.public_key,
        check_value=receipt.check_value,
        created=datetime.fromtimestamp(receipt.imported_at, UTC),
    )
    Key.objects.bulk_create([key], ignore_conflicts=True)
    # What the TEE said before an order that destroyed or revoked the key does not revive it here.
    known = Key.objects.filter(key_id=key.key_id, version=key.version)
    known.exclude(state__in=["destroyed", "revoked", state]).update(state=state)


def _read_header(signed: str) -> ImportHeader:
    try:
        header = jws.read_unverified(signed, ImportHeader)
    except Refused as refused:
        raise Refused("envelope-malformed", refused.detail) from None
    if not IMPORT_ID.fullmatch(header.import_id):
        raise Refused("envelope-malformed", "not an import id")
    return header


def _check_transport(header: ImportHeader, *, secure: bool) -> None:
    """Raise `Refused` for a transport that is not offered here, or not on this connection."""
    if header.transport == "channel" and not secure:
        raise Refused("transport-insecure")
    if header.transport == "engine" and not at_rest.is_configured():
        raise Refused("suite-unsupported", "this provider keeps no provider keys outside its devices")


def _listed_device(partition_id: str, fingerprint: str) -> Ed25519PublicKey:
    """The key of a device on the partition's access list: the engine opens nothing for anyone else.

    Raises `Refused("device-not-listed")` and what the TEE says. Which rights the device has is for the TEE to check.
    """
    reply = secure_module().call(ShowAccess(partition=partition_id), ShowAccessReply)
    listed = read_list(reply.document).principals if reply.document else []
    for one in listed:
        if one.credential is not None and one.credential.fingerprint == fingerprint:
            return one.credential.public_key()
    raise Refused("device-not-listed")


def _receive(*, tenant: Tenant, partition: Partition, header: ImportHeader, signed: str) -> tuple[Import, bool]:
    """The row of this header, and whether it was there before. A failed import may be tried with any header.

    Needs a `tenant_scope` around it, which commits the row. Raises `Refused("import-replayed")` for an id that was
    used, or is being used, with another header.
    """
    digest = header_digest(signed)
    fresh = Import(tenant=tenant, partition=partition, import_id=header.import_id, header=signed, header_digest=digest)
    Import.objects.bulk_create([fresh], ignore_conflicts=True)
    row = Import.objects.select_for_update().get(tenant=tenant, import_id=header.import_id)
    row.tenant, row.partition = tenant, partition if row.partition_id == partition.pk else row.partition
    created = row.received == fresh.received
    if row.header_digest != digest and row.status != Import.Status.FAILED:
        raise Refused("import-replayed")
    repeated = not created and row.header_digest == digest
    if not created and row.status != Import.Status.COMPLETE:
        row.partition, row.header, row.header_digest = partition, signed, digest
        row.status, row.code, row.received, row.settled = Import.Status.RECEIVED, "", timezone.now(), None
        row.save()
    return row, repeated


def _complete(row: Import, *, token: str, actor: str) -> Import:
    """Keep the receipt, if the device signed it for this very header. Raises `Refused("receipt-mismatch")`."""
    header = jws.read_unverified(row.header, ImportHeader)
    receipt = jws.verify(token, Receipt, selectors.device_key(header.device))
    about = (receipt.import_id, receipt.header_digest, receipt.partition, receipt.tenant)
    if about != (row.import_id, row.header_digest, header.partition, row.tenant.slug):
        _fail(row, code="receipt-mismatch", actor=actor)
        raise Refused("receipt-mismatch")
    with tenant_scope(row.tenant):
        row.status, row.receipt, row.code, row.settled = Import.Status.COMPLETE, token, "", timezone.now()
        Import.objects.filter(pk=row.pk).update(
            status=row.status, receipt=row.receipt, code=row.code, settled=row.settled
        )
        record_key(tenant=row.tenant, partition=row.partition, token=token, state="active")
        emit(
            tag="customer:import:completed",
            tenant=row.tenant,
            actor=actor,
            import_id=row.import_id,
            key=receipt.key_id,
        )
    return row


def _fail(row: Import, *, code: str, actor: str) -> Import:
    """Note that the TEE did not take it, unless another call has settled the row meanwhile."""
    with tenant_scope(row.tenant):
        row.status, row.code, row.settled = Import.Status.FAILED, code, timezone.now()
        changed = Import.objects.filter(pk=row.pk, status=Import.Status.RECEIVED, received=row.received).update(
            status=row.status, code=row.code, settled=row.settled
        )
        if changed:
            emit(tag="customer:import:failed", tenant=row.tenant, actor=actor, import_id=row.import_id, code=code)
    return row
