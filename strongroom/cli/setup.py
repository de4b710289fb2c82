"""`configure`, `login`, `owner`, `device`, `client`, `partition`: what comes before the first key."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, next_step, pairs, records, show
from strongroom.cli.prompts import PasswordFile, Protect, connected
from strongroom.client import account, orders
from strongroom.client.connection import connect
from strongroom.client.files import write_private
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.protocol.access import client_principal, device_principal
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused

app = typer.Typer()
owner = typer.Typer(no_args_is_help=True, help="The credential that owns the partition.")
device = typer.Typer(no_args_is_help=True, help="This machine's credential.")
client = typer.Typer(no_args_is_help=True, help="API clients and their tokens.")
partition = typer.Typer(no_args_is_help=True, help="Partitions.")
app.add_typer(owner, name="owner")
app.add_typer(device, name="device")
app.add_typer(client, name="client")
app.add_typer(partition, name="partition")

File = Annotated[Path, typer.Option(exists=True, dir_okay=False)]
MaybeFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


@app.command()
def configure(
    *,
    url: Annotated[str, typer.Option(help="The provider's portal.")],
    manufacturer_roots: File,
    tenant: str = "",
    provider: str = "",
    manufacturer_url: str = "",
    manufacturer_tls: MaybeFile = None,
    provider_validation: MaybeFile = None,
    provider_tls: MaybeFile = None,
    token_file: MaybeFile = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Seal every operation to the device, as if each had --sealed.")
    ] = False,
    owner_credential: Annotated[
        Path | None, typer.Option(exists=True, help="The owner's public credential, where its key is elsewhere.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the configuration folder. Get the trust files out of band, never from the portal.

    Officers need only --url and --manufacturer-roots.
    """
    home = prompts.home()

    def read(path: Path | None) -> bytes:
        return path.read_bytes() if path else b""

    config = Config(url=url, tenant=tenant, provider=provider, manufacturer_url=manufacturer_url, sealed=sealed)
    trust = TrustFiles(
        manufacturer_roots=read(manufacturer_roots),
        manufacturer_tls=read(manufacturer_tls),
        provider_validation=read(provider_validation),
        provider_tls=read(provider_tls),
    )
    home.configure(config, trust)
    if token_file:
        home.save_token(token_file.read_text().strip())
    if owner_credential:
        home.save_credential("owner", read_json(owner_credential.read_bytes(), PublicCredential, "configuration"))
    login_step = "strongroom login USERNAME" if tenant else "strongroom officer login USERNAME"
    step = "strongroom trust" if home.token() else login_step
    show(as_json, {"home": str(home.path)}, f"Configured {home.path}.", next_step(step))


@app.command()
def login(
    username: Annotated[str, typer.Argument()], password_file: PasswordFile = None, as_json: Json = False
) -> None:
    """Log in as a person, with password and one-time code."""
    password = prompts.secret("Password", password_file)
    with connected("nobody") as connection:
        answer = account.login(connection, username, password, prompts.secret("One-time code"))
    shown = {"username": answer.username, "tenant": answer.tenant, "expiry": answer.expiry}
    show(as_json, shown, f"Logged in as {answer.username} until {answer.expiry}.")


@app.command()
def logout(as_json: Json = False) -> None:
    """End the person's session."""
    account.logout(prompts.home())
    show(as_json, {}, "Logged out.")


def _show_credential(as_json: bool, what: str, credential: PublicCredential, step: str) -> None:
    data = {"fingerprint": credential.fingerprint, "credential": credential}
    show(as_json, data, pairs([(f"{what} fingerprint", credential.fingerprint)]), next_step(step))


@owner.command("init")
def owner_init(passphrase: Protect = False, as_json: Json = False) -> None:
    """Make the owner credential. Keep a copy of owner.pem off this machine: without it the partition is lost."""
    credential = prompts.home().make_key("owner", prompts.new_passphrase(passphrase))
    _show_credential(as_json, "Owner", credential, "back up owner.pem; strongroom partition request --label LABEL")


@owner.command("show")
def owner_show(as_json: Json = False) -> None:
    """Show the owner's fingerprint, for comparison with what the device attests."""
    _show_credential(as_json, "Owner", prompts.home().credential("owner"), "strongroom trust")


@device.command("enrol")
def device_enrol(name: Annotated[str, typer.Option()], passphrase: Protect = False, as_json: Json = False) -> None:
    """Make this machine's device credential and register it. It has no rights until the owner lists it."""
    home = prompts.home()
    protection = b"" if home.has_key("device") else prompts.new_passphrase(passphrase)
    with connected("person") as connection:
        answer = account.enrol_device(connection, name, protection)
    principal = device_principal(home.credential("device"))
    step = f"the owner lists it: strongroom access allow {principal} --rights import,sign,verify"
    show(as_json, answer | {"next_step": step}, pairs([("Device", principal)]), next_step(step))


@device.command("show")
def device_show(as_json: Json = False) -> None:
    """Show this machine's device credential, for the owner."""
    credential = prompts.home().credential("device")
    _show_credential(
        as_json, "Device", credential, f"strongroom access allow {device_principal(credential)} --rights …"
    )


