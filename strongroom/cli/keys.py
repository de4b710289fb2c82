"""`import`, `keys`, `receipt`: keys and the device's word on them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.client import imports, receipts
from strongroom.client.http import segment
from strongroom.client.material import Material, needs_passphrase, read_material
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt

app = typer.Typer()
keys = typer.Typer(help="Keys of the partition.")
receipt = typer.Typer(no_args_is_help=True, help="Receipts, checked offline.")
app.add_typer(keys, name="keys")
app.add_typer(receipt, name="receipt")


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PKCS#8 in PEM or DER, or 32 raw bytes.")],
    *,
    name: Annotated[str, typer.Option()],
    usage: Annotated[list[Usage], typer.Option(help="Repeat for each use.")],
    key_type: Annotated[KeyType | None, typer.Option("--type", help="Refuse the file if it is another type.")] = None,
    mode: Annotated[
        Literal["signed", "token"], typer.Option(help="token: a dishonest portal could use the key while it is listed.")
    ] = "signed",
    mechanism: Annotated[list[Mechanism] | None, typer.Option(help="Permit only these.")] = None,
    translate_to: Annotated[list[str] | None, typer.Option(help="Key (name or id) to which it may translate.")] = None,
    not_before: Annotated[str | None, typer.Option(help="ISO 8601; UTC unless it says otherwise.")] = None,
    not_after: Annotated[str | None, typer.Option(help="ISO 8601; UTC unless it says otherwise.")] = None,
    key_passphrase_file: Annotated[Path | None, typer.Option(exists=True)] = None,
    as_json: Json = False,
) -> None:
    """Bring a key into the partition. Only the device can open what leaves this machine."""
    material = _read(file, key_type, key_passphrase_file)
    terms = Terms(
        salt=new_salt(),
        key_type=material.key_type,
        usages=usage,
        authorisation=mode,
        mechanisms=mechanism or [],
        not_before=_moment(not_before),
        not_after=_moment(not_after),
        translate_to=translate_to or [],
    )
    with connected() as connection:
        done = imports.import_key(connection, material, name, terms, prompts.now())
    warn_of_mode(done.evidence.mode)
    _show(as_json, receipts.Checked(done.receipt, done.evidence.mode, compared=True), f"kept in {done.path}")


@keys.callback(invoke_without_command=True)
def keys_list(context: typer.Context, as_json: Json = False) -> None:
    """List the keys that the token's tenant can see."""
    if context.invoked_subcommand:
        return
    with connected() as connection:
        found = connection.portal.get("keys", list[dict[str, Any]])
    columns = ["name", "version", "key_type", "state", "key_id"]
    empty = "No keys yet: strongroom import FILE --name NAME --usage sign"
    show(as_json, found, records(found, columns, empty=empty))


@keys.command("show")
def keys_show(name: Annotated[str, typer.Argument(help="Name or key id.")], as_json: Json = False) -> None:
    """Show a key as the portal describes it, with the receipt that the device signed for it."""
    with connected() as connection:
        described = connection.portal.get(f"keys/{segment(name)}", dict[str, Any])
        found = receipts.find(connection, name, prompts.now())
    show(as_json, described | {"receipt": found}, pairs([("State", described.get("state")), *_rows(found)]))


@receipt.command("verify")
def receipt_verify(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A kept receipt's name, or a file with one.")],
    as_json: Json = False,
) -> None:
    """Verify a receipt offline, against the manufacturer's root and what was sent."""
    home, path = prompts.home(), Path(name)
    if path.is_file():
        token = path.read_text().strip()
        checked = receipts.verify_token(home, token, receipts.claimed_name(token), prompts.now())
    else:
        checked = receipts.verify_kept(home, name, prompts.now())
    warn_of_mode(checked.mode)
    _show(as_json, checked, "the device's signature holds")


@receipt.command("fetch")
def receipt_fetch(name: Annotated[str, typer.Argument()], as_json: Json = False) -> None:
    """Settle an import whose answer never came: fetch its receipt, check it, keep it."""
    with connected() as connection:
        imports.resume(connection, name, prompts.now())
    _show(as_json, receipts.verify_kept(prompts.home(), name, prompts.now()), "kept")


def _show(as_json: bool, checked: receipts.Checked, word: str) -> None:
    compared = "every field is that of what was sent" if checked.compared else "not sent from this folder"
    data = {"receipt": checked.receipt, "mode": checked.mode, "compared": checked.compared}
    rows = [*_rows(checked.receipt), ("Receipt", f"{word}; {compared}")]
    verb = "encrypt" if checked.receipt.key_type is KeyType.AES_256 else "sign"
    show(as_json, data, pairs(rows), next_step(f"strongroom {verb} --key {checked.receipt.name} --in FILE --out FILE"))


def _rows(found: Receipt) -> list[tuple[str, Any]]:
    return [
        ("Key", f"{found.name} ({found.key_type}, version {found.version})"),
        ("Key id", found.key_id),
        ("Partition", found.partition),
        ("Owner", found.owner),
        ("Device", found.device),
        ("Check value", found.check_value or "none: a key pair"),
        ("Terms digest", found.terms_digest),
        ("Imported", moment(found.imported_at)),
    ]


def _read(file: Path, key_type: KeyType | None, passphrase_file: Path | None) -> Material:
    data = file.read_bytes()
    if not needs_passphrase(data):
        return read_material(data, key_type)
    return read_material(data, key_type, prompts.secret(f"Passphrase of {file.name}", passphrase_file).encode())


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("malformed", f"{text!r} is not a time in ISO 8601") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
