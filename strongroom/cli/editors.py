"""`access editors`: security keys that may change, in the browser, who is listed. Only the owner says which."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, aside, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import access
from strongroom.client.in_force import InForce
from strongroom.protocol.access import Editor
from strongroom.protocol.encoding import from_b64u, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.security_keys import SecurityKey

app = typer.Typer(no_args_is_help=True, help="Security keys that may change who is listed, in the browser.")

REACH = (
    "Whoever holds it changes, in the browser, who is listed and what they may do; never owners or security keys. "
    "The portal's page says what the key signs, and the key shows only that it is touched."
)


@app.command("list")
def editors_list(as_json: Json = False) -> None:
    """Show the security keys that may change who is listed."""
    with connected() as connection:
        current = access.in_force(connection, connection.home.partition())
    _show(as_json, current)


@app.command("add")
def editors_add(
    key: Annotated[str, typer.Argument(help="What the portal's page of security keys shows, or a file with it.")],
    label: Annotated[str, typer.Option(help="Whose it is, to recognise it by.")] = "",
    as_json: Json = False,
) -> None:
    """Let a security key change who is listed. Compare its fingerprint with whoever registered it first."""
    editor = Editor(key=read_key(key), label=label)
    about = [("Fingerprint", editor.key.fingerprint), ("Used at", editor.key.origin), ("Reach", REACH)]
    aside.print(pairs(about), soft_wrap=True)
    with connected("person") as connection:
        _show(as_json, access.put_in_force(connection, prompts.now(), editors=access.add_editor(editor)))


@app.command("remove")
def editors_remove(
    fingerprint: Annotated[str, typer.Argument(help="As `access editors list` shows it.")], as_json: Json = False
) -> None:
    """Take that from a security key. What it has changed stays until the owner changes it."""
    with connected("person") as connection:
        _show(as_json, access.put_in_force(connection, prompts.now(), editors=access.remove_editor(fingerprint)))


def read_key(given: str) -> SecurityKey:
    """The security key that the portal's page gave: its JSON in base64url, or a file with either.

    Raises `Refused("malformed")`.
    """
    # A file's name may be longer than any can be: then it is none.
    file = Path(given) if len(given) < 256 else None
    text = file.read_text().strip() if file and file.is_file() else given.strip()
    try:
        return read_json(text if text.startswith("{") else from_b64u(text), SecurityKey)
    except Refused:
        raise Refused("malformed", "neither a file nor what the portal's page of security keys shows") from None


def _show(as_json: bool, current: InForce) -> None:
    rows = rows_of(current)
    show(
        as_json,
        {"version": current.version, "signed_by": current.signed_by, "editors": rows},
        pairs([("Version", current.version), ("Signed by", current.signed_by)]),
        records(rows, ["label", "fingerprint", "origin"], empty="No security key may change who is listed."),
    )


def rows_of(current: InForce) -> list[dict[str, str]]:
    """The editors of a list, for a table or JSON."""
    return [
        {"label": one.label, "fingerprint": one.key.fingerprint, "origin": one.key.origin} for one in current.editors
    ]
