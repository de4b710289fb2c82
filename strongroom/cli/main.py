"""The `strongroom` command: its groups put together, and the one place where refusals are shown."""

import sys

import typer

from strongroom.cli import (
    access,
    callbacks,
    ceremony,
    data_keys,
    evidence,
    imports,
    jobs,
    keys,
    log,
    making,
    officer,
    operations,
    output,
    receipts,
    revocation,
    setup,
    trust,
    validators,
)
from strongroom.protocol.errors import Refused

app = typer.Typer(
    name="strongroom",
    help="Use your secret keys at a provider who never has them. STRONGROOM_HOME names the configuration folder.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys.app.registered_commands += making.app.registered_commands
for part in (setup.app, imports.app, operations.app, data_keys.app):
    app.registered_commands += part.registered_commands
    app.registered_groups += part.registered_groups
app.add_typer(trust.app, name="trust")
app.add_typer(keys.app, name="keys")
app.add_typer(receipts.app, name="receipt")
app.add_typer(revocation.app, name="revocation")
app.add_typer(evidence.app, name="evidence")
app.add_typer(validators.app, name="validator")
app.add_typer(access.app, name="access")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(jobs.app, name="job")
app.add_typer(log.app, name="log")
app.add_typer(officer.app, name="officer")
app.add_typer(ceremony.app, name="ceremony")


def main() -> None:
    """Run the command. Exit status: 0 done, 1 refused, 2 wrong usage."""
    as_json = "--json" in sys.argv
    try:
        app()
    except Refused as refusal:
        output.show_refusal(as_json, refusal)
        sys.exit(1)
    except OSError as error:
        output.show_refusal(as_json, Refused("configuration", f"{error.filename or ''} {error.strerror}".strip()))
        sys.exit(1)
