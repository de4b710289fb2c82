"""What the provider's people see of tenants and of each other.

Of a tenant this is its name, its people, its partitions and how much it asks for: never what its keys are called, nor
terms, payloads or results.
"""

from dataclasses import dataclass

from portal.audit import selectors as audit
from portal.audit.models import PortalEvent
from portal.audit.tags import EventTag
from portal.quorum.models import OfficerProfile, SupportProfile
from portal.quorum.selectors import ALIAS, world
from strongroom.protocol.comparison import kind
from strongroom.protocol.errors import Refused
from tenants import lifecycle
from tenants.models import ApiClient, Membership, Partition, Tenant, User


@dataclass(frozen=True)
class TenantSeen:
    """One tenant; `people` by name with their roles; `clients`: how many API clients are active.

    `ended`: who suspended or closed it and when, where it is not active; `in_the_way`: of its being closed.
    """

    tenant: Tenant
    people: list[Membership]
    partitions: list[Partition]
    clients: int
    ended: PortalEvent | None
    in_the_way: list[Partition]


_ENDED = {
    Tenant.Status.SUSPENDED: EventTag.PROVIDER_TENANT_SUSPENDED,
    Tenant.Status.CLOSED: EventTag.PROVIDER_TENANT_CLOSED,
}


def get_tenant(slug: str) -> TenantSeen:
    """Raises `Refused("not-found")`."""
    tenant = Tenant.objects.using(ALIAS).filter(slug=slug).first()
    if tenant is None:
        raise Refused("not-found")
    people = Membership.objects.using(ALIAS).select_related("user").order_by("user__username")
    clients = ApiClient.objects.using(ALIAS).filter(tenant=tenant, status=ApiClient.Status.ACTIVE)
    tag = _ENDED.get(Tenant.Status(tenant.status))
    ended = audit.events_of_provider(tag=tag, tenant=slug, limit=1) if tag else []
    return TenantSeen(
        tenant=tenant,
        people=list(people.filter(tenant=tenant, user__kind=User.Kind.PERSON, user__is_active=True)),
        partitions=list(Partition.objects.using(ALIAS).filter(tenant=tenant).order_by("requested")),
        clients=clients.count(),
        ended=next(iter(ended), None),
        in_the_way=lifecycle.in_the_way(tenant),
    )


@dataclass(frozen=True)
class CardSeen:
    """An enrolled card or security key (`kind`), and the login of its officer; empty where there is none yet."""

    name: str
    officer_class: str
    fingerprint: str
    kind: str
    username: str


@dataclass(frozen=True)
class ClassSeen:
    """One class of officers: how many of them decide together, and their cards."""

    name: str
    threshold: int
    cards: list[CardSeen]

    @property
    def officers(self) -> int:
        """The device counts an officer once, however many cards and security keys they have."""
        return len({one.name for one in self.cards})


def classes() -> list[ClassSeen]:
    """The officers as the device has them. Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    known = world()
    profiles = OfficerProfile.objects.using(ALIAS).select_related("user").filter(active=True)
    logins = {(one.officer_class, one.name): one.user.username for one in profiles}
    seen = [
        CardSeen(
            name=one.name,
            officer_class=one.officer_class,
            fingerprint=one.credential.fingerprint,
            kind=kind(one.credential),
            username=logins.get((one.officer_class, one.name), ""),
        )
        for one in known.officers
    ]
    return [
        ClassSeen(name, threshold, [one for one in seen if one.officer_class == name])
        for name, threshold in known.thresholds.items()
    ]


def retired_officers() -> list[OfficerProfile]:
    """Those whose card is enrolled no more; their logins reach nothing."""
    return list(OfficerProfile.objects.using(ALIAS).select_related("user").filter(active=False))


def support() -> list[SupportProfile]:
    return list(SupportProfile.objects.using(ALIAS).select_related("user").order_by("user__username"))
