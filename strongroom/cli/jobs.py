"""`job`: a file of many lines to encrypt, decrypt, translate, sign, verify or hash in the background."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, aside, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import job_results, jobs
from strongroom.client.job_files import FORMS, Form, result_line
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer(no_args_is_help=True, help="Bulk jobs: a file in, a file out, sealed on the way.")
Job = Annotated[str, typer.Argument(help="The job's id.")]
_FORMAT = f"One of: {', '.join(FORMS)}. jsonl: {{payload, signature, aad}} in base64 on each line."
_USAGES = [Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE, Usage.SIGN, Usage.VERIFY, Usage.HASH]
_OVER = {"done", "failed", "cancelled"}


@app.command()
def submit(
    *,
    source: Annotated[Path, typer.Option("--in", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option(help="Name or id of the key.")] = "",
    operation: Annotated[Usage | None, typer.Option(help=f"One of: {' '.join(_USAGES)}.")] = None,
    form: Annotated[Form, typer.Option("--format", help=_FORMAT)] = "lines",
    aad: Annotated[Path | None, typer.Option(exists=True, help="Additional authenticated data of all items.")] = None,
    to: Annotated[str, typer.Option(help="translate: name or id of the key to encrypt to.")] = "",
    version: Annotated[int, typer.Option(min=0, help="Which version of the key; else the newest known here.")] = 0,
    mechanism: Annotated[Mechanism | None, typer.Option(help="Else the key type's usual one.")] = None,
    token_mode: Annotated[
        bool, typer.Option("--token-mode", help="Let the API token alone authorise it, where the key's terms permit.")
    ] = False,
    callback: Annotated[str, typer.Option(help="Id of a callback that is told when it has ended.")] = "",
    resume: Annotated[str, typer.Option("--continue", help="Id of a job whose submission was interrupted.")] = "",
    as_json: Json = False,
) -> None:
    """Seal each line to the device, hand all of it in, and start."""
    with connected() as connection:
        if resume:
            job = jobs.send(connection, jobs.kept(connection.home, resume), source, now=prompts.now(), told=_progress)
        elif not key or operation not in _USAGES:
            raise Refused("configuration", f"--key and --operation are needed: one of {' '.join(_USAGES)}")
        else:
            parameters = Parameters(aad=b64u(aad.read_bytes()) if aad else "", target=to)
            job = jobs.submit(
                connection, operation, key, source, form, now=prompts.now(), told=_progress, version=version,
                mechanism=mechanism or "", parameters=parameters, token_mode=token_mode, callback=callback,
            )  # fmt: skip
        _show(as_json, jobs.status(connection, job))
    if not as_json:
        show(False, None, next_step(f"strongroom job status {job} --watch, then job fetch {job} --out FILE"))


@app.command()
def status(
    job: Job,
    watch: Annotated[bool, typer.Option("--watch", help="Until it has ended; exit status 1 where it failed.")] = False,
    as_json: Json = False,
) -> None:
    """Show a job and its progress."""
    with connected() as connection:
        state = jobs.status(connection, job)
        while watch and state["status"] not in _OVER:
            _progress(state["progress"]["done"], state["chunks"], state["status"])
            time.sleep(1)
            state = jobs.status(connection, job)
    _show(as_json, state)
    if watch and state["status"] != "done":
        raise typer.Exit(1)


@app.command("list")
def list_jobs(as_json: Json = False) -> None:
    """List the last jobs, newest first."""
    with connected() as connection:
        found = jobs.jobs(connection)
    columns = ["id", "status", "operation", "items", "created", "finished"]
    show(as_json, found, records(found, columns, empty="There are none: strongroom job submit"))


@app.command()
def fetch(
    job: Job,
    target: Annotated[Path, typer.Option("--out", dir_okay=False)],
    form: Annotated[
        Form | None, typer.Option("--format", help="Else jsonl where the job was jsonl, base64-lines where not.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the results, a line for each line, readable by you alone. Exit status 1 where an item failed."""
    counts = {"items": 0, "failed": 0, "invalid": 0}
    with connected() as connection:
        kept = jobs.kept(connection.home, job)
        chosen: Form = form or ("jsonl" if kept.form == "jsonl" else "base64-lines")
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                for outcome in job_results.results(connection, kept, now=prompts.now(), told=_progress):
                    counts["items"] += 1
                    counts["failed"] += outcome.error is not None
                    counts["invalid"] += outcome.valid is False
                    file.write(result_line(outcome, chosen, counts["items"]))
            except BaseException:
                part.unlink()
                raise
        part.replace(target)
    data: dict[str, Any] = {**counts, "format": chosen, "out": str(target)}
    show(as_json, data, pairs((name.capitalize(), value) for name, value in data.items()))
    if counts["failed"] or counts["invalid"]:
        raise typer.Exit(1)


@app.command()
def cancel(job: Job, as_json: Json = False) -> None:
    """End a job that is not over; what the portal has of it is deleted."""
    with connected() as connection:
        _show(as_json, jobs.cancel(connection, job))


@app.command()
def delete(job: Job, as_json: Json = False) -> None:
    """Delete what the portal has of a job, results too, and what opens them here."""
    with connected() as connection:
        jobs.delete(connection, job)
    show(as_json, {"id": job, "deleted": True}, f"What there was of {job} is deleted.")


def _show(as_json: bool, state: dict[str, Any]) -> None:
    progress, error = state["progress"], state["error"] or {}
    rows = [
        ("Job", state["id"]),
        ("Status", state["status"]),
        ("Key", state["key_id"]),
        ("Operation", f"{state['operation']} by {state['mechanism']}"),
        ("Items", f"{progress['items_done']} of {state['items']} done"),
        ("Chunks", f"{progress['stored']} of {state['chunks']} here, {progress['done']} done"),
        ("Reason", f"{error['code']} {error['detail']}" if error else ""),
        ("Results", f"deleted {state['forgotten']}" if state["forgotten"] else ""),
    ]
    show(as_json, state, pairs((name, value) for name, value in rows if value))


def _progress(done: int, of: int, what: str = "") -> None:
    """A line that is written over, for whoever looks."""
    if sys.stderr.isatty():
        aside.print(f"{done} of {of} chunks {what}".ljust(50), end="\r" if done < of else "\n")
