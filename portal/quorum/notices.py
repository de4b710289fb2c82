"""Mail to officers: that an action awaits them, that it soon expires, and what became of it.

Sent by the beat, so that nobody's request waits for a mail server. A mail is only the portal's word, and asks for
nothing that a forged one could take: what is approved is read from the signed bytes by the officer's own command.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.quorum.models import ActionState, AdminAction, OfficerProfile, Told
from portal.quorum.selectors import ALIAS
from strongroom.protocol.action_table import ChangeOfficers, words
from strongroom.protocol.admin_actions import read_action

logger = logging.getLogger(__name__)

OLD_NEWS = timedelta(days=2)
"""What was settled longer ago is told to nobody any more."""


def tell_officers() -> int:
    """Send what is due; how many actions that was about. What cannot be sent now is tried again."""
    told = 0
    for action in _due():
        with transaction.atomic(using=ALIAS):
            # One process a time; told again only if it dies between sending and saying so.
            row = AdminAction.objects.using(ALIAS).select_for_update(skip_locked=True).filter(pk=action.pk).first()
            wanted = _wanted(row) if row else None
            if row is None or wanted is None:
                continue
            try:
                _send(row, wanted)
            except (OSError, SMTPException) as error:
                logger.warning("Officers were not told of action %s: %s", row.pk, type(error).__name__)
                return told
            row.told = wanted
            row.save(update_fields=["told"])
            told += 1
    return told


def recipients(action: AdminAction, wanted: Told) -> QuerySet[OfficerProfile]:
    """Who is told: those who may approve, of a reminder those who have not answered, of the end the requester too.

    How a change of officers ended is told to all of them.
    """
    active = OfficerProfile.objects.using(ALIAS).filter(active=True).exclude(email="")
    of_class = Q(officer_class=action.officer_class)
    if wanted == Told.SETTLED and isinstance(read_action(bytes(action.action)).body, ChangeOfficers):
        return active
    if wanted == Told.SETTLED:
        return active.filter(of_class | Q(pk=action.requester_id))
    found = active.filter(of_class).exclude(pk=action.requester_id)
    return found.exclude(approvals__action_id=action.pk) if wanted == Told.REMINDED else found


def _due() -> QuerySet[AdminAction]:
    open_ = Q(state=ActionState.OPEN) & ~Q(told=Told.REMINDED)
    settled = ~Q(state=ActionState.OPEN) & Q(settled__gt=timezone.now() - OLD_NEWS) & ~Q(told=Told.SETTLED)
    return AdminAction.objects.using(ALIAS).filter(open_ | settled)


def _wanted(action: AdminAction) -> Told | None:
    if action.state != ActionState.OPEN:
        return Told.SETTLED if action.told != Told.SETTLED else None
    if action.told == Told.NOTHING:
        return Told.OPENED
    # The last quarter of its life.
    late = timezone.now() > action.expires - (action.expires - action.opened) / 4
    return Told.REMINDED if action.told == Told.OPENED and late else None


def _send(action: AdminAction, wanted: Told) -> None:
    to = list(recipients(action, wanted).values_list("email", flat=True).order_by("email"))
    opened = read_action(bytes(action.action))
    state = {
        Told.OPENED: f"awaits the approval of {action.officer_class} officers",
        Told.REMINDED: f"still awaits you, and expires at {action.expires:%Y-%m-%d %H:%M} UTC",
        Told.SETTLED: f"is {action.state}" + (f": {action.outcome}" if action.outcome else ""),
    }[wanted]
    lines = [f"{name}: {value}" for name, value in words(opened.body)]
    lines += [f"Requested by: {action.requester.user.username}", f"Digest: {action.digest}"]
    if wanted != Told.SETTLED:
        lines += [
            f"Expires: {action.expires:%Y-%m-%d %H:%M} UTC",
            "",
            "See for yourself, from the signed bytes, on your own machine:",
            f"    strongroom officer show {action.pk}",
            f"    strongroom officer approve {action.pk} --card FILE",
            f"    strongroom officer decline {action.pk} --card FILE --reason WHY",
            "",
            "Nobody ever needs your PIN or a one-time code by mail or telephone.",
        ]
    elif isinstance(opened.body, ChangeOfficers) and action.state == ActionState.EXECUTED:
        lines += [
            "",
            "If security officers or their number changed, every security card needs its new unseal part, now:",
            "    strongroom officer card receive FILE",
        ]
    subject = f"Strongroom: action {action.pk} ({action.name}) {state}"
    for address in to:
        send_mail(subject, "\n".join(lines) + "\n", None, [address])
