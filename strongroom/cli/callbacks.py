"""`callbacks`: addresses that are told of asynchronous operations and jobs, and what became of each message."""

from typing import Annotated

import typer

from strongroom.cli.output import Json, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import callbacks

app = typer.Typer(no_args_is_help=True, help="Be told of what is done, by signed messages (Standard Webhooks).")
Callback = Annotated[str, typer.Argument(help="The callback's id.")]
_COLUMNS = ["id", "url", "every", "created"]
_DELIVERY = ["id", "event", "subject", "status", "attempts", "status_code", "error", "next_try"]


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="https://…")],
    every: Annotated[bool, typer.Option("--every", help="Also of what does not name this callback.")] = False,
    as_json: Json = False,
) -> None:
    """Register an address. Its secret, by which messages are verified, is shown this once."""
    with connected("person") as connection:
        _show_secret(as_json, callbacks.create(connection, url, every=every))


@app.command("list")
def list_callbacks(as_json: Json = False) -> None:
    """List the callbacks."""
    with connected() as connection:
        found = callbacks.callbacks(connection)
    show(as_json, found, records(found, _COLUMNS, empty="There are none: strongroom callbacks add URL"))


@app.command()
def rotate(callback: Callback, as_json: Json = False) -> None:
    """Make a new secret, shown this once. For 24 hours both secrets sign."""
    with connected("person") as connection:
        _show_secret(as_json, callbacks.rotate(connection, callback))


@app.command()
def remove(callback: Callback, as_json: Json = False) -> None:
    """Remove a callback; what was not delivered yet is given up."""
    with connected("person") as connection:
        callbacks.remove(connection, callback)
    show(as_json, {"removed": callback}, "Removed.")


@app.command()
def ping(callback: Callback, as_json: Json = False) -> None:
    """Send a test message."""
    with connected("person") as connection:
        sent = callbacks.ping(connection, callback)
    show(as_json, sent, pairs((name, sent.get(name)) for name in _DELIVERY))


@app.command()
def deliveries(callback: Callback, as_json: Json = False) -> None:
    """List the last messages, newest first."""
    with connected() as connection:
        found = callbacks.deliveries(connection, callback)
    show(as_json, found, records(found, _DELIVERY, empty="Nothing was sent yet."))


@app.command()
def redeliver(
    callback: Callback, delivery: Annotated[str, typer.Argument(help="The message's id.")], as_json: Json = False
) -> None:
    """Send a message again, with as many attempts as a new one."""
    with connected("person") as connection:
        sent = callbacks.redeliver(connection, callback, delivery)
    show(as_json, sent, pairs((name, sent.get(name)) for name in _DELIVERY))


def _show_secret(as_json: bool, made: callbacks.NewCallback) -> None:
    rows = [("Callback", made.id), ("Address", made.url), ("Secret", made.secret)]
    show(as_json, made, pairs(rows), next_step(f"keep the secret; strongroom callbacks ping {made.id}"))
