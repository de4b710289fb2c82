"""`receipt`: the device's word on a key, checked offline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.client import airgap, imports, receipts, revocation
from strongroom.protocol import certificate_status
from strongroom.protocol.mechanisms import Mechanism, Usage, fits
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms

app = typer.Typer(no_args_is_help=True, help="Receipts, checked offline.")
_OPTIONS = {
    Usage.SIGN: "--in FILE --out FILE",
    Usage.ENCRYPT: "--in FILE --out FILE",
    Usage.DERIVE: "--peer PEM --info TEXT --out FILE",
    Usage.HASH: "--in FILE --out FILE",
    Usage.VERIFY: "--in FILE --signature FILE",
    Usage.DECRYPT: "--in FILE --out FILE",
    Usage.TRANSLATE: "--in FILE --out FILE --to KEY",
}
ORIGINS = {
    "imported": "imported: it came in the envelope",
    "made": "made in the device: nobody outside ever had it",
    "kept": "the key of the version before, under other terms",
}
Version = Annotated[int, typer.Option(help="Which version; else the newest that is known here.", min=0)]


@app.command("verify")
def receipt_verify(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A kept receipt's name, or a file with one.")],
    version: Version = 0,
    envelope: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Compare it with this envelope of `wrap`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a receipt offline, against the manufacturer's root and what was sent."""
    home, path, now = prompts.home(), Path(name), prompts.now()
    if envelope is not None:
        token = path.read_text().strip() if path.is_file() else receipts.kept(home, name, version)
        checked = airgap.check_receipt(home, airgap.read_envelope(envelope), token, now)
        receipts.keep(home, token)
    elif path.is_file():
        checked = receipts.verify_token(home, path.read_text().strip(), now)
    else:
        checked = receipts.verify_kept(home, name, now, version)
    warn_of_mode(checked.mode)
    show_checked(as_json, checked, "the device's signature holds")


@app.command("fetch")
def receipt_fetch(name: Annotated[str, typer.Argument()], version: Version = 0, as_json: Json = False) -> None:
    """Settle an import whose answer never came, or learn of a newer version: fetch its receipt, check it, keep it."""
    now = prompts.now()
    with connected() as connection:
        sent = receipts.find_sent(connection.home, name, version or 1)
        if sent is not None and not receipts.kept(connection.home, name, version):
            imports.resume(connection, name, now, version or 1)
            checked = receipts.verify_kept(connection.home, name, now, version or 1)
        else:
            checked = receipts.fetch(connection, name, now, version)
    show_checked(as_json, checked, "kept")


def show_checked(
    as_json: bool,
    checked: receipts.Checked,
    word: str,
    *more: tuple[str, Any],
    usages: Sequence[Usage] = (),
    revocable: bool = False,
) -> None:
    """A checked receipt, what was checked of it, and the step that comes next, where its terms' `usages` are known.

    `revocable`: an endpoint is asked about the key, which comes first.
    """
    compared = "every field is that of what was sent" if checked.compared else "not sent from this folder"
    data: dict[str, Any] = {"receipt": checked.receipt, "mode": checked.mode, "compared": checked.compared}
    rows = [*receipt_rows(checked.receipt), ("Receipt", f"{word}; {compared}"), *more]
    data |= {name.lower(): value for name, value in more}
    step = f"strongroom revocation drill {checked.receipt.name}" if revocable else _next(checked.receipt, usages)
    show(as_json, data, pairs(rows), next_step(step))


def terms_rows(terms: Terms) -> list[tuple[str, Any]]:
    """What was chosen of a key's end: said here once, because only the device knows it afterwards."""
    rows = [("Begins", moment(terms.not_before)), ("Expires", moment(terms.not_after))]
    if terms.revocation is not None:
        rows.append(("Revocation", revocation.in_words(terms.revocation)))
    # The certificates themselves come with the material, after these are shown: then only what was stated is known.
    stated = terms.certificate_status
    asked = certificate_status.asked_of(stated, terms.certificates) if terms.certificates else None
    if asked is not None:
        rows.append(("Certificate", f"its status is asked by {asked.method} at {asked.url}"))
    elif not terms.certificates and stated is not None and stated.method != "none":
        where = f" at {stated.url}" if stated.url else ""
        rows.append(("Certificate", f"its status is asked by {stated.method}{where}"))
    return [(name, value) for name, value in rows if value]


def receipt_rows(found: Receipt) -> list[tuple[str, Any]]:
    return [
        ("Key", f"{found.name} ({found.key_type}, version {found.version})"),
        ("Key id", found.key_id),
        ("Partition", found.partition),
        ("Owner", found.owner),
        ("Origin", ORIGINS[found.origin]),
        ("Device", found.device),
        ("Check value", found.check_value or "none: a key pair"),
        ("Terms digest", found.terms_digest),
        ("Imported", moment(found.imported_at)),
    ]


def _next(found: Receipt, usages: Sequence[Usage]) -> str:
    """The first command that the key's terms and type permit; its terms are nowhere but in the device afterwards."""
    for usage, options in _OPTIONS.items():
        if usage in usages and any(fits(one, found.key_type, usage) for one in Mechanism):
            return f"strongroom {usage} --key {found.name} {options}"
    return f"strongroom keys show {found.name}"
