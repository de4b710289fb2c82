"""`officer request-action, actions, show, approve, decline, withdraw`: what officers decide together."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, aside, moment, next_step, pairs, records, show
from strongroom.cli.prompts import PinFile, connected
from strongroom.client.connection import Connection
from strongroom.officer import actions
from strongroom.officer.bodies import SHORT, make_body, options_of
from strongroom.officer.cards import OpenCard, open_card, read_card
from strongroom.protocol.action_table import ACTIONS, Body, words
from strongroom.protocol.admin_actions import AdminAction, describe, read_action
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Roster

app = typer.Typer()

CardOption = Annotated[Path, typer.Option("--card", exists=True, dir_okay=False, help="The card file.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]
ActionId = Annotated[str, typer.Argument(metavar="ACTION_ID")]
ACTIONS_HELP = "Actions and their options:\n\n" + "\n\n".join(
    f"{name}  {' '.join(options_of(name))}" for name in ACTIONS if name != "partition.define"
)


@app.command(
    "request-action",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=ACTIONS_HELP,
)
def request_action(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="ACTION|REQUEST_ID")],
    card: CardOption,
    *,
    pin_file: PinFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask the device to open an action, which other officers then approve.

    ACTION is one of those below, with its options. REQUEST_ID is a customer's request: to define that partition.
    """
    with connected("person") as connection:
        body, request = _wanted(connection, what, _given(context.args))
        _confirm(words(body), "Request this?", yes=yes)
        opened = actions.request_action(
            connection, open_at(card, pin_file), body, prompts.now(), partition_request=request
        )
    officer_class = read_action(opened.action).officer_class
    step = f"other {officer_class} officers: strongroom officer approve {opened.id} --card FILE"
    show(as_json, opened, pairs([("Action", opened.id), ("Digest", opened.digest)]), next_step(step))


@app.command("actions")
def actions_list(as_json: Json = False) -> None:
    """Administrative actions, open and past."""
    with connected("person") as connection:
        found = actions.actions(connection)
    rows = [msgspec.structs.asdict(one) | {"action": read_action(one.action).action} for one in found]
    columns = ["id", "action", "state", "requested_by", "digest", "result"]
    show(as_json, found, records(rows, columns, empty="There are no actions."))


@app.command("show")
def action_show(action: ActionId, as_json: Json = False) -> None:
    """Show an action: what it does, in words made here from its signed bytes, against what is in force now."""
    now = prompts.now()
    with connected("person") as connection:
        opened = actions.action(connection, action)
        read, is_open = actions.read(opened), opened.state == "open"
        # What is over is compared with nothing; so it is shown while the device is sealed, too.
        roster = _in_force(connection, read, now) if is_open else None
        rows = _readable(read, roster)
        if roster is not None:
            who = f"{roster.thresholds[read.officer_class]} {read.officer_class} officers other than the requester"
            rows += [*actions.compared(connection, read, roster), ("Needs approval by", who)]
    rows += [("Digest", opened.digest), ("State", opened.state), ("Result", _result(opened))]
    answers = records(opened.approvals, ["officer", "decision", "reason", "given"], empty="Nobody has answered yet.")
    data = {"words": rows, "action": opened}
    show(as_json, data, pairs(rows), answers)


@app.command()
def approve(
    action: ActionId, card: CardOption, pin_file: PinFile = None, yes: Yes = False, as_json: Json = False
) -> None:
    """Show an action from its signed bytes, and approve it with the card and a fresh one-time code."""

    def give(connection: Connection, holder: OpenCard, opened: actions.OpenedAction) -> actions.OpenedAction:
        return actions.approve(connection, holder, opened, prompts.secret("One-time code"), prompts.now())

    _answer(action, card, pin_file, "Approve exactly this?", give, yes=yes, as_json=as_json)


