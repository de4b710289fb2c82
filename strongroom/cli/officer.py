"""`officer`: cards, approvals and unsealing. What is signed is read and shown here, not by the portal's pages."""

import typer

from strongroom.cli import actions as action_commands
from strongroom.cli import cards, log, prompts, setup
from strongroom.cli.actions import CardOption, open_at
from strongroom.cli.output import Json, pairs, records, show
from strongroom.cli.prompts import PinFile, connected
from strongroom.officer import actions, unseal

app = typer.Typer(no_args_is_help=True, help="What officers of the provider do.")
app.add_typer(cards.app, name="card")
app.add_typer(log.world, name="log")
app.command("ceremony-file")(cards.ceremony_file)
app.command("login")(setup.login)
app.registered_commands += action_commands.app.registered_commands


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


@app.command("unseal")
def unseal_command(card: CardOption, pin_file: PinFile = None, as_json: Json = False) -> None:
    """Give this card's unseal part to the device, sealed to a key that it endorses."""
    with connected("person") as connection:
        holder = open_at(card, pin_file)
        state = unseal.unseal(connection, holder, prompts.secret("One-time code"), prompts.now())
    _show_progress(state, as_json=as_json)


@app.command("unseal-status")
def unseal_status(as_json: Json = False) -> None:
    """Show whose parts the device has, how many it needs, and how long it takes none after a wrong one."""
    with connected("person") as connection:
        _show_progress(unseal.progress(connection), as_json=as_json)


def _show_progress(state: unseal.UnsealProgress, *, as_json: bool) -> None:
    rows: list[tuple[str, object]] = [("State", state.state)]
    if state.state == "sealed":
        rows += [("Parts given", f"{state.progress} of {state.threshold}"), ("By", state.given)]
        rows += [("Takes none for", f"{state.wait_seconds} s, after a wrong part")] if state.wait_seconds else []
    show(as_json, state, pairs(rows))
