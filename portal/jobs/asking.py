"""How sealed work is put to the device, and what follows when it refuses."""

from datetime import timedelta

from portal.jobs.models import Work
from strongroom.protocol.access import client_principal
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.operations import OperationReply, OperationRequest
from tee.drivers import secure_module
from tenants.selectors import check_still_stands

PAUSE = timedelta(seconds=5)
"""Between two attempts of what the device refuses for now."""
PATIENCE = timedelta(hours=24)
"""So long it is attempted before it has failed."""
_FINAL = {
    "forbidden", "not-found", "signature-invalid", "instruction-expired", "operations-key-unknown", "too-large",
    "batch-too-large", "usage-not-permitted", "translate-not-permitted", "signed-instruction-required",
}  # fmt: skip
"""Beside all that is wrong with the request itself (400): refusals that waiting does not mend."""


def ask(work: Work, sealed: bytes, instruction: str, count: int) -> OperationReply:
    """The device's reply. `count`: how many items are in `sealed`.

    Raises `Refused` with the device's code, `forbidden` where token, client or tenant do not stand any more.
    """
    check_still_stands(tenant=work.tenant, user=work.user, token_digest=work.token_digest)
    request = OperationRequest(
        principal=client_principal(work.user.username),
        partition=work.partition,
        key=work.key_id,
        version=work.version,
        operation=work.operation,
        mechanism=work.mechanism,
        payload=b"",
        instruction=instruction,
        sealed=sealed,
        operations_key=work.operations_key,
        count=count,
    )
    reply = secure_module().operate(request)
    if reply.code:
        raise Refused(reply.code if reply.code in CATALOGUE else "internal", reply.detail)
    return reply


def is_final(refused: Refused) -> bool:
    """Whether nothing is gained by asking again."""
    return refused.problem.status == 400 or refused.code in _FINAL
