"""`revocation`: the customer's own endpoint, and what it says of keys."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show
from strongroom.cli.prompts import connected
from strongroom.client import drills, receipts
from strongroom.client.home import Home
from strongroom.endpoint import identity, server
from strongroom.endpoint.store import Listed, Said, Statuses
from strongroom.protocol.errors import Refused
from strongroom.protocol.revocation import SAID_BY, receipt_digest

app = typer.Typer(no_args_is_help=True, help="Your own endpoint, which the TEE asks before it goes on using a key.")
Dir = Annotated[Path, typer.Option("--dir", file_okay=False, help="The endpoint's folder.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="Name or key id.")]
Reason = Annotated[str, typer.Option(help="What is answered with it; the provider sees it too.", show_default=False)]
COLUMNS = ["name", "status", "versions", "changed", "reason", "key"]


@app.command("serve")
def revocation_serve(
    folder: Dir,
    port: Annotated[int, typer.Option(min=1, max=65535)],
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="A name or address under which the TEE reaches it, for the certificate.")
    ] = None,
) -> None:
    """Answer the TEE until stopped. At first start, makes cert.pem and token in the folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    new = identity.make(folder, [*(name or []), *([host] if host not in ("0.0.0.0", "::") else [])])  # noqa: S104
    if new:
        show(False, None, next_step(f"strongroom import … --revoke-at https://HOST:{port} --revoke-dir {folder}"))
    server.serve(folder, host, port)


@app.command("add")
def revocation_add(
    what: Annotated[list[str], typer.Argument(metavar="NAME|FILE…", help="Names of kept receipts, or their files.")],
    folder: Dir,
    as_json: Json = False,
) -> None:
    """Put keys on the list as active, once their receipts hold. What is not listed is answered `unknown`."""
    _show(as_json, list_kept(prompts.home(), folder, what))


@app.command("revoke")
def revocation_revoke(key: Key, folder: Dir, reason: Reason = "", as_json: Json = False) -> None:
    """Revoke a key for ever: the TEE destroys it when it asks next. All versions; there is no way back."""
    _change(as_json, folder, key, "revoked", reason)


@app.command("suspend")
def revocation_suspend(key: Key, folder: Dir, reason: Reason = "", as_json: Json = False) -> None:
    """Suspend a key, until it is resumed."""
    _change(as_json, folder, key, "suspended", reason)


@app.command("resume")
def revocation_resume(key: Key, folder: Dir, as_json: Json = False) -> None:
    """Resume a suspended key."""
    _change(as_json, folder, key, "active", "")


@app.command("list")
def revocation_list(folder: Dir, as_json: Json = False) -> None:
    """List the keys and what is answered of them."""
    _show(as_json, _statuses(folder).listed())


@app.command("status")
def revocation_status(key: Key, as_json: Json = False) -> None:
    """How a key stands with those who may revoke it, as the portal passes on the device's word."""
    with connected() as connection:
        _show_standings(as_json, drills.standings(connection, key, prompts.now()))


@app.command("drill")
def revocation_drill(key: Key, as_json: Json = False) -> None:
    """Rehearse: have the TEE ask now, and say how long a revocation would take to bite. Fails without an answer."""
    with connected() as connection:
        found = drills.drill(connection, key, prompts.now())
    if not as_json:
        _show_standings(as_json, found)
    drills.check_answered(found)
    if as_json:
        _show_standings(as_json, found)


def list_kept(home: Home, folder: Path, what: Iterable[str]) -> list[Listed]:
    """Put keys on an endpoint's list, by the names of kept receipts or the files of others, once each receipt holds."""
    found = [
        (receipts.verify_token(home, token, prompts.now()).receipt, receipt_digest(token))
        for one in what
        for token in _tokens(home, one)
    ]
    return _statuses(folder).add(found)


def _tokens(home: Home, what: str) -> list[str]:
    """The receipts of all versions that are kept under a name, or the one in a file."""
    if (path := Path(what)).is_file():
        return [path.read_text().strip()]
    newest = receipts.kept(home, what)
    if not newest:
        raise Refused("not-found", f"no receipt of {what!r} is kept here")
    versions = range(1, receipts.verify_kept(home, what, prompts.now()).receipt.version)
    return [*filter(None, (receipts.kept(home, what, one) for one in versions)), newest]


def _statuses(folder: Path) -> Statuses:
    """The endpoint's statuses. Raises `Refused("configuration")` where there is no such folder."""
    if not folder.is_dir():
        raise Refused("configuration", f"there is no folder {folder}: strongroom revocation serve makes it")
    return Statuses(folder)


def _change(as_json: bool, folder: Path, key: str, status: Said, reason: str) -> None:
    found = _statuses(folder).change(key, status, reason)
    rows = [("Key", f"{found.name} {found.key}".strip()), ("Answered", found.status), ("Since", moment(found.changed))]
    show(as_json, found, pairs(rows), next_step(f"strongroom revocation drill {found.name or found.key}"))


def _show(as_json: bool, found: list[Listed]) -> None:
    rows = [{name: getattr(one, name) for name in COLUMNS} | {"changed": moment(one.changed)} for one in found]
    show(as_json, found, records(rows, COLUMNS, empty="No keys yet: strongroom revocation add NAME"))


def _show_standings(as_json: bool, found: list[drills.Standing]) -> None:
    data = [
        {"status": one.status, "every": one.every or None, "at_most": one.every or None, "undisturbed": one.undisturbed}
        for one in found
    ]
    show(as_json, {"versions": data}, *(pairs(_rows(one)) for one in found))


def _rows(one: drills.Standing) -> list[tuple[str, Any]]:
    status = one.status
    rows: list[tuple[str, Any]] = [("Version", status.version), ("State", status.state)]
    if status.revoked_by:
        rows += [
            ("Revoked", moment(status.revoked_at)),
            ("By", SAID_BY.get(status.revoked_by, status.revoked_by)),
            ("Reason", status.why or "none was given"),
        ]
    if status.state not in drills.WATCHED:
        return rows
    since = "since the device's start"
    answered = f"{status.answer}, {moment(status.answered_at)}" if status.answered_at else f"none {since}"
    number = f"{status.seconds:.2f} s, no. {status.checks} {since}"
    rows += [
        ("Why", status.why),
        ("Valid answer", answered),
        ("Last call", f"{moment(status.last_check)}, {number}" if status.last_check else ""),
        ("It failed", status.failure),
        ("Next call", moment(status.next_check)),
        ("If you revoke", _bite(one)),
    ]
    return [(name, value) for name, value in rows if value]


def _bite(one: drills.Standing) -> str:
    if one.status.state != "good":
        return "nothing changes at first: the key is refused already, and is destroyed when the device has heard it"
    if not one.every:
        return (
            "the last operation is accepted when an answer has run out: the interval is in the terms, sealed elsewhere"
        )
    return (
        f"the last operation is accepted within {one.every} s, whatever anybody blocks or delays; "
        f"with nobody in the way within {one.undisturbed:.1f} s"
    )
