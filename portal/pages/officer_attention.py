"""What the provider's people see first: what they should look at, and how much there is of what they serve."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone

from portal.pages import waiting
from portal.pages.attention import SHOWN, Notice
from portal.pages.device_health import Health
from portal.quorum import selectors as quorum
from portal.quorum.models import ActionState, OfficerProfile
from portal.quorum.selectors import ALIAS
from tenants.models import Invitation, Membership, Tenant, User


@dataclass(frozen=True)
class Tenants:
    """Of the active ones `invited` wait for their first owner, and `forgotten` have nobody and no invitation."""

    active: list[Tenant]
    suspended: list[Tenant]
    invited: list[Tenant]
    forgotten: list[Tenant]


@dataclass(frozen=True)
class Tile:
    """How many there are of something, and where they are listed."""

    number: int
    what: str
    where: str


def tenants_now() -> Tenants:
    rows = list(quorum.tenants())
    active = [one for one in rows if one.status == Tenant.Status.ACTIVE]
    people = Membership.objects.using(ALIAS).filter(user__kind=User.Kind.PERSON, user__is_active=True)
    peopled = set(people.values_list("tenant_id", flat=True))
    invited = set(Invitation.objects.filter(expires__gt=timezone.now()).values_list("tenant_id", flat=True))
    nobodys = [one for one in active if one.pk not in peopled]
    return Tenants(
        active=active,
        suspended=[one for one in rows if one.status == Tenant.Status.SUSPENDED],
        invited=[one for one in nobodys if one.pk in invited],
        forgotten=[one for one in nobodys if one.pk not in invited],
    )


def tiles(tenants: Tenants, devices: list[Health]) -> list[Tile]:
    serving = sum(one.serves for one in devices)
    return [
        _tile(len(tenants.active), "active tenant", "tenants"),
        _tile(len(tenants.suspended), "suspended tenant", "tenants"),
        _tile(len(tenants.invited), "tenant", "tenants", "whose owner is invited"),
        _tile(quorum.partition_requests().count(), "partition request", "requests"),
        _tile(quorum.actions().filter(state=ActionState.OPEN).count(), "open action", "actions"),
        _tile(len(waiting.failures()), "failure", "work", "within a week"),
        _tile(serving, "device", "devices", "in service"),
        _tile(len(devices) - serving, "device", "devices", "out of service"),
    ]


def notices(officer: OfficerProfile | None, tenants: Tenants, devices: list[Health]) -> list[Notice]:
    """The most urgent first. `officer` is None for support."""
    found = [
        Notice(f"Device {one.device.device_id}", "in trouble" if one.serves else "out of service", why, _at("devices"))
        for one in devices
        for why in one.troubles
    ]
    if not devices:
        found.append(Notice("No device", "out of service", "None is registered yet.", _at("devices")))
    answers = quorum.awaiting(officer).count() if officer else 0
    if answers:
        found.append(Notice(_some(answers, "action"), "open", "Your answer counts, and is not given.", _at("actions")))
    unasked = [one for one in quorum.partition_requests() if quorum.open_action_of(one) is None]
    found += [
        Notice(
            f"{one.tenant.slug}, {one.label}",
            "requested",
            "A partition is asked for; no officer has made an action of it.",
            _at("requests"),
        )
        for one in unasked[:SHOWN]
    ]
    if len(unasked) > SHOWN:
        found.append(Notice(_some(len(unasked) - SHOWN, "more request"), "requested", "", _at("requests")))
    found += [
        Notice(
            one.name,
            "without people",
            "Nobody is in it, and no invitation holds: a partition officer invites its first owner.",
            reverse("pages:officer-tenant", args=[one.slug]),
        )
        for one in tenants.forgotten[:SHOWN]
    ]
    if len(tenants.forgotten) > SHOWN:
        more = _some(len(tenants.forgotten) - SHOWN, "more tenant")
        found.append(Notice(more, "without people", "", _at("tenants")))
    failed = len(waiting.failures())
    if failed:
        why = "Imports, asynchronous operations, jobs or callbacks, within a week."
        found.append(Notice(_some(failed, "failure"), "failed", why, _at("work")))
    return found


def _tile(number: int, one: str, page: str, more: str = "") -> Tile:
    return Tile(number, f"{one}{'' if number == 1 else 's'} {more}".strip(), _at(page))


def _some(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def _at(page: str) -> str:
    return reverse(f"pages:officer-{page}")
