"""`evidence`: all that proves a key, in one file, and the check of it with nothing but the manufacturer's root."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from cryptography import x509

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.client import proof
from strongroom.client.files import write_private
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Evidence of a key in one file, for anyone to check offline.")


@app.command("save")
def evidence_save(
    key: Annotated[str, typer.Argument(help="Name or key id.")],
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="Else KEY.evidence.json.")] = None,
    version: Annotated[int, typer.Option(help="Which version; else the newest known here.", min=0)] = 0,
    only_admin: Annotated[
        bool, typer.Option("--only-admin", help="Leave out the log's lanes of operations, which may be long.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write validation statements, attestation, header, receipt, quorum action and log to one file."""
    with connected() as connection:
        saved = proof.save(connection, key, prompts.now(), version, only_admin=only_admin)
    content, target = msgspec.json.encode(saved), out or Path(f"{key}.evidence.json")
    write_private(target, content)
    data = {"out": str(target), "digest": digest(content), "bytes": len(content)}
    show(as_json, data, f"{len(content)} bytes in {target}.", next_step(f"strongroom evidence verify {target}"))


@app.command("verify")
def evidence_verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    roots: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The manufacturer's roots; else this folder's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check everything in the file, without a network; the provider's part, from the key's page, too.

    Exit status 1 where a step does not hold.
    """
    saved = proof.read(file.read_bytes())
    verdict = proof.verify(saved, _roots(roots))
    # What is not borne out as a whole names nobody.
    others = verdict.fingerprints if verdict.holds else {}
    if verdict.mode:
        warn_of_mode(verdict.mode)
    steps = [
        {"step": number, "what": one.what, "holds": one.holds, "found": one.found}
        for number, one in enumerate(verdict.findings, start=1)
    ]
    rows = [{**one, "": "yes" if one["holds"] else "NO"} for one in steps]
    said = "It does NOT hold: believe nothing in this file."
    besides: list[tuple[str, object]] = []
    if verdict.holds:
        said = f"All of it holds.{_lacks(verdict)}"
        besides = [("Log signed", moment(verdict.as_of)), *((f"Key of {name}", one) for name, one in others.items())]
    data = {
        "holds": verdict.holds,
        "steps": steps,
        "mode": verdict.mode,
        "log_signed_at": verdict.as_of if verdict.holds else None,
        "left_out": verdict.left_out,
        "providers_part": verdict.of_provider,
        "besides_the_manufacturer": others,
    }
    show(
        as_json,
        data | {"receipt": verdict.receipt if verdict.holds else None},
        records(rows, ["step", "what", "", "found"], empty=""),
        pairs(besides),
        said,
    )
    if not verdict.holds:
        raise typer.Exit(1)


def _lacks(verdict: proof.Verdict) -> str:
    """What a file that holds does not say."""
    if verdict.of_provider:
        return (
            " But it is the provider's part: it does not say who vouched for anything before the key was encrypted, "
            "nor what was done with it. `strongroom evidence save` does, where the key was sent from."
        )
    return " But the key's operations were left out of this file (--only-admin)." if verdict.left_out else ""


def _roots(file: Path | None) -> list[x509.Certificate]:
    if file is None:
        return prompts.home().manufacturer_roots()
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError:
        raise Refused("configuration", f"{file} holds no PEM certificates") from None
