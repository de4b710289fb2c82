"""`keys`: what is in the partition, and the owner's orders on it."""

import sys
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.cli.receipts import receipt_rows
from strongroom.client import orders, receipts
from strongroom.client.http import segment
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import check_reason

app = typer.Typer(help="Keys of the partition.")
Name = Annotated[str, typer.Argument(help="Name or key id.")]


@app.callback(invoke_without_command=True)
def keys(context: typer.Context, as_json: Json = False) -> None:
    """List the keys that the token's tenant can see."""
    if not context.invoked_subcommand:
        keys_list(as_json)


@app.command("list")
def keys_list(as_json: Json = False) -> None:
    """List the keys: the same as `keys` alone."""
    with connected() as connection:
        found = connection.portal.get("keys", list[dict[str, Any]])
    columns = ["name", "version", "key_type", "state", "created", "key_id"]
    empty = "No keys yet: strongroom import FILE --name NAME --usage sign"
    show(as_json, found, records(found, columns, empty=empty))


@app.command("show")
def keys_show(name: Name, as_json: Json = False) -> None:
    """Show a key as the portal describes it, with the receipt that the device signed for it."""
    with connected() as connection:
        described = connection.portal.get(f"keys/{segment(name)}", dict[str, Any])
        found = receipts.find(connection, name, prompts.now())
    show(
        as_json,
        described | {"receipt": found},
        pairs([("State", described.get("state")), *receipt_rows(found)]),
    )


@app.command("versions")
def keys_versions(name: Name, as_json: Json = False) -> None:
    """List the versions of a key, each with the device's verified receipt. States are the portal's word."""
    with connected() as connection:
        found = orders.versions(connection, name, prompts.now())
    rows = [
        {
            "version": one.version,
            "state": one.state,
            "imported": moment(one.receipt.imported_at),
            "device": one.receipt.device,
            "terms": one.receipt.terms_digest,
        }
        for one in found
    ]
    show(as_json, found, records(rows, ["version", "state", "imported", "device", "terms"], empty="No versions."))


@app.command("destroy")
def keys_destroy(
    name: Name,
    version: Annotated[int, typer.Option(help="Only this version; else the whole key.", min=0)] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Destroy a key on the owner's signature: its material is gone for ever, its name and receipts stay."""
    what = f"version {version} of {name}" if version else f"{name}, all versions"
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Destroy {what}? There is no way back", err=True)):
        raise Refused("configuration", "nothing was destroyed: it takes a yes, or --yes")
    with connected() as connection:
        states = orders.destroy(connection, name, prompts.now(), version)
    rows = [{"version": number, "state": state} for number, state in sorted(states.items())]
    show(as_json, {"states": states}, records(rows, ["version", "state"], empty=""), "The device's log says so.")


@app.command("revoke")
def keys_revoke(
    name: Name,
    version: Annotated[int, typer.Option(help="Only this version; else the whole key.", min=0)] = 0,
    reason: Annotated[str, typer.Option(help="For the log, which the provider sees too.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    as_json: Json = False,
) -> None:
    """Revoke a key on the owner's signature, without any endpoint: its material is gone for ever."""
    check_reason(reason)
    what = f"version {version} of {name}" if version else f"{name}, all versions"
    if not yes:
        asked = f"Revoke {what}? There is no way back. Type the key's name to do it"
        if not sys.stdin.isatty() or typer.prompt(asked, err=True) != name:
            raise Refused("configuration", "nothing was revoked: it takes the key's name, or --yes")
    with connected() as connection:
        states = orders.revoke(connection, name, prompts.now(), version, reason)
    rows = [{"version": number, "state": state} for number, state in sorted(states.items())]
    show(
        as_json,
        {"states": states},
        records(rows, ["version", "state"], empty=""),
        "The device's log says so. Where the key has an endpoint, say it there too: a device that somebody puts back "
        "to an older state asks it, and would hear that the key may be used.",
        next_step("strongroom log verify"),
    )


@app.command("minimum")
def keys_minimum(
    name: Name,
    version: Annotated[int, typer.Argument(help="Versions below it refuse every operation.", min=1)],
    as_json: Json = False,
) -> None:
    """Set the oldest version of a key that may be used, on the owner's signature. A later order may lower it again."""
    with connected() as connection:
        states = orders.set_minimum(connection, name, prompts.now(), version)
    rows = [{"version": number, "state": state} for number, state in sorted(states.items())]
    show(as_json, {"states": states}, records(rows, ["version", "state"], empty=""), "The device's log says so.")
