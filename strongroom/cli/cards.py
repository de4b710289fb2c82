"""`officer card …` and `officer ceremony-file`: card files before and after the ceremony."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from strongroom.cli import prompts
from strongroom.cli.output import Json, next_step, pairs, show
from strongroom.cli.prompts import PinFile
from strongroom.client.files import write_private
from strongroom.officer.actions import newest_parts
from strongroom.officer.cards import CardFace, CeremonyOutcome, new_card, open_card, read_card, receive, write_card
from strongroom.protocol.action_table import OfficerClass
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Card files.")

CardPath = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@app.command("new")
def card_new(
    name: Annotated[str, typer.Option(help="The officer's name.")],
    officer_class: Annotated[OfficerClass, typer.Option("--class")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False)],
    pin_file: PinFile = None,
    as_json: Json = False,
) -> None:
    """Make a card file with fresh keys under a PIN. An existing file is never overwritten."""
    if out.exists():
        raise Refused("conflict", f"{out} is there already")
    card = new_card(name, officer_class, prompts.secret("PIN", pin_file))
    write_card(out, card)
    step = f"a domain officer enrols what `strongroom officer card show {out} --json` prints, or the ceremony does"
    show(as_json, _public(card.face), _table(card.face), next_step(step))


@app.command("show")
def card_show(card: CardPath, as_json: Json = False) -> None:
    """Show a card's public part."""
    face = read_card(card).face
    show(as_json, _public(face), _table(face))


@app.command("check")
def card_check(card: CardPath, pin_file: PinFile = None, as_json: Json = False) -> None:
    """Check that the PIN opens the card."""
    opened = open_card(read_card(card), prompts.secret("PIN", pin_file))
    show(as_json, _public(opened.face), "The PIN opens this card.")


@app.command("receive")
def card_receive(
    card: CardPath,
    parts: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="What the ceremony wrote; else the portal's.")
    ] = None,
    pin_file: PinFile = None,
    as_json: Json = False,
) -> None:
    """Take the outcome of the ceremony (--parts) or of the last change of officers: world, device, unseal part."""
    if parts is not None:
        outcome = read_json(parts.read_bytes(), CeremonyOutcome)
    else:
        with prompts.connected("person") as connection:
            outcome = newest_parts(connection)
    pin = prompts.secret("PIN", pin_file)
    received = receive(read_card(card), pin, outcome, prompts.home().manufacturer_roots(), prompts.now())
    write_card(card, received)
    show(as_json, _public(received.face), _table(received.face))


def ceremony_file(
    cards: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="CARD…")],
    threshold: Annotated[list[str], typer.Option(help="CLASS=K, for each of domain, security, partition.")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Write what the ceremony takes: the public enrolments of all cards, and K for each class."""
    try:
        thresholds = {name: int(k) for name, k in (one.split("=") for one in threshold)}
    except ValueError:
        raise Refused("malformed", "a threshold is written CLASS=K, for instance security=2") from None
    officers = [read_card(path).face.enrolment() for path in cards]
    write_private(out, msgspec.json.encode({"officers": officers, "thresholds": thresholds}))
    step = f"python -m hsm.console initialise --ceremony {out} --out PARTS"
    show(as_json, {"out": str(out), "officers": len(officers)}, f"{len(officers)} cards in {out}.", next_step(step))


def _public(face: CardFace) -> dict[str, object]:
    return {"fingerprint": face.fingerprint} | msgspec.structs.asdict(face)


def _table(face: CardFace) -> Text:
    return pairs(
        [
            ("Officer", face.name),
            ("Class", face.officer_class),
            ("Fingerprint", face.fingerprint),
            ("World", face.world or "none yet: it is still to be enrolled"),
            ("Device", face.device),
        ]
    )
