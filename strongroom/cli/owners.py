"""`access owners`: who owns the partition. An owner enrols another, and hands over."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, aside, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import access
from strongroom.client.in_force import InForce
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import read_json

app = typer.Typer(no_args_is_help=True, help="The owner credentials of the partition.")


@app.command("list")
def owners_list(as_json: Json = False) -> None:
    """Show who owns the partition."""
    with connected() as connection:
        current = access.in_force(connection, connection.home.partition())
    _show(as_json, current)


@app.command("add")
def owners_add(
    credential: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The other owner's owner.json.")],
    as_json: Json = False,
) -> None:
    """Make another credential an owner beside this one. It may do all that this one may, and take the partition."""
    owner = read_json(credential.read_bytes(), PublicCredential, "configuration")
    aside.print(pairs([("Owner fingerprint", owner.fingerprint)]), soft_wrap=True)
    with connected("person") as connection:
        current = access.put_in_force(connection, prompts.now(), owners=access.add_owner(owner))
    _show(as_json, current, "keep its owner.pem as safe as the first")


@app.command("remove")
def owners_remove(
    fingerprint: Annotated[str, typer.Argument(help="As `access owners list` shows it.")], as_json: Json = False
) -> None:
    """Take the partition from an owner. To hand over, run this with the other owner's credential in the folder.

    Best before the first key: receipts name the owner of their time.
    """
    home = prompts.home()
    change = access.remove_owner(fingerprint, own=home.credential("owner"))
    with connected("person") as connection:
        current = access.put_in_force(connection, prompts.now(), owners=change)
    _show(as_json, current, "give the new owner.json to everyone whose folder has the old one")


def _show(as_json: bool, current: InForce, step: str = "") -> None:
    names = sorted(current.owner_fingerprints)
    show(
        as_json,
        {"version": current.version, "signed_by": current.signed_by, "owners": names},
        pairs([("Version", current.version), ("Signed by", current.signed_by)]),
        records([{"owner": one} for one in names], ["owner"], empty="The partition has no list yet."),
        *([next_step(step)] if step else []),
    )
