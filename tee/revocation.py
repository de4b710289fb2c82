"""How keys stand with those who may revoke them: the TEE's own word, and what its log says of changes.

The TEE decides and asks; nothing here changes how a key stands. Who is asked, and with what token, it does not tell.
"""

from datetime import datetime

from strongroom.protocol.commands import (
    CheckNow,
    Done,
    RevocationStatus,
    RevocationStatusReply,
    VersionStatus,
)
from tee import selectors
from tee.drivers import secure_module
from tee.models import Key
from tenants.models import Tenant
from tenants.scoping import tenant_scope


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
