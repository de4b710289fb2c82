"""The way to the first signature: what is done, what comes now, and what later."""

from dataclasses import dataclass
from typing import Literal

from portal.audit import selectors as audit
from portal.pages.roles import may
from portal.pages.selectors import access_of
from strongroom.protocol.access import Principal, client_principal
from strongroom.protocol.errors import Refused
from tee.models import Key
from tenants.models import ApiClient, ClientDevice, Partition, Tenant

StepState = Literal["done", "now", "later"]
Importing = Literal["here", "by others", "nowhere"]
_YOUR_OWN = "Your own key, encrypted to the device before it leaves, with your terms beside it; "
_OR_MADE = "or one that the device makes and nobody outside ever has. "
_HOW_TO_IMPORT: dict[Importing, str] = {
    "here": _YOUR_OWN
    + "here in the browser, by scripts that the provider serves, or by the command, which you got from elsewhere; "
    + _OR_MADE,
    "by others": _YOUR_OWN
    + _OR_MADE
    + "By the command; an operator, an admin or an owner can also import in the browser:",
    "nowhere": _YOUR_OWN + _OR_MADE + "By the command:",
}
"""Whether the reader imports in the browser, somebody else does, or nobody can: where npm installed nothing."""


@dataclass(frozen=True)
class Step:
    """A step; only the first that is not done is `now`.

    `page`: the name of the page where its reader does it, if any is. With `page_first` the command is the other way.
    """

    title: str
    why: str
    command: str
    page: str
    reference: str
    state: StepState
    page_first: bool = False


@dataclass(frozen=True)
class _Way:
    done: bool
    title: str
    why: str
    command: str = ""
    page: str = ""
    reference: str = ""
    page_first: bool = False


def steps(
    *,
    tenant: Tenant,
    username: str,
    role: str,
    url: str,
    in_browser: bool,
    partitions: list[Partition],
    devices: list[ClientDevice],
    clients: list[ApiClient],
    keys: list[Key],
) -> list[Step]:
    """Each with what is to be typed or opened, in the tenant's own names.

    `url`: the portal's own address. `in_browser`: what encrypts in the browser is installed here.
    """
    defined = [one for one in partitions if one.status == Partition.Status.DEFINED]
    listed = [one for partition in defined for one in _listed(partition)]
    listed_clients = {one.principal for one in listed if one.principal.startswith("client:")}
    device = f"device:{devices[0].fingerprint}" if devices else "device:FINGERPRINT"
    client = client_principal(clients[0].client_id) if clients else "client:CLIENT_ID"
    used = bool(keys) and bool(audit.last_used(tenant=tenant))
    importing: Importing = "nowhere" if not in_browser else "here" if may(role, "import") else "by others"
    way = [
        _Way(
            bool(devices),
            "Enrol a client device",
            "Its own key signs what it sends. The trust files come to you from the manufacturer and the provider, "
            "never from this portal.",
            f"strongroom configure --url {url} --tenant {tenant.slug} --manufacturer-roots ROOTS.pem\n"
            f"strongroom login {username}\nstrongroom device enrol --name laptop",
        ),
        _Way(
            bool(partitions),
            "Ask for a partition",
            "It will belong to your owner credential for ever: keep a copy of that safe.",
            "strongroom owner init\nstrongroom partition request --label main",
            "partitions",
        ),
        _Way(
            bool(defined),
            "The provider's officers define it",
            "At least two of them approve it. Look again later:",
            "strongroom partition list",
            "partitions",
        ),
        _Way(
            any(one.principal.startswith("device:") for one in listed),
            "Give your device its rights",
            "Take the partition into use, see that its owner is you and who vouches for the device; then say who may "
            "do what. Only your owner credential can: nobody may do anything until it has.",
            f"strongroom partition use {defined[0].partition_id if defined else 'PARTITION'}\nstrongroom trust\n"
            f"strongroom access allow {device} --rights import,sign,verify",
            "partition" if defined else "",
            defined[0].partition_id or "" if defined else "",
        ),
        _Way(
            bool(keys),
            "Import or make a key",
            _HOW_TO_IMPORT[importing],
            "strongroom import signing-key.pem --name first --usage sign --usage verify --mode token\n"
            "strongroom keys make first --type EC-P256 --usage sign --usage verify --mode token",
            "import" if importing == "here" else "",
            page_first=True,
        ),
        _Way(
            bool(clients),
            "Make an API client",
            "A program that calls the API with a token; it has no right until the owner lists it.",
            "",
            "clients",
        ),
        _Way(
            bool(listed_clients),
            "Give it the right to sign",
            "Again the owner's word alone counts:",
            f"strongroom access allow {client} --rights sign,verify",
            "client" if clients else "",
            clients[0].client_id if clients else "",
        ),
        _Way(
            used,
            "Sign",
            "Here and now, on the key's page; or from your program, with the lines that stand there.",
            "",
            "key" if keys else "",
            keys[0].key_id if keys else "",
        ),
    ]
    current = next((number for number, one in enumerate(way) if not one.done), len(way))
    return [
        Step(
            one.title,
            one.why,
            one.command,
            one.page,
            one.reference,
            "done" if one.done else "now" if number == current else "later",
            one.page_first,
        )
        for number, one in enumerate(way)
    ]


def _listed(partition: Partition) -> list[Principal]:
    """Nobody, where the device cannot be asked: the overview says that it cannot."""
    try:
        return access_of(partition).principals
    except Refused:
        return []
