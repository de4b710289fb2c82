"""Mail to a tenant's owners and admins: that keys were revoked, rest for want of an answer, or have expired.

Sent by the beat, so that nobody's request waits for a mail server, and once for each event: one mail tells all that
has happened to a tenant since the one before. It is only the portal's word, and asks for nothing.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.audit.models import EventMail, PortalEvent
from portal.audit.selectors import ALIAS
from portal.audit.tags import EventTag
from tenants.models import Membership, Role

logger = logging.getLogger(__name__)

OLD_NEWS = timedelta(days=2)
"""What happened longer ago is told to nobody any more."""
_WORDS = {
    EventTag.DEVICE_KEY_REVOKED: "revoked, for ever",
    EventTag.DEVICE_KEY_SUSPENDED: "suspended: it is refused until a valid answer says that it may be used",
    EventTag.DEVICE_KEY_EXPIRED: "expired: its validity has ended",
}
GRACE = timedelta(seconds=10)
"""For a suspension that is over at once, as while a key that was just imported is put on its endpoint's list."""
_OWN_WORD = "suspended"
"""How the device begins when it was the customer's own endpoint that said so (docs/spec/revocation.md)."""


def tell_people() -> int:
    """Send what is due; how many events that was about. What cannot be sent now is tried again."""
    told = 0
    for tenant in _due().order_by().values_list("tenant", flat=True).distinct():
        events = list(_due().filter(tenant=tenant).order_by("time"))
        try:
            with transaction.atomic(using=ALIAS):
                # Whoever notes an event first tells it; told again only if it dies between sending and saying so.
                EventMail.objects.using(ALIAS).bulk_create([EventMail(event=one) for one in events])
                _send(recipients(tenant), [one for one in events if not _is_own_word(one) and not _is_over(one)])
        except IntegrityError:
            continue
        except (OSError, SMTPException) as error:
            logger.warning("The people of tenant %s were not told: %s", tenant, type(error).__name__)
            continue
        told += len(events)
    return told


def recipients(tenant: int) -> list[str]:
    """The addresses of a tenant's owners and admins who have one."""
    people = Membership.objects.using(ALIAS).filter(tenant=tenant, role__in=[Role.OWNER, Role.ADMIN])
    with_address = people.filter(user__is_active=True).exclude(email="")
    return list(with_address.order_by("email").values_list("email", flat=True).distinct())


def _due() -> QuerySet[PortalEvent]:
    events = PortalEvent.objects.using(ALIAS).filter(tag__in=list(_WORDS), mail=None, tenant__isnull=False)
    now = timezone.now()
    return events.filter(time__gt=now - OLD_NEWS).exclude(tag=EventTag.DEVICE_KEY_SUSPENDED, time__gt=now - GRACE)


def _is_own_word(event: PortalEvent) -> bool:
    """What the customer's own endpoint said to suspend is no news to whoever said so."""
    return event.tag == EventTag.DEVICE_KEY_SUSPENDED and event.details.get("why", "").startswith(_OWN_WORD)


def _is_over(event: PortalEvent) -> bool:
    """Whether the same keys were resumed meanwhile."""
    resumed = PortalEvent.objects.using(ALIAS).filter(tenant=event.tenant_id, tag=EventTag.DEVICE_KEY_RESUMED)
    return (
        event.tag == EventTag.DEVICE_KEY_SUSPENDED
        and resumed.filter(time__gte=event.time, details__keys=event.details["keys"]).exists()
    )


def _send(to: list[str], events: list[PortalEvent]) -> None:
    if not to or not events:
        return
    lines: list[str] = []
    for event in events:
        why = f" ({event.details['why']})" if event.details.get("why") else ""
        more = event.details["count"] - event.details["keys"].count(",") - 1
        others = f" and {more} more" if more > 0 else ""
        lines += [
            f"{event.time:%Y-%m-%d %H:%M:%S} UTC: {event.details['keys']}{others}",
            f"    {_WORDS[EventTag(event.tag)]}{why}",
        ]
    lines += [
        "",
        "See for yourself, on your own machine:",
        "    strongroom revocation status KEY",
        "    strongroom log verify",
        "",
        "Nobody ever needs a password, a PIN or a one-time code of yours by mail or telephone.",
    ]
    subject = f"Strongroom: {sum(one.details['count'] for one in events)} of your keys"
    tags = {one.tag for one in events}
    if len(tags) == 1:
        subject += f" {_WORDS[EventTag(tags.pop())].partition(',')[0].partition(':')[0]}"
    for address in to:
        send_mail(subject, "\n".join(lines) + "\n", None, [address])
