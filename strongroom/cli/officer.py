"""`officer`: cards, approvals and unsealing. What is signed is read and shown here, not by the portal's pages."""

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import cards, prompts, setup
from strongroom.cli.output import Json, aside, moment, next_step, pairs, records, show
from strongroom.cli.prompts import PinFile, connected
from strongroom.officer import actions, unseal
from strongroom.officer.cards import OpenCard, open_card, read_card
from strongroom.protocol.admin_actions import AdminAction, describe

app = typer.Typer(no_args_is_help=True, help="What officers of the provider do.")
app.add_typer(cards.app, name="card")
app.command("ceremony-file")(cards.ceremony_file)
app.command("login")(setup.login)

CardOption = Annotated[Path, typer.Option("--card", exists=True, dir_okay=False, help="The card file.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]


@app.command()
def requests(as_json: Json = False) -> None:
    """Partitions that customers ask for."""
    with connected("person") as connection:
        found = actions.partition_requests(connection)
    rows = [
        {"request": one.request, "tenant": one.tenant, "label": one.label, "owner": one.owner.fingerprint}
        for one in found
    ]
    columns = ["request", "tenant", "label", "owner"]
    show(as_json, found, records(rows, columns, empty="Nobody is waiting for a partition."))


@app.command("request-action")
def request_action(
    request: Annotated[str, typer.Argument(metavar="REQUEST_ID")],
    card: CardOption,
    pin_file: PinFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask the device to open the action that defines this partition."""
    with connected("person") as connection:
        asked = actions.partition_request(connection, request)
        rows = [("Define for", asked.tenant), ("Label", asked.label), ("Owner fingerprint", asked.owner.fingerprint)]
        _confirm(rows, "Request this?", yes=yes)
        opened = actions.request_action(connection, _card(card, pin_file), asked, prompts.now())
    step = f"other officers: strongroom officer approve {opened.id} --card FILE"
    show(as_json, opened, pairs([("Action", opened.id), ("Digest", opened.digest)]), next_step(step))


@app.command("actions")
def actions_list(as_json: Json = False) -> None:
    """Administrative actions, open and past."""
    with connected("person") as connection:
        found = actions.actions(connection)
    columns = ["id", "state", "requested_by", "digest", "result"]
    show(as_json, found, records(found, columns, empty="There are no actions."))


@app.command()
def approve(
    action: Annotated[str, typer.Argument(metavar="ACTION_ID")],
    card: CardOption,
    pin_file: PinFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show an action from its signed bytes, and approve it with the card and a fresh one-time code."""
    now = prompts.now()
    with connected("person") as connection:
        opened = actions.action(connection, action)
        read = actions.review(opened, read_card(card).face, now)
        _confirm([*_words(read), ("Digest", opened.digest)], "Approve exactly this?", yes=yes)
        holder = _card(card, pin_file)
        answer = actions.approve(connection, holder, opened, prompts.secret("One-time code"), now)
    rows = [("State", answer.state), ("Approvals", len(answer.approvals)), ("Result", answer.result)]
    show(as_json, answer, pairs(rows))


@app.command("unseal")
def unseal_command(card: CardOption, pin_file: PinFile = None, as_json: Json = False) -> None:
    """Give this card's unseal part to the device, sealed to a key that it endorses."""
    with connected("person") as connection:
        holder = _card(card, pin_file)
        state = unseal.unseal(connection, holder, prompts.secret("One-time code"), prompts.now())
    show(as_json, state, pairs([("State", state.state), ("Parts given", f"{state.progress} of {state.threshold}")]))


def _card(path: Path, pin_file: Path | None) -> OpenCard:
    card = read_card(path)
    return open_card(card, prompts.secret(f"PIN of {card.face.name}", pin_file))


def _words(action: AdminAction) -> list[tuple[str, Any]]:
    """The action in words, with its times readable."""
    return [(name, moment(value) if name in ("Opened", "Expires") else value) for name, value in describe(action)]


def _confirm(rows: list[tuple[str, Any]], question: str, *, yes: bool) -> None:
    aside.print(pairs(rows))
    if not yes and not typer.confirm(question, err=True):
        raise typer.Abort
