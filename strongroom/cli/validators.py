"""`validator`: third parties whose word is required before a key is encrypted."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, next_step, pairs, records, show
from strongroom.client import validators
from strongroom.client.validators import ThirdParty
from strongroom.protocol.encoding import read_json

app = typer.Typer(no_args_is_help=True, help="Third parties who must vouch for keys too.")
Name = Annotated[str, typer.Argument(help="What the validator calls itself.")]


@app.command("add")
def validator_add(
    name: Name,
    anchor: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Got from the validator, out of band.")],
    url: Annotated[str, typer.Option(help="Its address, where the anchor names another.")] = "",
    as_json: Json = False,
) -> None:
    """Trust a validator: its word is required from now on, unless policy.json says otherwise."""
    third_party = read_json(anchor.read_bytes(), ThirdParty, "configuration")
    if url:
        third_party = msgspec.structs.replace(third_party, url=url)
    validators.add(prompts.home(), name, third_party)
    data = {"name": name, "url": third_party.url, "fingerprint": third_party.credential.fingerprint}
    rows = [("Validator", name), ("Address", third_party.url), ("Fingerprint", third_party.credential.fingerprint)]
    show(as_json, data, pairs(rows), next_step("compare the fingerprint; strongroom trust"))


@app.command("list")
def validator_list(as_json: Json = False) -> None:
    """The validators that this folder knows, and who must vouch."""
    home = prompts.home()
    found = [
        {"name": name, "url": one.url, "fingerprint": one.credential.fingerprint}
        for name, one in validators.third_parties(home).items()
    ]
    required = validators.required(home)
    table = records(found, ["name", "url", "fingerprint"], empty="No third parties: strongroom validator add NAME …")
    show(as_json, {"validators": found, "required": required}, table, pairs([("Must vouch", list(required))]))


@app.command("remove")
def validator_remove(name: Name, as_json: Json = False) -> None:
    """Trust a validator no longer."""
    validators.remove(prompts.home(), name)
    show(as_json, {"removed": name}, f"{name} is not asked any more.")
