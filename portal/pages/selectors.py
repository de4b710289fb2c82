"""What pages show beyond what the applications' own selectors give."""

from dataclasses import dataclass
from typing import Literal

from knox.models import AuthToken

from portal.audit import selectors as audit
from portal.audit.models import PortalEvent
from portal.quorum.selectors import ALIAS, world
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, client_principal
from strongroom.protocol.commands import ShowAccess, ShowAccessReply
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry
from tee import selectors as tee
from tee.drivers import secure_module
from tee.models import Device, EngineKey, Key, ProviderKey, VendorKey
from tenants.models import ApiClient, ClientDevice, Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import client_names, devices, find_client

SHOWN = 5
StepState = Literal["done", "now", "later"]


@dataclass(frozen=True)
class Step:
    """A step on the way to the first signature; only the first that is not done is `now`."""

    title: str
    why: str
    command: str
    state: StepState


@dataclass(frozen=True)
class Access:
    """A partition's access list, read for display only: whoever relies on it checks the owner's signature."""

    version: int
    owners: list[str]
    principals: list[Principal]


@dataclass(frozen=True)
class Line:
    """A log entry with the names that its reader knows the principal and the key by; empty where there is none."""

    entry: Entry
    who: str
    key: str


@dataclass(frozen=True)
class Happening:
    """An event of the portal with the name that its reader knows the API client by that did it; else empty."""

    event: PortalEvent
    who: str


@dataclass(frozen=True)
class Attention:
    """What somebody should look at: the suspended keys (of `more` only the number), and what was revoked of late."""

    suspended: list[Key]
    more: int
    revoked: list[PortalEvent]


def attention(*, tenant: Tenant) -> Attention:
    suspended = tee.suspended_keys(tenant=tenant)
    return Attention(suspended[:SHOWN], max(0, len(suspended) - SHOWN), audit.revoked_of_late(tenant=tenant))


def lines_of_tenant(entries: list[Entry], *, tenant: Tenant) -> list[Line]:
    """Entries in the tenant's own names for its devices, clients and keys."""
    names = {f"device:{one.fingerprint}": one.name for one in devices(tenant=tenant)}
    names |= {client_principal(client_id): name for client_id, name in client_names(tenant=tenant).items()}
    keys = {one.key_id: one.name for one in tee.keys(tenant=tenant)}
    return [Line(entry, names.get(entry.principal, ""), keys.get(entry.key, "")) for entry in entries]


def lines_of_world(entries: list[Entry]) -> list[Line]:
    """Entries in the names of the officers whose cards they tell of, as far as the device says now."""
    try:
        names = {one.credential.fingerprint: one.name for one in world().officers}
    except Refused:
        names = {}
    return [Line(entry, names.get(entry.principal, ""), "") for entry in entries]


def happenings_of_tenant(events: list[PortalEvent], *, tenant: Tenant) -> list[Happening]:
    """Events in the tenant's own names for its API clients."""
    return _happenings(events, client_names(tenant=tenant))


def happenings_of_provider(events: list[PortalEvent]) -> list[Happening]:
    """Events in their tenants' names for their API clients."""
    acting = ApiClient.objects.using(ALIAS).filter(client_id__in={one.actor for one in events})
    return _happenings(events, dict(acting.values_list("client_id", "name")))


def device_state() -> str:
    """The device's state in a word that a page can show even where the device does not answer."""
    try:
        return tee.device_state()
    except Refused:
        return "unreachable"


def access_of(partition: Partition) -> Access:
    """Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    reply = secure_module().call(ShowAccess(partition=partition.partition_id or ""), ShowAccessReply)
    listed = jws.read_unverified(reply.document, AccessList).principals if reply.document else []
    return Access(reply.version, [owner.fingerprint for owner in reply.owners], listed)


def client_and_tokens(*, tenant: Tenant, client_id: str) -> tuple[ApiClient, list[AuthToken]]:
    """An API client with its tokens, newest first. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        client = find_client(tenant=tenant, client_id=client_id)
    return client, list(AuthToken.objects.filter(user_id=client.user_id).order_by("-created"))


def steps(*, username: str, partitions: list[Partition], devices: list[ClientDevice], keys: list[Key]) -> list[Step]:
    """How far a customer has come on the way to the first signature."""
    defined = [one for one in partitions if one.status == Partition.Status.DEFINED]
    way = [
        (
            bool(devices),
            "Enrol a client device",
            "Its own key signs what it sends. Log the command in first.",
            f"strongroom login {username}\nstrongroom device enrol --name laptop",
        ),
        (
            bool(partitions),
            "Ask for a partition",
            "It will belong to your owner credential for ever: keep a copy of that safe.",
            "strongroom owner init\nstrongroom partition request --label main",
        ),
        (
            bool(defined),
            "The provider's officers define it",
            "At least two of them approve it with their cards. Look again later, and then take it into use:",
            "strongroom partition list",
        ),
        (
            any(_is_listed(one) for one in defined),
            "Give the device its rights",
            "Only your owner credential can. Nobody may do anything until it has.",
            f"strongroom access allow {_principal(devices)} --rights import,sign,verify",
        ),
        (
            bool(keys),
            "Import a key",
            "It is encrypted to the device on your own machine, with your terms beside it.",
            "strongroom import signing-key.pem --name release-signing --usage sign --usage verify",
        ),
    ]
    current = next((number for number, (done, *_) in enumerate(way) if not done), len(way))
    return [
        Step(title, why, command, "done" if done else "now" if number == current else "later")
        for number, (done, title, why, command) in enumerate(way)
    ]


def published() -> list[tuple[Device, list[VendorKey], list[ProviderKey]]]:
    """Each device with all the keys that it has published, retired ones too."""
    return [
        (one, list(one.vendorkeys.using(ALIAS).all()), list(one.providerkeys.using(ALIAS).all()))
        for one in Device.objects.using(ALIAS).order_by("id")
    ]


def engine_keys() -> list[EngineKey]:
    """All provider keys that the engine has or had in its custody."""
    return list(EngineKey.objects.using(ALIAS).all())


def tenants_with_partitions() -> list[tuple[Tenant, list[Partition]]]:
    """Every tenant with its partitions: what an officer may know of customers."""
    partitions: dict[int, list[Partition]] = {}
    for partition in Partition.objects.using(ALIAS).order_by("requested"):
        partitions.setdefault(partition.tenant_id, []).append(partition)
    return [(tenant, partitions.get(tenant.pk, [])) for tenant in Tenant.objects.using(ALIAS).order_by("slug")]


def _happenings(events: list[PortalEvent], names: dict[str, str]) -> list[Happening]:
    return [Happening(one, names.get(one.actor, "")) for one in events]


def _is_listed(partition: Partition) -> bool:
    try:
        return bool(access_of(partition).principals)
    except Refused:
        return False


def _principal(devices: list[ClientDevice]) -> str:
    return f"device:{devices[0].fingerprint}" if devices else "device:FINGERPRINT"
