"""`officer`: cards, approvals and unsealing. What is signed is read and shown here, not by the portal's pages."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from strongroom.cli import cards, prompts, setup
from strongroom.cli.output import Json, aside, moment, next_step, pairs, records, show
from strongroom.cli.prompts import PinFile, connected
from strongroom.client.connection import Connection
from strongroom.officer import actions, unseal
from strongroom.officer.cards import OpenCard, open_card, read_card
from strongroom.protocol.action_table import Body, RotateProviderKey, RotateVendorKey, words
from strongroom.protocol.admin_actions import AdminAction, describe, read_action
from strongroom.protocol.errors import Refused
from strongroom.protocol.suites import Suite

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
    what: Annotated[str, typer.Argument(metavar="REQUEST_ID|rotate-vendor-key|rotate-provider-key")],
    card: CardOption,
    *,
    suite: Annotated[Suite | None, typer.Option(help="Of the provider key to rotate.")] = None,
    pin_file: PinFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask the device to open an action: define the partition of a customer's request, or rotate a wrapping key."""
    with connected("person") as connection:
        body, request = _wanted(connection, what, suite)
        _confirm(words(body), "Request this?", yes=yes)
        opened = actions.request_action(
            connection, _card(card, pin_file), body, prompts.now(), partition_request=request
        )
    step = f"other officers: strongroom officer approve {opened.id} --card FILE"
    show(as_json, opened, pairs([("Action", opened.id), ("Digest", opened.digest)]), next_step(step))


@app.command("actions")
def actions_list(as_json: Json = False) -> None:
    """Administrative actions, open and past."""
    with connected("person") as connection:
        found = actions.actions(connection)
    rows = [msgspec.structs.asdict(one) | {"action": read_action(one.action).action} for one in found]
    columns = ["id", "action", "state", "requested_by", "digest", "result"]
    show(as_json, found, records(rows, columns, empty="There are no actions."))


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
        _confirm([*_readable(read), ("Digest", opened.digest)], "Approve exactly this?", yes=yes)
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


def _wanted(connection: Connection, what: str, suite: Suite | None) -> tuple[Body, str]:
    """The body of the action that is wanted, and the customer's request that it answers, if any."""
    if (what == "rotate-provider-key") != (suite is not None):
        raise Refused("malformed", "--suite belongs to rotate-provider-key, which needs it")
    if suite is not None:
        return RotateProviderKey(suite=suite), ""
    if what == "rotate-vendor-key":
        return RotateVendorKey(), ""
    return actions.define_partition(actions.partition_request(connection, what)), what


def _card(path: Path, pin_file: Path | None) -> OpenCard:
    card = read_card(path)
    return open_card(card, prompts.secret(f"PIN of {card.face.name}", pin_file))


def _readable(action: AdminAction) -> list[tuple[str, Any]]:
    """The action in words, with its times readable."""
    return [(name, moment(value) if name in ("Opened", "Expires") else value) for name, value in describe(action)]


def _confirm(rows: list[tuple[str, Any]], question: str, *, yes: bool) -> None:
    aside.print(pairs(rows), soft_wrap=True)
    if not yes and not typer.confirm(question, err=True):
        raise typer.Abort
