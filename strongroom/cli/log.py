"""`log`: the partition's log, verified on this machine."""

from typing import Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, pairs, records, short, show
from strongroom.cli.prompts import connected
from strongroom.client import log

app = typer.Typer(no_args_is_help=True, help="The partition's log, verified here.")


@app.command("verify")
def log_verify(as_json: Json = False) -> None:
    """Verify the whole log against a fresh checkpoint of the device and the one that was kept before."""
    verified = _verified()
    lanes = [{"lane": lane, "entries": len(entries)} for lane, entries in sorted(verified.lanes.items())]
    events = [
        {"event": event, "result": result, "count": count}
        for (event, result), count in sorted(verified.events().items())
    ]
    older = verified.extends
    data = {
        "partition": verified.checkpoint.partition,
        "device": verified.checkpoint.device,
        "lanes": lanes,
        "events": events,
        "entries": sum(len(one) for one in verified.lanes.values()),
        "extends": older.issued_at if older else None,
    }
    show(
        as_json,
        data,
        records(lanes, ["lane", "entries"], empty="The log is empty."),
        records(events, ["event", "result", "count"], empty=""),
        pairs([("Continues the checkpoint of", moment(older.issued_at) if older else "none kept before")]),
        "Every entry fits. The checkpoint is kept for the next time.",
    )


@app.command("show")
def log_show(limit: int = 50, as_json: Json = False) -> None:
    """Show the newest entries, verified first."""
    entries = _verified().newest(limit)
    rows: list[dict[str, Any]] = [
        {
            "time": moment(one.time),
            "lane": f"{one.lane} {one.n}",
            "event": one.event,
            "result": one.result,
            "principal": short(one.principal),
            "key": short(one.key),
        }
        for one in entries
    ]
    columns = ["time", "lane", "event", "result", "principal", "key"]
    show(as_json, entries, records(rows, columns, empty="The log is empty."))


def _verified() -> log.VerifiedLog:
    with connected() as connection:
        return log.verify(connection, prompts.now())
