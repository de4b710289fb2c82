"""The import of an envelope: the row is there before the TEE is asked, so that nothing is lost whoever dies when.

Whether an import happened is the TEE's to say. A row that is still *received* after an interruption is settled by
asking it; the ciphertexts are not kept, so nothing is ever imported behind the customer's back.
"""

import logging
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from strongroom.protocol import jws
from strongroom.protocol.commands import FindImport, ImportKey, ImportKeyReply
from strongroom.protocol.envelope import Envelope, ImportHeader, check_sizes, header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from tee import selectors
from tee.drivers import secure_module
from tee.models import Import, Key
from tenants.models import Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import defined_partition
from tenants.signals import emit

logger = logging.getLogger(__name__)

UNDECIDED = {"hsm-unreachable", "hsm-sealed", "log-unwritable", "internal"}
"""Refusals after which only the TEE knows, or which may pass: the row stays *received*."""

STALE = timedelta(seconds=60)
"""After this no call of the portal can still be under way: it is longer than the driver waits for an answer."""


def import_key(*, tenant: Tenant, partition_id: str, envelope: Envelope, actor: str) -> tuple[Import, bool]:
    """Hand an envelope to the TEE. Returns the completed import, and whether this call completed it.

    Raises `Refused`: `too-large`, `envelope-malformed`, `not-found`, `wrong-tenant`, `wrong-partition`,
    `import-replayed`, whatever the TEE refuses it with, and `hsm-unreachable` or `hsm-sealed` where it cannot say now.
    """
    # 1. It is an envelope, for this tenant and this partition of the tenant's.
    check_sizes(envelope)
    header = _read_header(envelope.header)
    partition = defined_partition(tenant=tenant, partition_id=partition_id)
    if header.tenant != tenant.slug:
        raise Refused("wrong-tenant")
    if header.partition != partition_id:
        raise Refused("wrong-partition")
    # 2. On record as received, before anything is done.
    row = _receive(tenant=tenant, partition=partition, header=header, signed=envelope.header)
    if row.status == Import.Status.COMPLETE:
        return row, False
    # 3. The TEE opens it, or says why not.
    command = ImportKey(
        partition=partition_id,
        tenant=tenant.slug,
        header=envelope.header,
        material=envelope.material,
        terms=envelope.terms,
    )
    try:
        token = secure_module().call(command, ImportKeyReply).receipt
    except Refused as refused:
        if refused.code not in UNDECIDED:
            _fail(row, code=refused.code, actor=actor)
        raise
    # 4. The receipt and what it says of the key.
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
    """Make a key known by its receipt. Needs a `tenant_scope` around it."""
    receipt = jws.read_unverified(token, Receipt)
    Key.objects.update_or_create(
        key_id=receipt.key_id,
        defaults={"state": state},
        create_defaults={
            "tenant_id": tenant.pk,
            "partition_id": partition.pk,
            "name": receipt.name,
            "version": receipt.version,
            "key_type": receipt.key_type,
            "state": state,
            "receipt": token,
            "public_key": receipt.public_key,
            "check_value": receipt.check_value,
            "created": datetime.fromtimestamp(receipt.imported_at, UTC),
        },
    )


def _read_header(signed: str) -> ImportHeader:
    try:
        return jws.read_unverified(signed, ImportHeader)
    except Refused as refused:
        raise Refused("envelope-malformed", refused.detail) from None


def _receive(*, tenant: Tenant, partition: Partition, header: ImportHeader, signed: str) -> Import:
    """The committed row of this header. A failed one is tried again. Raises `Refused("import-replayed")`."""
    digest = header_digest(signed)
    with tenant_scope(tenant):
        row, created = Import.objects.select_for_update().get_or_create(
            tenant=tenant,
            import_id=header.import_id,
            defaults={"partition": partition, "header": signed, "header_digest": digest},
        )
        if row.header_digest != digest:
            raise Refused("import-replayed")
        if not created and row.status != Import.Status.COMPLETE:
            row.status, row.code, row.received, row.settled = Import.Status.RECEIVED, "", timezone.now(), None
            row.save(update_fields=["status", "code", "received", "settled"])
    return row


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
