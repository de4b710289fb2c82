"""A job of 20,000 lines goes on while processes are killed: no line is skipped, repeated, or anywhere in clear."""

import base64
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis

from stack import postgres
from stack.search import Place, files, output, search, traces
from strongroom.client import callbacks
from tests.support.command import run
from tests.support.listener import listening
from tests.support.stack import Stack, running_stack

pytestmark = pytest.mark.timeout(600)
"""As long as what is waited for below may take together: on a busy machine the stack alone needs a minute to start."""
LINES = 20_000
SECRET = secrets.token_hex(24)
"""In each line, so that the whole of it is one known plaintext."""


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack of these tests' own, beside the one that the others share."""
    with running_stack() as running:
        yield running


@pytest.fixture(scope="module")
def folder(own: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of Alice's, and her key in signed mode."""
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "key").write_bytes(secrets.token_bytes(32))
    (folder / "lines").write_text("".join(f"{SECRET} {n}\n" for n in range(LINES)))
    home = own.tenant("acme").home.path
    how = ("--type", "AES-256", "--encoding", "raw", "--usage", "encrypt", "--usage", "decrypt")
    run(home, "import", folder / "key", "--name", "survivor", *how)
    return folder


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, "not within 90 s"
        time.sleep(0.05)


def test_what_is_killed_midway_neither_skips_nor_repeats_a_line(own: Stack, folder: Path) -> None:
    home = own.tenant("acme").home.path

    def done(job: str) -> int:
        return int(run(home, "job", "status", job)["progress"]["done"])

    with listening() as listener, own.tenant("acme").connect("person") as connection:
        callback = callbacks.create(connection, listener.url).id
        job = run(home, "job", "submit", "--key", "survivor", "--operation", "encrypt", "--in", folder / "lines",
                  "--callback", callback)["id"]  # fmt: skip
        # The worker dies as soon as something is done, then the device, then the broker with all that it knew.
        wait_until(lambda: done(job) > 0)
        for name in ("bulk-worker", "hsm", "valkey"):
            before = own.run.processes[name]
            os.kill(before.pid, signal.SIGKILL)
            wait_until(lambda n=name, b=before: own.run.processes.get(n) not in (b, None))  # type: ignore[misc]
        state = run(home, "job", "status", job, "--watch")
        assert (state["status"], state["progress"]["items_done"], state["error"]) == ("done", LINES, None)
        (message,) = listener.wait(1, 60)
    told = json.loads(message.body)
    assert (told["type"], told["data"]["id"], told["data"]["status"]) == ("job.completed", job, "done")
    # The results, decrypted by a second job, are the lines in their order.
    run(home, "job", "fetch", job, "--out", folder / "encrypted")
    back = run(home, "job", "submit", "--key", "survivor", "--operation", "decrypt", "--format", "base64-lines",
               "--in", folder / "encrypted")["id"]  # fmt: skip
    assert run(home, "job", "status", back, "--watch")["status"] == "done"
    run(home, "job", "fetch", back, "--out", folder / "again", "--format", "lines")
    assert (folder / "again").read_bytes() == (folder / "lines").read_bytes()


def test_neither_database_nor_broker_nor_logs_hold_a_line_or_a_result(own: Stack, folder: Path) -> None:
    """After the jobs of the test before, and an operation that came in clear: dumps of everything that rests."""
    home = own.tenant("acme").home
    how = ("--type", "AES-256", "--encoding", "raw", "--usage", "encrypt", "--mode", "token")
    run(home.path, "import", folder / "key", "--name", "survivor-token", *how)
    with httpx.Client(base_url=own.url, headers={"Authorization": f"Bearer {home.token()}"}) as curl:
        body = {"payload": base64.b64encode(f"{SECRET} in clear".encode()).decode()}
        where = curl.post("/api/v1/keys/survivor-token/encrypt?async=1", json=body).headers["location"]
        wait_until(lambda: curl.get(where).json()["status"] == "done")
        result = base64.b64decode(curl.get(where).json()["answer"]["result"])
    of_job = base64.b64decode((folder / "encrypted").read_bytes().splitlines()[7])
    wanted = traces("line", SECRET.encode()) + traces("result", result) + traces("result of a job", of_job)
    logged = own.state.root / "logs" / "of-this-test.log"
    for planted in (False, True):
        if planted:
            logged.write_text(f"the search finds what is there: {SECRET}")
        found = {one.name: one for one in search(list(_places(own)), wanted)}
        expected = {"logs": {"line"} if planted else set(), "database": set(), "broker": set(), "dump": set()}
        assert {name: one.found for name, one in found.items()} == expected
        assert all(one.size and not one.refused for one in found.values())


def _places(own: Stack) -> Iterator[Place]:
    yield from files("logs", own.state.root / "logs")
    yield from files("database", own.state.root / "postgres")
    yield output("dump", [str(postgres.BINARIES / "pg_dump"), "--dbname", postgres.database_url(own.state, "postgres")])
    yield Place("broker", lambda: _values(f"unix://{own.state.valkey_socket}"))


def _values(url: str) -> Iterator[bytes]:
    client = redis.Redis.from_url(url)
    for key in client.scan_iter(count=1000):
        yield key
        yield client.dump(key) or b""
