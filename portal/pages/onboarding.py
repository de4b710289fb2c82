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
_TRUST_FILES = (
    "The manufacturer publishes manufacturer-roots.pem; the provider hands you provider-validation.json outside this "
    "portal, with the contract for example. Have both read you the fingerprints by telephone."
)
_ELSEWHERE = (
    "comes from Strongroom's source, whose README says how it is installed, and never from this portal: it is what "
    "checks the portal."
)
_ONLY_THE_COMMAND = f"The command {_ELSEWHERE}"
_THE_COMMAND = f"Or by the command, which is the way for keys that matter. It {_ELSEWHERE}"
_TO_CONFIGURE = (
    f"{_TRUST_FILES} What stands in capitals they tell you too, and the files are in the folder where you run this; "
    "leave out those for TLS where your machine knows the certificate's issuer."
)
_YOUR_OWN = "Your own key, encrypted to the device before it leaves, with your terms beside it; "
_OR_MADE = "or one that the device makes and nobody outside ever has. "
_TO_SIGN_HERE = (
    "To sign with it on these pages, let it sign and verify, and let each use need an API client's token alone: what "
    "needs your device's signature is signed by the command. "
)
_HOW_TO_IMPORT: dict[Importing, str] = {
    "here": _YOUR_OWN + _OR_MADE + _TO_SIGN_HERE + f"The page needs files that are not this portal's. {_TRUST_FILES}",
    "by others": _YOUR_OWN
    + _OR_MADE
    + "By the command; an operator, an admin or an owner can also import in the browser:",
    "nowhere": _YOUR_OWN + _OR_MADE + "By the command:",
}
"""Whether the reader imports in the browser, somebody else does, or nobody can: where npm installed nothing."""


@dataclass(frozen=True)
class Step:
    """A step; only the first that is not done is `now`.

    `page`: the name of the page where its reader does it, if any is, with what leads there (`link`). The page stands
    first where `command` is the other way, of which `other` says more, and `note` what it needs.
    """

    title: str
    why: str
    state: StepState
    command: str
    other: str
    note: str
    page: str
    reference: str
    link: str


@dataclass(frozen=True)
class _Way:
    done: bool
    title: str
    why: str
    command: str = ""
    other: str = ""
    note: str = ""
    page: str = ""
    reference: str = ""
    link: str = "Look there"


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
    # Whoever may ask for a partition in the browser may sign as its owner there.
    owning = in_browser and may(role, "partition-request")
    signing = "Sign it in this browser" if owning else "Look there"
    first = (defined[0].partition_id or "") if defined else ""
    way = [
        _Way(
            bool(devices),
            "Enrol a client device",
            f"Its own key signs what it sends.{' This browser makes one as well.' if owning else ''}",
            _configure(url, tenant) + f"strongroom login {username}\nstrongroom device enrol --name laptop",
            other=_THE_COMMAND if owning else _ONLY_THE_COMMAND,
            note=_TO_CONFIGURE,
            page="partition-request" if owning else "",
            link="Begin in this browser",
        ),
        _Way(
            any(one.status != Partition.Status.DECLINED for one in partitions),
            "Ask for a partition",
            "It will belong to your owner credential for ever: keep a copy of that safe.",
            "strongroom owner init\nstrongroom partition request --label main",
            other=_THE_COMMAND if owning else "",
            page="partition-request" if owning else "",
            link="Ask in this browser",
        ),
        _Way(
            bool(defined),
            "The provider's officers define it",
            "At least two of them approve it. Look again later.",
            "strongroom partition list",
            page="partitions",
        ),
        _Way(
            any(one.principal.startswith("device:") for one in listed),
            "Give your device its rights",
            "See that the partition's owner is you, and say who may do what. Only your owner credential can: nobody "
            "may do anything until it has."
            + (f" Let this browser import, sign and verify. It asks for files first. {_TRUST_FILES}" if owning else ""),
            f"strongroom partition use {first or 'PARTITION'}\nstrongroom trust\n"
            f"strongroom access allow {device} --rights import,sign,verify",
            page=("partition-access" if owning else "partition") if first else "",
            reference=first,
            link=signing,
        ),
        _Way(
            bool(keys),
            "Import or make a key",
            _HOW_TO_IMPORT[importing],
            "strongroom import signing-key.pem --name first --usage sign --usage verify --mode token\n"
            "strongroom keys make first --type EC-P256 --usage sign --usage verify --mode token",
            page="import" if importing == "here" else "",
            link="Import or make one in this browser",
        ),
        _Way(
            bool(clients),
            "Make an API client",
            "A program that calls the API with a token; it has no right until the owner lists it.",
            page="clients",
            link="Make an API client",
        ),
        _Way(
            bool(listed_clients),
            "Give it the right to sign",
            "Again the owner's word alone counts.",
            f"strongroom access allow {client} --rights sign,verify",
            page=("partition-access" if owning and first else "client") if clients else "",
            reference=(first if owning and first else clients[0].client_id) if clients else "",
            link=signing,
        ),
        _Way(
            used,
            "Sign",
            "Here and now, on the key's page; or from your program, with the lines that stand there.",
            page="key" if keys else "",
            reference=keys[0].key_id if keys else "",
            link="Sign on the key's page",
        ),
    ]
    current = next((number for number, one in enumerate(way) if not one.done), len(way))
    return [
        Step(
            one.title,
            one.why,
            "done" if one.done else "now" if number == current else "later",
            one.command,
            one.other,
            one.note,
            one.page,
            one.reference,
            one.link,
        )
        for number, one in enumerate(way)
    ]


def _configure(url: str, tenant: Tenant) -> str:
    """The line that makes the command's folder: filled in but for what the portal is not to be believed in."""
    return (
        f"strongroom configure --url {url} --tenant {tenant.slug} --provider PROVIDER \\\n"
        "  --manufacturer-url MANUFACTURER_URL --manufacturer-tls manufacturer-tls.pem \\\n"
        "  --manufacturer-roots manufacturer-roots.pem \\\n"
        "  --provider-validation provider-validation.json --provider-tls provider-tls.pem\n"
    )


def _listed(partition: Partition) -> list[Principal]:
    """Nobody, where the device cannot be asked: the overview says that it cannot."""
    try:
        return access_of(partition).principals
    except Refused:
        return []
