"""`access`: who may do what in the partition, changed under the owner's signature on the owner's machine."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from strongroom.cli import editors, owners, prompts
from strongroom.cli.output import Json, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import access
from strongroom.client.home import Home
from strongroom.client.in_force import InForce
from strongroom.protocol.access import Right, device_principal
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import canonical_json, read_json

app = typer.Typer(no_args_is_help=True, help="The partition's access list, under the owner's signature.")
app.add_typer(editors.app, name="editors")
app.add_typer(owners.app, name="owners")


@app.command("show")
def access_show(as_json: Json = False) -> None:
    """Show the list in force: signed by an owner, or a security key that one lets, and attested by the device."""
    with connected() as connection:
        partition = connection.home.partition()
        current = access.in_force(connection, partition)
        access.attested(connection, current, partition, prompts.now())
    _show(as_json, current)


@app.command()
def allow(
    principal: Annotated[str, typer.Argument(help="device:FINGERPRINT or client:ID")],
    rights: Annotated[str, typer.Option(help=f"Comma list of: {' '.join(get_args(Right))}.")],
    label: Annotated[str, typer.Option("--label", "--device-name", help="A name to recognise it by.")] = "",
    credential: Annotated[
        Path | None, typer.Option(exists=True, help="Another device's public credential (`device show --json`).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a principal exactly these rights, in place of any that it had."""
    home = prompts.home()
    change = access.allow(
        principal,
        [one.strip() for one in rights.split(",")],
        credential=_credential(home, principal, credential),
        label=label,
    )
    with connected("person") as connection:
        _show(as_json, access.update(connection, change, prompts.now()))


@app.command()
def remove(principal: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Take a principal off the list."""
    with connected("person") as connection:
        _show(as_json, access.update(connection, access.remove(principal), prompts.now()))


def _credential(home: Home, principal: str, file: Path | None) -> PublicCredential | None:
    """The credential of a device: from `file` (bare, or as `device show --json` prints it), or this machine's own."""
    if file is not None:
        data = read_json(file.read_bytes(), dict[str, object])
        return read_json(canonical_json(data.get("credential", data)), PublicCredential)
    if home.has_key("device") and device_principal(home.credential("device")) == principal:
        return home.credential("device")
    return None


def _show(as_json: bool, current: InForce) -> None:
    rows = [{"principal": one.principal, "rights": one.rights, "label": one.label} for one in current.principals]
    keys, named = editors.rows_of(current), sorted(current.owner_fingerprints)
    data = {"version": current.version, "signed_by": current.signed_by, "owners": named, "principals": rows}
    facts: list[tuple[str, object]] = [
        ("Version", current.version),
        ("Signed by", current.signed_by),
        ("Owners", named),
    ]
    if keys:
        facts.append(("Changed in the browser by", [one["label"] or one["fingerprint"] for one in keys]))
    show(
        as_json,
        data | {"editors": keys},
        pairs(facts),
        records(rows, ["principal", "rights", "label"], empty="Nobody is listed: strongroom access allow PRINCIPAL …"),
    )
