"""Pages for the provider's officers.

Approving is done by command, on the officer's own machine: a page shows which. Only partition actions can be approved
on a page, with a security key.
"""

from django.http import HttpRequest, HttpResponse

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import Reader, officer_page
from portal.pages.rendering import before, page
from portal.pages.views.security_keys import approving
from portal.quorum import selectors as quorum
from portal.quorum import unsealing
from portal.quorum.comparison import compared
from portal.quorum.models import ActionState, AdminAction, Decision
from strongroom.protocol.action_table import Words
from strongroom.protocol.admin_actions import describe, read_action
from strongroom.protocol.errors import Refused


@officer_page
def overview(request: HttpRequest, reader: Reader) -> HttpResponse:
    status, refused = None, None
    try:
        status = quorum.device_status()
    except Refused as error:
        refused = error
    return page(
        request,
        "officer/overview.html",
        reader=reader,
        officer=reader.officer,
        device=status,
        unsealing=unsealing.progress(status) if status else None,
        refused=refused,
        requests=quorum.partition_requests(),
        actions=quorum.actions().filter(state=ActionState.OPEN),
        lag=audit.copy_lag(),
    )


@officer_page
def tenants(request: HttpRequest, reader: Reader) -> HttpResponse:
    return page(request, "officer/tenants.html", reader=reader, tenants=selectors.tenants_with_partitions())


@officer_page
def devices(request: HttpRequest, reader: Reader) -> HttpResponse:
    return page(
        request,
        "officer/devices.html",
        reader=reader,
        devices=selectors.published(),
        engine_keys=selectors.engine_keys(),
        device_state=selectors.device_state(),
    )


@officer_page
def requests(request: HttpRequest, reader: Reader) -> HttpResponse:
    rows = [(one, quorum.open_action_of(one)) for one in quorum.partition_requests()]
    return page(request, "officer/requests.html", reader=reader, requests=rows)


@officer_page
def actions(request: HttpRequest, reader: Reader) -> HttpResponse:
    return page(request, "officer/actions.html", reader=reader, actions=quorum.actions()[:200])


@officer_page
def action(request: HttpRequest, reader: Reader, action_id: int) -> HttpResponse:
    found = quorum.get_action(action_id)
    try:
        threshold = quorum.world().thresholds[found.officer_class]
    except Refused:
        threshold = None
    answers = {one.officer_id: one.decision for one in found.approvals.all()}
    own = reader.officer
    may_approve = (
        own is not None
        and found.state == ActionState.OPEN
        and own.officer_class == found.officer_class
        and own.pk != found.requester_id
        and own.pk not in answers
    )
    return page(
        request,
        "officer/action.html",
        reader=reader,
        action=found,
        facts=describe(read_action(bytes(found.action))),
        compared=_compared(found),
        threshold=threshold,
        may_approve=may_approve,
        **(approving(request, own, found) if own is not None and may_approve else {}),
        own_answer=answers.get(own.pk) if own is not None else None,
        may_withdraw=own is not None and found.state == ActionState.OPEN and own.pk == found.requester_id,
        approvals=list(answers.values()).count(Decision.APPROVE),
    )


def _compared(action: AdminAction) -> Words:
    """Nothing of an action that is settled, or while the device does not answer."""
    try:
        return compared(action) if action.state == ActionState.OPEN else []
    except Refused:
        return []


@officer_page
def log(request: HttpRequest, reader: Reader) -> HttpResponse:
    shown = audit.newest_of_world(before=before(request))
    events = [] if "before" in request.GET else audit.events_of_provider(limit=30)
    return page(
        request,
        "officer/log.html",
        reader=reader,
        lines=selectors.lines_of_world(shown.entries),
        older=shown.older,
        lag=audit.copy_lag(),
        happenings=selectors.happenings_of_provider(events),
    )
