"""What pages show beyond what the applications' own selectors give."""

from dataclasses import dataclass

from knox.models import AuthToken

from portal.audit.models import PortalEvent
from portal.quorum.selectors import ALIAS, world
from strongroom.protocol.access import Editor, Principal, Right, client_principal, editors_of, read_list, signer_of
from strongroom.protocol.commands import (
    RevocationStatus,
    RevocationStatusReply,
    ShowAccess,
    ShowAccessReply,
    VersionStatus,
)
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry
from tee import selectors as tee
from tee.drivers import secure_module
from tee.models import Device, EngineKey, Key, ProviderKey, VendorKey
from tenants.models import ApiClient, Partition, Tenant
from tenants.scoping import tenant_scope
from tenants.selectors import client_names, clients, devices, find_client, partitions

UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Access:
    """A partition's access list, read for display only: whoever relies on it checks its signature.

    `signer`: the fingerprint of the owner or editor that signed it, which is empty before the first.
    """

    version: int
    document: str
    owners: list[str]
    principals: list[Principal]
    editors: list[Editor]
    signer: str
    partition: str
    owner_keys: list[PublicCredential]

    @property
    def editor(self) -> Editor | None:
        """Whose security key signed it; None where an owner did."""
        return next((one for one in self.editors if one.key.fingerprint == self.signer), None)


@dataclass(frozen=True)
class Names:
    """What people call a principal (`device:…`, `client:…`) and a key's id."""

    principals: dict[str, str]
    keys: dict[str, str]


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


def standings_of(keys: list[Key]) -> tuple[dict[int, VersionStatus], Refused | None]:
    """By row how those versions stand that somebody may revoke; and why the rest is not known, where it is not."""
    standings: dict[int, VersionStatus] = {}
    for key in keys:
        command = RevocationStatus(partition=key.partition.partition_id or "", key=key.key_id)
        try:
            found = secure_module().call(command, RevocationStatusReply).versions
        except Refused as error:
            return standings, error
        for one in found:
            if one.version == key.version and one.state != "none":
                standings[key.pk] = one
    return standings, None


def names_of(*, tenant: Tenant) -> Names:
    """The tenant's own names for its devices, clients and keys."""
    principals = {f"device:{one.fingerprint}": one.name for one in devices(tenant=tenant)}
    principals |= {client_principal(client_id): name for client_id, name in client_names(tenant=tenant).items()}
    return Names(principals, tee.key_names(tenant=tenant))


def principals_now(*, tenant: Tenant) -> list[tuple[str, str]]:
    """The principals of the tenant's enrolled devices and active clients, each with its name."""
    found = [(f"device:{one.fingerprint}", one.name) for one in devices(tenant=tenant)]
    return found + [(client_principal(one.client_id), one.name) for one in clients(tenant=tenant)]


def lines_of_tenant(entries: list[Entry], *, tenant: Tenant) -> list[Line]:
    """Entries in the tenant's own names for its devices, clients and keys."""
    names = names_of(tenant=tenant)
    return [Line(one, who_in(one, names), names.keys.get(one.key, "")) for one in entries]


def who_in(entry: Entry, names: Names) -> str:
    """In a customer's words who did what an entry tells of; empty where it has none for them.

    Which officer of the provider it was is the provider's to know: the customer can tell one from another.
    """
    if entry.event == "action:execute":
        return f"an officer of the provider, {entry.principal[:12]}…"
    return names.principals.get(entry.principal, "") or _signer_of_list(entry)


def _signer_of_list(entry: Entry) -> str:
    """In words who signed the access list that an entry put in force; empty for any other entry."""
    document = entry.details.get("document")
    if entry.event != "access:update" or not isinstance(document, str):
        return ""
    signer, editors = signer_of(document), editors_of(read_list(document))
    label = next((one.label or "without a name" for one in editors if one.key.fingerprint == signer), "")
    return f"security key {label}" if label else "the owner"


def officer_names() -> dict[str, str]:
    """Officers' names by the fingerprints of their cards, as far as the device says now."""
    try:
        return {one.credential.fingerprint: one.name for one in world().officers}
    except Refused:
        return {}


def lines_of_world(entries: list[Entry], names: dict[str, str]) -> list[Line]:
    """Entries in the names (`officer_names`) of the officers whose cards they tell of."""
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
        return UNREACHABLE


def access_of(partition: Partition) -> Access:
    """Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    identifier = partition.partition_id or ""
    reply = secure_module().call(ShowAccess(partition=identifier), ShowAccessReply)
    owners = [owner.fingerprint for owner in reply.owners]
    if not reply.document:
        return Access(reply.version, "", owners, [], [], "", identifier, reply.owners)
    listed = read_list(reply.document)
    signer = signer_of(reply.document)
    found = (listed.principals, editors_of(listed), signer)
    return Access(reply.version, reply.document, owners, *found, identifier, reply.owners)


@dataclass(frozen=True)
class Granted:
    """What a principal may do in a partition; or why that is not known."""

    partition: Partition
    rights: list[Right]
    refused: Refused | None


def rights_in_partitions(*, tenant: Tenant, principal: str) -> list[Granted]:
    """What `principal` may do in each of the tenant's defined partitions. A device that is away is asked once."""
    found: list[Granted] = []
    away: Refused | None = None
    for one in partitions(tenant=tenant):
        if one.partition_id and one.status == Partition.Status.DEFINED:
            try:
                if away is not None:
                    raise away
                listed = access_of(one).principals
            except Refused as refused:
                away = refused if refused.code.startswith("hsm-") else None
                found.append(Granted(one, [], refused))
                continue
            rights = [right for entry in listed if entry.principal == principal for right in entry.rights]
            found.append(Granted(one, rights, None))
    return found


def client_and_tokens(*, tenant: Tenant, client_id: str) -> tuple[ApiClient, list[AuthToken]]:
    """An API client with its tokens, newest first. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        client = find_client(tenant=tenant, client_id=client_id)
    return client, list(AuthToken.objects.filter(user_id=client.user_id).order_by("-created"))


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
    found: dict[int, list[Partition]] = {}
    for partition in Partition.objects.using(ALIAS).order_by("requested"):
        found.setdefault(partition.tenant_id, []).append(partition)
    return [(tenant, found.get(tenant.pk, [])) for tenant in Tenant.objects.using(ALIAS).order_by("slug")]


def _happenings(events: list[PortalEvent], names: dict[str, str]) -> list[Happening]:
    return [Happening(one, names.get(one.actor, "")) for one in events]
