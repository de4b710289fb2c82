"""Short operations of a tenant that wait at the same time go to the TEE together: one round trip for all of them.

What an operation costs beside its cryptography is mostly switches between processes, and these they share.
"""

from portal.dataplane.turns import Place, Turns
from strongroom.protocol.errors import Refused
from strongroom.protocol.operations import OperationReply, OperationRequest
from tee.drivers import secure_module

SHORT_BODY = 8 * 1024
"""Bytes of a request that may go with others: so many of them have room in a socket's buffer."""
MOST = 8
"""So many operations are one turn."""


class Errand:
    """An operation, and what came of it."""

    __slots__ = ("outcome", "request")

    def __init__(self, request: OperationRequest) -> None:
        self.request = request
        self.outcome: OperationReply | Refused | None = None


def operate(turns: Turns[Errand], tenant: int, request: OperationRequest) -> OperationReply:
    """Carry out one operation in a turn of the tenant's. Raises `Refused`: `throttled`, `hsm-unreachable`."""
    mine = Errand(request)
    if turns.take(tenant, mine):
        try:
            mine.outcome = _lead(turns, tenant, mine)
        finally:
            turns.give(tenant, mine)
    if isinstance(mine.outcome, OperationReply):
        return mine.outcome
    raise mine.outcome or Refused("internal")


def _lead(turns: Turns[Errand], tenant: int, mine: Errand) -> OperationReply | Refused:
    """The outcome of the own errand; those of whoever waits too are done with it."""
    company = turns.company(tenant, MOST - 1)
    if not company:
        return secure_module().operate(mine.request)
    outcome: OperationReply | Refused | None = None
    left = iter(company)
    try:
        requests = [mine.request, *(one.errand.request for one in company if one.errand)]
        for reply in secure_module().operate_together(requests):
            if outcome is None:
                outcome = reply
            else:
                _finish(turns, tenant, next(left), reply)
    except Refused as refused:
        outcome = outcome or refused
        for place in left:
            _finish(turns, tenant, place, refused)
    finally:
        for place in left:  # a defect of ours: nobody waits for ever because of it
            _finish(turns, tenant, place, Refused("internal"))
    return outcome or Refused("internal")


def _finish(turns: Turns[Errand], tenant: int, place: Place[Errand], outcome: OperationReply | Refused) -> None:
    if place.errand is not None:
        place.errand.outcome = outcome
    turns.done(tenant, place)
