"""Where is my key? Every place of the provider is searched for it, and for a canary that shows the search to work."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import redis
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.table import Table

from stack import postgres
from stack.customers import log_in
from stack.layout import StackError, State
from stack.narration import console, done, say
from stack.people import read_people
from stack.run import Run
from stack.search import Place, Searched, Trace, descendants, files, memory, output, search, traces
from strongroom.client import account
from strongroom.client.connection import connect
from strongroom.client.home import Home

CANARY = "canary"
_FILES = {
    "postgres": "database files",
    "logs": "logs",
    "hsm": "the HSM's sealed state",
    "manufacturer": "the manufacturer's store",
    "validator": "the validator's store",
}


def key_traces(key_files: list[Path]) -> list[Trace]:
    """The forms of every secret number in these key files: d, p and q of RSA, d of EC, the bytes of AES."""
    found = []
    for path in key_files:
        data = path.read_bytes()
        if b"PRIVATE KEY" not in data:
            found += traces(f"{path.stem}", data)
            continue
        key = load_pem_private_key(data, None)
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            secret = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            secret = {"d": key.private_numbers().private_value}
        else:
            raise StackError(f"{path} holds a kind of key that the search does not know")
        for name, number in secret.items():
            found += traces(f"{path.stem} {name}", number.to_bytes((number.bit_length() + 7) // 8, "big"))
    return found


def show_whereabouts(state: State, run: Run, home: Home, key_files: list[Path]) -> None:
    """Search, print what was searched and how much. Raises `StackError` where a key is found, or the canary is not."""
    canary, cache_url = secrets.token_bytes(32), os.environ.get("CACHE_URL") or f"unix://{state.valkey_socket}"
    client = _plant(state, run, home, cache_url, canary)
    # 1. Every place that the provider has.
    try:
        found = search(list(_places(state, run, cache_url)), key_traces(key_files) + traces(CANARY, canary))
    finally:
        _remove(state, home, cache_url, client)
    # 2. What was searched, and what was there.
    table = Table("place", "parts", "searched", "keys", "canary", box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:3]:
        column.justify = "right"
    for one in found:
        keys = ", ".join(sorted(one.found - {CANARY})) or ("nowhere" if one.places else "not read")
        parts = f"{one.places}" + (f", {one.refused} refused" if one.refused else "")
        table.add_row(one.name, parts, _size(one.size), keys, "found" if CANARY in one.found else "")
    console.print(table)
    say(f"{_size(sum(one.size for one in found))} in all, in every byte order, hexadecimal and base64")
    say("not searched: the memory of the HSM, where the keys are meant to be (of this emulator root can read it)")
    # 3. The verdict.
    _judge(found)


def _judge(found: list[Searched]) -> None:
    for one in found:
        if one.found - {CANARY}:
            raise StackError(f"Key bytes were found: {one.name}")
    planted = {"database dump", "logs", "cache and broker values", "memory: web"}
    missed = {one.name for one in found if one.name in planted and one.places and CANARY not in one.found}
    if missed:
        raise StackError(f"The search is of no use: it did not find the canary in {', '.join(sorted(missed))}")
    with_canary = [one.name for one in found if CANARY in one.found]
    done(f"the keys are nowhere at the provider; the same search did find the canary, in: {', '.join(with_canary)}")


def _plant(state: State, run: Run, home: Home, cache_url: str, canary: bytes) -> str:
    """Leave the canary where key bytes might lie: in a field of the API, in web requests, in a log, in the cache."""
    log_in(state, read_people(state).admins[home.config().tenant], home)
    with connect(home, "person") as connection:
        client: str = account.create_client(connection, f"canary {canary.hex()}")["id"]
    for _ in range(8):
        httpx.get(f"{run.url}/canary/{canary.hex()}")
    state.log("canary").write_text(f"a careless line of a log: {canary.hex()}\n")
    redis.Redis.from_url(cache_url).set("canary", canary)
    return client


def _remove(state: State, home: Home, cache_url: str, client: str) -> None:
    with connect(home, "person") as connection:
        connection.portal.delete(f"clients/{client}")
    state.log("canary").unlink()
    redis.Redis.from_url(cache_url).delete("canary")


def _places(state: State, run: Run, cache_url: str) -> Iterator[Place]:
    # 1. The database, whole; and the broker and cache.
    superuser = postgres.database_url(state, "postgres")
    dumped = run.database_url if "DATABASE_URL" in os.environ else superuser
    yield output("database dump", [str(postgres.BINARIES / "pg_dump"), "--dbname", dumped])
    yield Place("cache and broker values", lambda: _values(cache_url))
    # 2. All files, but the customers': they have their keys, of course.
    for folder in sorted(path for path in state.root.iterdir() if path.is_dir() and path.name != "customers"):
        yield from files(_FILES.get(folder.name, "other files of the provider"), folder)
    # 3. The memory of all processes but the HSM's; shared memory once.
    seen: set[tuple[str, str]] = set()
    yield memory("memory: supervisor", run.supervisor.pid, seen)
    for name, identity in run.processes.items():
        if name != "hsm":
            for pid in [identity.pid, *descendants(identity.pid)]:
                yield memory(f"memory: {name}", pid, seen)


def _values(cache_url: str) -> Iterator[bytes]:
    client = redis.Redis.from_url(cache_url)
    for key in client.scan_iter(count=1000):
        yield key
        yield client.dump(key) or b""


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB"
