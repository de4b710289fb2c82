"""`log`: the partition's log, verified on this machine; `officer log`: the world's, likewise."""

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, pairs, records, short, show
from strongroom.cli.prompts import connected
from strongroom.client import log

app = typer.Typer(no_args_is_help=True, help="The partition's log, verified here.")
world = typer.Typer(no_args_is_help=True, help="The world's log, and the approvals in it, verified here.")


@app.command("verify")
def log_verify(
    export: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="An export of it in JSON lines, to be looked up in it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the whole log against a fresh checkpoint of the device and the one that was kept before.

    The approvals of every officers' action in it are counted again, and who signed each access list is checked.
    """
    verified = _verified()
    exported = verified.check_export(export.read_bytes()) if export else None
    _show_verified(verified, exported=exported, as_json=as_json)


@world.command("verify")
def world_verify(as_json: Json = False) -> None:
    """Verify the world's log, and count the approvals of every action again, over the officers of that time."""
    _show_verified(_verified_world(), as_json=as_json)


@app.command("show")
def log_show(limit: int = 50, as_json: Json = False) -> None:
    """Show the newest entries, verified first."""
    _show_newest(_verified(), limit, as_json=as_json)


@world.command("show")
def world_show(limit: int = 50, as_json: Json = False) -> None:
    """Show the newest entries, verified first."""
    _show_newest(_verified_world(), limit, as_json=as_json)


def _show_verified(verified: log.VerifiedLog, *, exported: log.Exported | None = None, as_json: bool) -> None:
    lanes = [{"lane": lane, "entries": len(entries)} for lane, entries in sorted(verified.lanes.items())]
    events = [
        {"event": event, "result": result, "count": count}
        for (event, result), count in sorted(verified.events().items())
    ]
    actions = [
        {
            "entry": one.entry.n,
            "time": moment(one.entry.time),
            "action": one.action.action,
            "requested_by": one.name_of(one.action.requester),
            "approved_by": [officer.name for officer in one.approvers],
        }
        for one in verified.decided
    ]
    lists = [
        {
            "entry": one.entry.n,
            "time": moment(one.entry.time),
            "version": one.says.version,
            "signed_by": f"{'security key' if one.by_security_key else 'owner'} {one.label or short(one.signer)}",
            "signer": one.signer,
        }
        for one in verified.lists
    ]
    older = verified.extends
    data = {
        "partition": verified.checkpoint.partition,
        "device": verified.checkpoint.device,
        "lanes": lanes,
        "events": events,
        "actions": actions,
        "access_lists": lists,
        "entries": sum(len(one) for one in verified.lanes.values()),
        "extends": older.issued_at if older else None,
        "exported": exported._asdict() if exported else None,
    }
    columns = ["time", "action", "requested_by", "approved_by"]
    show(
        as_json,
        data,
        records(lanes, ["lane", "entries"], empty="The log is empty."),
        records(events, ["event", "result", "count"], empty=""),
        records(actions, columns, empty="No officers' action stands in it."),
        records(lists, ["time", "version", "signed_by"], empty=""),
        pairs([("Continues the checkpoint of", moment(older.issued_at) if older else "none kept before")]),
        "Every entry fits, enough officers had approved each action, and the signature on each access list holds. "
        "The checkpoint is kept for the next time.",
        *(_said_of(exported) if exported else []),
    )


def _said_of(exported: log.Exported) -> list[str]:
    said = [f"The export has {exported.entries:,} entries of it, each as the device wrote it."]
    if exported.others:
        said.append(
            f"{exported.others:,} are of other partitions, of which this says nothing: strongroom partition use ID"
        )
    return said


def _show_newest(verified: log.VerifiedLog, limit: int, *, as_json: bool) -> None:
    entries = verified.newest(limit)
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


def _verified_world() -> log.VerifiedLog:
    with connected("person") as connection:
        return log.verify(connection, prompts.now(), source=log.WORLD)