@app.command()
def decline(
    action: ActionId,
    card: CardOption,
    *,
    reason: Annotated[str, typer.Option(help="For the other officers to read.")],
    pin_file: PinFile = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show an action from its signed bytes, and say no to it. An officer answers an action once."""

    def give(connection: Connection, holder: OpenCard, opened: actions.OpenedAction) -> actions.OpenedAction:
        return actions.decline(
            connection, holder, opened, prompts.secret("One-time code"), prompts.now(), reason=reason
        )

    _answer(action, card, pin_file, "Decline this?", give, yes=yes, as_json=as_json)


@app.command()
def withdraw(action: ActionId, card: CardOption, pin_file: PinFile = None, as_json: Json = False) -> None:
    """Take back an action that this card requested: nothing carries it out any more."""
    with connected("person") as connection:
        opened = actions.action(connection, action)
        answer = actions.withdraw(connection, open_at(card, pin_file), opened, prompts.now())
    show(as_json, answer, pairs([("State", answer.state)]))


def open_at(path: Path, pin_file: Path | None) -> OpenCard:
    """The card at `path`, opened with its PIN."""
    card = read_card(path)
    return open_card(card, prompts.secret(f"PIN of {card.face.name}", pin_file))


def _answer(
    action: str,
    card: Path,
    pin_file: Path | None,
    question: str,
    give: Callable[[Connection, OpenCard, actions.OpenedAction], actions.OpenedAction],
    *,
    yes: bool,
    as_json: bool,
) -> None:
    now = prompts.now()
    with connected("person") as connection:
        # 1. What it is, from its bytes, and whether this card may answer it.
        opened = actions.action(connection, action)
        read = actions.review(opened, read_card(card).face, now)
        # 2. Against what is in force, by the device's word.
        roster = actions.in_force(connection, read, now)
        rows = [*_readable(read, roster), *actions.compared(connection, read, roster), ("Digest", opened.digest)]
        _confirm(rows, question, yes=yes)
        # 3. The card signs.
        answer = give(connection, open_at(card, pin_file), opened)
    approvals = [one for one in answer.approvals if one.get("decision", "approve") == "approve"]
    shown = [("State", answer.state), ("Approvals", len(approvals)), ("Result", _result(answer))]
    show(as_json, answer, pairs(shown))


def _in_force(connection: Connection, action: AdminAction, now: int) -> Roster | None:
    """None of an action that officers have changed since: it is over, whatever the portal says yet."""
    try:
        return actions.in_force(connection, action, now)
    except Refused as error:
        if error.code != "action-expired":
            raise
        return None


def _result(action: actions.OpenedAction) -> str:
    """What was made, with the moment that a destruction waits for readable."""
    words, _, last = (action.result or "").rpartition(" ")
    return f"{words} {moment(int(last))}" if words == "waits until" else action.result or ""


def _wanted(connection: Connection, what: str, given: list[tuple[str, str]]) -> tuple[Body, str]:
    """The body of the action that is wanted, and the customer's request that it answers, if any."""
    name = SHORT.get(what, what)
    if name in ACTIONS and name != "partition.define":
        return make_body(name, given, lambda: actions.roster(connection, prompts.now()).thresholds), ""
    if given:
        raise Refused("malformed", f"{given[0][0]}? A customer's request for a partition takes no options")
    if name in ACTIONS:
        raise Refused("malformed", "a partition is defined for a customer's request: strongroom officer requests")
    return actions.define_partition(actions.partition_request(connection, what)), what


def _given(arguments: list[str]) -> list[tuple[str, str]]:
    """Options as they were typed: `--name value` or `--name=value`."""
    given, rest = [], list(arguments)
    while rest:
        option, sign, value = rest.pop(0).partition("=")
        if not option.startswith("--") or not (sign or rest):
            raise Refused("malformed", f"{option}: options are written --name value")
        given.append((option, value if sign else rest.pop(0)))
    return given


def _readable(action: AdminAction, roster: Roster | None) -> list[tuple[str, Any]]:
    """The action in words, with its times readable and its requester's name, where the device vouches for it."""
    rows = [(name, moment(value) if name in ("Opened", "Expires") else value) for name, value in describe(action)]
    if roster is None:
        return rows
    asked = next((one.name for one in roster.officers if one.credential.fingerprint == action.requester), "nobody now")
    return [*rows, ("Requested by", asked)]


def _confirm(rows: list[tuple[str, Any]], question: str, *, yes: bool) -> None:
    aside.print(pairs(rows), soft_wrap=True)
    if not yes and not typer.confirm(question, err=True):
        raise typer.Abort
