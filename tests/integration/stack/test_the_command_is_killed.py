"""kill -9 of the customer's command between what it sent and its answer: the same command settles it, once."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from psycopg import sql

from stack import postgres
from strongroom.protocol.encoding import make_id
from tests.support.command import run, started
from tests.support.stack import Stack

LINES = 20_000
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
BEFORE_AND_AFTER_THE_DEVICE = ["tee_import", "tee_key"]
"""Tables: the portal writes to the one before it asks the device, to the other when it has the receipt."""


@pytest.fixture
def alice(stack: Stack) -> Path:
    return stack.tenant("acme").home.path


@pytest.fixture
def name() -> str:
    return "killed" + make_id("-")[:12]


@pytest.fixture
def folder(tmp_path: Path, name: str) -> Path:
    """A folder with one key file, `NAME.pem`."""
    folder = tmp_path / "keys"
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


@contextmanager
def nobody_writes_to(stack: Stack, table: str) -> Iterator[psycopg.Connection]:
    """Who does waits in the database."""
    with psycopg.connect(postgres.database_url(stack.state, "postgres")) as connection:
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(table)))
        yield connection


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def kill_as_it_waits(stack: Stack, table: str, *command: object) -> None:
    """The command dies when the portal, which has its request, wants to write to `table`; then the portal may."""
    with nobody_writes_to(stack, table) as connection:

        def waits() -> bool:
            row = connection.execute(WAITING, [table]).fetchone()
            assert process.poll() is None, process.communicate()
            return row is not None and bool(row[0])

        process = started(stack.tenant("acme").home.path, *command)
        wait_until(waits)
        kill(process)


def kill(process: Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=30)


def signs_once(alice: Path, folder: Path, name: str) -> None:
    """The key is there, by its receipt, a single time, and is of use."""
    run(alice, "receipt", "verify", alice / "receipts" / f"{name}.jws")
    assert [one["version"] for one in run(alice, "keys", "versions", name)] == [1]
    message, signature = folder.parent / "contract", folder.parent / "signature"
    message.write_text("a contract")
    run(alice, "sign", "--key", name, "--in", message, "--out", signature)


@pytest.mark.parametrize("table", BEFORE_AND_AFTER_THE_DEVICE)
def test_an_import(stack: Stack, alice: Path, folder: Path, name: str, table: str) -> None:
    command = ("import", folder / f"{name}.pem", "--name", name, "--usage", "sign")
    kill_as_it_waits(stack, table, *command)
    assert not (alice / "receipts" / f"{name}.jws").exists()
    # The same again: not settled for a moment; then it had succeeded, and the receipt is fetched and kept.
    wait_until(lambda: said(alice, *command) == "name-taken")
    signs_once(alice, folder, name)


def said(alice: Path, *command: object) -> str:
    out, _ = started(alice, *command, "--json").communicate(timeout=60)
    code = "unavailable" if '"unavailable"' in out else "name-taken" if '"name-taken"' in out else out
    assert code in {"unavailable", "name-taken"}, out
    return code


def imported(alice: Path, *command: object) -> bool:
    out, _ = (process := started(alice, *command, "--json")).communicate(timeout=60)
    return process.returncode == 0 and json.loads(out)["imported"] == 1


@pytest.mark.parametrize("table", BEFORE_AND_AFTER_THE_DEVICE)
def test_a_bulk_import(stack: Stack, alice: Path, folder: Path, name: str, table: str) -> None:
    command = ("import", "--bulk", folder, "--usage", "sign")
    kill_as_it_waits(stack, table, *command)
    assert (folder.parent / "keys.journal.jsonl").read_bytes() == b""
    # Nothing is imported a second time, whether or not the portal has settled it by now.
    wait_until(lambda: imported(alice, *command))
    signs_once(alice, folder, name)
    assert run(alice, *command)["before"] == 1


def test_a_job_that_was_being_handed_in_is_continued(
    stack: Stack, alice: Path, folder: Path, name: str, tmp_path: Path
) -> None:
    secret, lines = secrets.token_bytes(32), [f"line {n}" for n in range(LINES)]
    (tmp_path / "key").write_bytes(secret)
    (tmp_path / "lines").write_text("\n".join(lines) + "\n")
    run(alice, "import", tmp_path / "key", "--name", name, "--type", "HMAC", "--encoding", "raw", "--usage", "hash")
    before = set((alice / "jobs").glob("*"))
    # 1. Killed when some of its chunks are with the portal.
    process = started(alice, "job", "submit", "--key", name, "--operation", "hash", "--in", tmp_path / "lines")
    wait_until(lambda: stored(stack, before, alice) > 2)
    kill(process)
    assert stored(stack, before, alice) < LINES // 500, "it was handed in before it was killed: more lines"
    (job,) = (path.stem for path in set((alice / "jobs").glob("*")) - before)
    # 2. Another file is not what was begun; the same is sent where it was left.
    (tmp_path / "others").write_text("\n".join(reversed(lines)))
    run(alice, "job", "submit", "--continue", job, "--in", tmp_path / "others", refused="conflict")
    run(alice, "job", "submit", "--continue", job, "--in", tmp_path / "lines")
    assert run(alice, "job", "status", job, "--watch")["progress"]["items_done"] == LINES
    run(alice, "job", "fetch", job, "--out", tmp_path / "results")
    results = (tmp_path / "results").read_bytes().splitlines()
    assert results == [base64.b64encode(hmac.digest(secret, one.encode(), "sha256")) for one in lines]


def stored(stack: Stack, before: set[Path], alice: Path) -> int:
    """How many chunks the portal has of the new job."""
    job = next((path.stem for path in set((alice / "jobs").glob("*.json")) - before), "")
    with psycopg.connect(postgres.database_url(stack.state, "postgres")) as connection:
        query = "SELECT count(*) FROM jobs_chunk c JOIN jobs_job j ON j.id = c.job_id WHERE j.job_id = %s"
        row = connection.execute(query, [job]).fetchone()
    return int(row[0]) if row else 0
