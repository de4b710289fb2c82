"""`import --bulk`: many keys, with a bar for people and every result for programs."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from strongroom.cli import prompts, revocation
from strongroom.cli.output import aside, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import bulk
from strongroom.client.manifest import Item, KeySettings, read_items
from strongroom.client.routes import Route

SHOWN = 20


def run(as_json: bool, source: Path, common: KeySettings, route: Route, passphrase_file: Path | None) -> bool:
    """Import everything in `source`; whether all of it is in the partition now."""
    passphrase = prompts.secret("Passphrase", passphrase_file).encode() if passphrase_file else None
    journal = bulk.Journal(source.parent / f"{source.name}.journal.jsonl")
    items = read_items(source, common)
    earlier = sum(one.name in journal.done and journal.done[one.name].status == "imported" for one in items)
    results: list[bulk.Result] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with connected() as connection, Progress(*columns, console=aside, disable=as_json) as progress:
        task = progress.add_task("Importing", total=len(items), completed=earlier, rate="")
        running = bulk.run(connection, items, route, journal, passphrase=passphrase)
        try:
            # Closed before anything is counted: what is on its way is then on record.
            with closing(running):
                for result in running:
                    results.append(result)
                    speed = progress.tasks[0].speed
                    progress.update(task, advance=1, rate=f"{speed:.0f}/s" if speed else "")
        except KeyboardInterrupt:
            progress.stop()
            aside.print(_stopped(items, bulk.Journal(journal.path)), soft_wrap=True)
            raise typer.Exit(130) from None
    done = {name for name, one in bulk.Journal(journal.path).done.items() if one.status == "imported"}
    for folder in {one.settings.revoke_dir for one in items} - {""}:
        names = [one.name for one in items if one.settings.revoke_dir == folder and one.name in done]
        revocation.list_kept(prompts.home(), Path(folder), names)
    _show(as_json, results, earlier, journal.path)
    return all(one.status == "imported" for one in results)


def _stopped(items: list[Item], journal: bulk.Journal) -> str:
    done = Counter(journal.done[one.name].status for one in items if one.name in journal.done)
    counts = f"{done['imported']} of {len(items)} keys are imported, {done['refused']} were refused"
    return f"Stopped: {counts}; the same command goes on from here."


def _show(as_json: bool, results: list[bulk.Result], earlier: int, journal: Path) -> None:
    counts = Counter(one.status for one in results)
    refused = [one for one in results if one.status == "refused"]
    rows = [
        ("Imported", counts["imported"]),
        ("Imported before", earlier),
        ("Refused", counts["refused"]),
        ("Journal", journal),
    ]
    data = {
        "imported": counts["imported"],
        "before": earlier,
        "refused": counts["refused"],
        "journal": str(journal),
        "results": results,
    }
    table = records(refused[:SHOWN], ["name", "code", "detail"], empty="Nothing was refused.")
    step = "mend what was refused and run the same command again" if refused else "strongroom keys"
    show(as_json, data, pairs(rows), table, next_step(step))