@device.command("list")
def device_list(as_json: Json = False) -> None:
    """The tenant's client devices."""
    with connected() as connection:
        found = account.devices(connection)
    show(as_json, found, records(found, ["name", "principal", "created"], empty="No client devices yet."))


@client.command("create")
def client_create(name: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Make an API client. It has no rights until the owner lists it."""
    with connected("person") as connection:
        answer = account.create_client(connection, name)
    principal = client_principal(str(answer["id"]))
    step = f"strongroom client token {name}; the owner lists it: strongroom access allow {principal} --rights …"
    show(as_json, answer | {"next_step": step}, pairs([("API client", principal)]), next_step(step))


@client.command("list")
def client_list(as_json: Json = False) -> None:
    """The tenant's API clients."""
    with connected() as connection:
        found = account.clients(connection)
    show(as_json, found, records(found, ["name", "principal", "created"], empty="No API clients yet."))


@client.command("revoke")
def client_revoke(
    name: Annotated[str, typer.Argument(help="Name or id of the API client.")],
    token_key: Annotated[str, typer.Option(help="End only this token of it; the key was shown with the token.")] = "",
    as_json: Json = False,
) -> None:
    """End an API client with all its tokens, or one token. They are refused within a second."""
    with connected("person") as connection:
        if token_key:
            account.revoke_token(connection, name, token_key)
            show(as_json, {"revoked": token_key}, f"Token {token_key} is revoked.")
            return
        principal = client_principal(account.revoke_client(connection, name))
    step = f"the owner takes it off the list: strongroom access remove {principal}"
    show(as_json, {"revoked": principal, "next_step": step}, f"{principal} is revoked.", next_step(step))


@client.command("token")
def client_token(
    name: Annotated[str, typer.Argument(help="Name or id of the API client.")],
    days: int = 90,
    save: Annotated[bool, typer.Option("--save", help="Keep it in this folder instead of showing it.")] = False,
    as_json: Json = False,
) -> None:
    """Make a token for an API client. It is shown this once."""
    with connected("person") as connection:
        token = account.create_token(connection, name, days)
    if save:
        prompts.home().save_token(token.token)
        show(as_json, {"token_key": token.token_key, "expiry": token.expiry}, f"Kept until {token.expiry}.")
    else:
        rows = [("Token", token.token), ("Token key", token.token_key), ("Expires", token.expiry)]
        show(as_json, token, pairs(rows))


@partition.command("request")
def partition_request(label: Annotated[str, typer.Option()], as_json: Json = False) -> None:
    """Ask for a partition that this folder's owner credential will own."""
    with connected("person") as connection:
        answer = account.request_partition(connection, label)
    step = "officers define it; then: strongroom partition list"
    show(
        as_json, answer, pairs([("Request", answer.get("request")), ("Status", answer.get("status"))]), next_step(step)
    )


@partition.command("list")
def partition_list(as_json: Json = False) -> None:
    """The tenant's partitions."""
    with connected() as connection:
        found = account.partitions(connection)
    doomed = ["destroy_at"] if any(one.get("destroy_at") for one in found) else []
    columns = ["partition", "label", "status", *doomed, "device", "request"]
    empty = "No partitions yet: strongroom partition request --label LABEL"
    show(as_json, found, records(found, columns, empty=empty))


@partition.command("use")
def partition_use(identifier: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """Choose the partition that the other commands work in. The portal is asked whether the tenant has it."""
    home: Home = prompts.home()
    unchecked = _why_unchecked(home, identifier)
    home.use_partition(identifier)
    data = {"partition": identifier, "checked": not unchecked}
    note = [f"Whether it is yours could not be checked: {unchecked}"] if unchecked else []
    show(as_json, data, f"Using {identifier}.", *note, next_step("strongroom trust"))


@partition.command("consent-to-destruction")
def partition_consent(
    out: Annotated[Path, typer.Option(dir_okay=False, help="The file for the provider's officers.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    as_json: Json = False,
) -> None:
    """Sign, as its owner, that officers may destroy the partition in use at once: every key in it is then gone."""
    home = prompts.home()
    if not yes and not typer.confirm(f"Let {home.partition()} be destroyed, with every key in it?", err=True):
        raise typer.Abort
    write_private(out, orders.consent_to_destruction(home, prompts.now()).encode())
    step = "give it to the provider's officers: strongroom officer request-action partition.destroy … --consent FILE"
    show(as_json, {"out": str(out), "partition": home.partition()}, f"Signed: {out}", next_step(step))


@partition.command("keep")
def partition_keep(as_json: Json = False) -> None:
    """Cancel, as its owner, the destruction of the partition in use that the provider's officers have ordered."""
    with connected() as connection:
        kept = orders.keep_partition(connection, prompts.now())
    show(as_json, kept, f"{kept['partition']} is kept: no destruction waits.")


def _why_unchecked(home: Home, identifier: str) -> str:
    """Empty where the portal says that the partition is the tenant's. Raises `Refused("not-found")` where it is not."""
    try:
        with connect(home) as connection:
            account.partition(connection, identifier)
    except Refused as refusal:
        if refusal.code == "not-found":
            raise Refused("not-found", f"no partition {identifier!r}: see `strongroom partition list`") from None
        return refusal.detail or refusal.problem.sentence
    return ""
