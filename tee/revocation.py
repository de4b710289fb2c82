"""How keys stand with those who may revoke them: the TEE's own word, and what its log says of changes.

The TEE decides and asks; nothing here changes how a key stands. Who is asked, and with what token, it does not tell.
"""

import logging
from datetime import datetime

from django.utils import timezone

from strongroom.protocol.commands import (
    CheckNow,
    Done,
    RevocationStatus,
    RevocationStatusReply,
    VersionStatus,
)
from strongroom.protocol.errors import Refused
from tee import selectors
from tee.drivers import secure_module
from tee.models import Key
from tenants.models import Tenant
from tenants.scoping import tenant_scope

logger = logging.getLogger(__name__)


def status(*, tenant: Tenant, reference: str) -> list[VersionStatus]:
    """Each version's standing now. Raises `Refused`: `not-found`, `conflict`, and what the TEE says."""
    key = selectors.key(tenant=tenant, reference=reference)
    command = RevocationStatus(partition=key.partition.partition_id or "", key=key.key_id)
    return secure_module().call(command, RevocationStatusReply).versions


def check_now(*, tenant: Tenant, reference: str) -> None:
    """Have the TEE ask now; `status` tells what came of it. Raises as `status` does."""
    key = selectors.key(tenant=tenant, reference=reference)
    command = CheckNow(partition=key.partition.partition_id or "", keys=[key.key_id])
    secure_module().call(command, Done)


def newest(*, tenant: Tenant, reference: str) -> Key:
    """The newest version of a key, as it stands now. Raises `Refused` as `selectors.key` does."""
    return versions(tenant=tenant, reference=reference)[-1]


def versions(*, tenant: Tenant, reference: str) -> list[Key]:
    """All versions of a key, oldest first, as they stand now; as last known where the TEE does not say.

    Raises `Refused` as `selectors.versions` does.
    """
    rows = selectors.versions(tenant=tenant, reference=reference)
    try:
        stand(rows, status(tenant=tenant, reference=rows[-1].key_id))
    except Refused as refused:
        logger.info("How %s stands is not known now: %s", rows[-1].key_id, refused.code)
    return rows


def stand(rows: list[Key], found: list[VersionStatus]) -> None:
    """Have rows say what the TEE has just said; in the database they follow its log, within seconds."""
    said = {one.version: one for one in found}
    for row in rows:
        one = said.get(row.version)
        if one is None:
            continue
        if one.state in ("revoked", "destroyed"):
            row.state, row.suspended = one.state, None
        elif one.state == "suspended":
            row.suspended = row.suspended or timezone.now()
        elif one.state == "good":
            row.suspended = None


def note_suspended(versions: set[tuple[str, int]], *, tenant: Tenant, since: datetime, why: str) -> list[Key]:
    """Note that the TEE has suspended these versions (key id and number). Returns those that are known here."""
    return _note(versions, tenant, suspended=since, suspended_why=why[:400])


def note_resumed(versions: set[tuple[str, int]], *, tenant: Tenant) -> list[Key]:
    return _note(versions, tenant, suspended=None, suspended_why="")


def note_revoked(versions: set[tuple[str, int]], *, tenant: Tenant) -> list[Key]:
    return _note(versions, tenant, state="revoked", suspended=None, suspended_why="")


def _note(versions: set[tuple[str, int]], tenant: Tenant, **changes: object) -> list[Key]:
    with tenant_scope(tenant):
        keys = Key.objects.filter(tenant=tenant, key_id__in={key_id for key_id, _ in versions})
        found = [one for one in keys if (one.key_id, one.version) in versions]
        Key.objects.filter(pk__in=[one.pk for one in found]).update(**changes)
    return found
