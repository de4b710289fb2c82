"""Pages for the provider's officers.

Approving is done by command, on the officer's own machine: a page shows which. Only partition actions can be approved
on a page, with a security key.
"""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from portal.audit import selectors as audit
from portal.pages import device_health, officer_attention, provider, selectors, waiting
from portal.pages.access import officer_page
from portal.pages.chart import SPANS, chart
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from portal.pages.views.security_keys import approving
from portal.quorum import selectors as quorum
from portal.quorum import services, unsealing
from portal.quorum.comparison import compared
from portal.quorum.models import ActionState, Decision
from strongroom.protocol.admin_actions import describe, read_action
from strongroom.protocol.errors import Refused

Answer = TypeVar("Answer")

DECLINED = "Its customer sees that it is declined, and may ask for another. Tell them why."


@officer_page
def overview(request: HttpRequest, reader: Reader) -> HttpResponse:
    (status, refused), lag = _asked(quorum.device_status), audit.copy_lag()
    tenants, health = officer_attention.tenants_now(), device_health.health(status, lag)
    return page(
        request,
        "officer/overview.html",
        reader=reader,
        officer=reader.officer,
        device=status,
        refused=refused,
        lag=lag,
        unsealing=unsealing.progress(status) if status else None,
        notices=officer_attention.notices(reader.officer, tenants, health),
        tiles=officer_attention.tiles(tenants, health),
    )


@officer_page
def devices(request: HttpRequest, reader: Reader) -> HttpResponse:
    """The load is that of all tenants together: whose it is, and of which keys, is not an officer's to know."""
    (status, refused), lag = _asked(quorum.device_status), audit.copy_lag()
    now, span = timezone.now(), SPANS.get(request.GET.get("span", ""), SPANS["day"])
    return page(
        request,
        "officer/devices.html",
        reader=reader,
        devices=device_health.devices_seen(status, lag),
        refused=refused,
        another=status,
        lag=lag,
        chart=chart(audit.load(since=span.since(now)), span, now),
        engine_keys=selectors.engine_keys(),
    )


@officer_page
def officers(request: HttpRequest, reader: Reader) -> HttpResponse:
    classes, refused = _asked(provider.classes)
    return page(
        request,
        "officer/officers.html",
        reader=reader,
        classes=classes,
        refused=refused,
        retired=provider.retired_officers(),
        support=provider.support(),
    )


@officer_page
def work(request: HttpRequest, reader: Reader) -> HttpResponse:
    return page(
        request,
        "officer/work.html",
        reader=reader,
        broker=waiting.broker(),
        counts=waiting.counts(),
        failures=waiting.failures(),
        lag=audit.copy_lag(),
    )


@officer_page
def requests(request: HttpRequest, reader: Reader) -> HttpResponse:
    rows = [(one, quorum.open_action_of(one)) for one in quorum.partition_requests()]
    return page(request, "officer/requests.html", reader=reader, requests=rows)


@officer_page
def request_decline(request: HttpRequest, reader: Reader, partition_request: str) -> HttpResponse:
    found = services.check_declinable(partition_request=partition_request)
    confirm(request, f"Decline the partition {found.label} of {found.tenant.slug}", DECLINED, ends=True)
    services.decline_partition_request(partition_request=partition_request, actor=reader.user.username)
    messages.success(request, f"{found.label} of {found.tenant.slug} is declined.")
    return redirect("pages:officer-requests")


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
    # Nothing of an action that is settled, or while the device does not answer.
    differs, _ = _asked(lambda: compared(found)) if found.state == ActionState.OPEN else (None, None)
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
        compared=differs,
        threshold=threshold,
        may_approve=may_approve,
        **(approving(request, own, found) if own is not None and may_approve else {}),
        own_answer=answers.get(own.pk) if own is not None else None,
        may_withdraw=own is not None and found.state == ActionState.OPEN and own.pk == found.requester_id,
        approvals=list(answers.values()).count(Decision.APPROVE),
    )


def _asked(ask: Callable[[], Answer]) -> tuple[Answer | None, Refused | None]:
    """The device's answer, or why there is none: a page shows the one or the other."""
    try:
        return ask(), None
    except Refused as refused:
        return None, refused
