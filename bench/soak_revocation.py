"""`bin/soak revocation`: from the customer's "revoke" at its endpoint to the last operation that the device accepts.

A real device process, a TLS endpoint, and clients that use the keys all the time. The first key is imported; the others
are copies of its record under other ids, which the device's process is made to write at the start: importing a hundred
thousand would take longer than the measurement. In the intervals nothing is hurried: what is measured is the schedule.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from strongroom.protocol import commands as c
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.revocation import read_request
from tests.support.materials import make_terms
from tests.support.scripted_endpoint import Endpoint, Handler
from tests.support.sealed import Customer, SealedDevice

EVERY = 5
REVOKED = 20
CLIENTS = 2
SEEDED = 2_000
# The device as it is, but that `keys.list` after "seed:KEY:FROM:TO" writes that many copies of a key.
SEEDING = """
import sys, hsm.dispatch, hsm.keys, hsm.__main__
from hsm import records as r
declared = hsm.dispatch.HANDLERS["keys.list"]
def seed(device, command):
    if command.after.startswith("seed:"):
        _, key, begin, end = command.after.split(":")
        folder = f"partitions/{command.partition}/keys/"
        first = folder + key
        stored = device.records.need(first + "/1", r.StoredKey)
        named = device.records.need(first, r.NamedKey)
        with device.records.transaction() as changes:
            for number in range(int(begin), int(end)):
                changes.put(f"{folder}key_{number}", named)
                copied = r.replaced(stored, receipt=f"{stored.receipt}{number}")
                changes.put(f"{folder}key_{number}/1", copied)
        return hsm.keys.commands.ListKeysReply([])
    return declared.run(device, command)
hsm.dispatch.HANDLERS["keys.list"] = hsm.dispatch.Handler(
    declared.command, declared.states, declared.callers, declared.quorum, seed)
sys.argv[1:] = sys.argv[sys.argv.index("hsm") + 1 :]
hsm.__main__.main()
"""


class CountingEndpoint(Endpoint):
    """It keeps the number of requests, and not a hundred thousand checks every few seconds."""

    calls = 0

    def answer(self, handler: Handler, body: bytes) -> None:
        self.calls += 1
        self.behave(handler, read_request(body))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/soak revocation", description=__doc__)
    parser.add_argument("--keys", type=int, nargs="+", default=[1, 1_000, 100_000])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long revocations are spread over")
    arguments = parser.parse_args()
    table = Table("keys", "revoked", "median s", "longest s", "operations/s", "suspended meanwhile", "calls/s")
    for keys in arguments.keys:
        table.add_row(*measure(keys, arguments.seconds))
    Console(width=120).print(table)


def measure(keys: int, seconds: float) -> list[str]:
    """A row: how long revoked keys were still accepted, and what else happened meanwhile."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
        endpoint = CountingEndpoint()
        device = SealedDevice(Path(folder), workers=os.cpu_count() or 1)
        device.python = [sys.executable, "-c", SEEDING]
        try:
            device.bring_up()
            customer = device.customer()
            names = make_keys(customer, endpoint, keys)
            return run(customer, endpoint, names, seconds)
        finally:
            device.kill()
            endpoint.close()


def make_keys(customer: Customer, endpoint: CountingEndpoint, keys: int) -> list[str]:
    """Import one, have the others written, and wait until the device has a good answer on every one of them."""
    terms = make_terms(KeyType.AES_256, revocation=endpoint.terms(every=EVERY))
    names = [customer.import_key(os.urandom(32), terms, "first").key_id]
    if keys > 1:
        for begin in range(0, keys - 1, SEEDED):
            after = f"seed:{names[0]}:{begin}:{min(begin + SEEDED, keys - 1)}"
            customer.hsm.line().call(c.ListKeys(partition=customer.partition, after=after), c.ListKeysReply)
        names += [f"key_{number}" for number in range(keys - 1)]
    for name in random.sample(names, min(keys, 200)) + names[-1:]:
        while customer.operate(name, "hash", b"m").code:
            time.sleep(0.1)
    return names


def run(customer: Customer, endpoint: CountingEndpoint, names: list[str], seconds: float) -> list[str]:
    chosen = random.sample(names, min(len(names), REVOKED))
    others = [one for one in names if one not in chosen] or names
    stop = multiprocessing.Event()
    results: multiprocessing.Queue[tuple[dict[str, float], dict[str, int]]] = multiprocessing.Queue()

    def client(keys: list[str], pick: Callable[[int], str]) -> None:
        customer.operations = customer.hsm.line("operations")
        accepted: dict[str, float] = {}
        codes: dict[str, int] = {}
        number = 0
        while not stop.is_set():
            key, number = pick(number), number + 1
            code = customer.operate(key, "hash", b"m").code
            codes[code] = codes.get(code, 0) + 1
            if not code:
                accepted[key] = time.monotonic()
        results.put((accepted if keys is chosen else {}, codes if keys is others else {}))

    processes = [multiprocessing.Process(target=client, args=(chosen, lambda n: chosen[n % len(chosen)]))]
    picks: Callable[[int], str] = lambda _n: random.choice(others)  # noqa: E731, S311
    processes += [multiprocessing.Process(target=client, args=(others, picks)) for _ in range(CLIENTS)]
    for process in processes:
        process.start()
    begun, calls = time.monotonic(), endpoint.calls
    time.sleep(EVERY)
    revoked_at: dict[str, float] = {}
    for key in chosen:
        time.sleep(random.uniform(0, 2 * seconds / len(chosen)))  # noqa: S311
        revoked_at[key] = time.monotonic()
        endpoint.statuses[key] = ("revoked", "soak")
    time.sleep(2 * EVERY)
    elapsed, calls = time.monotonic() - begun, endpoint.calls - calls
    stop.set()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(10)
    accepted = {key: when for part, _ in found for key, when in part.items()}
    late = [max(0.0, accepted[key] - revoked_at[key]) for key in chosen]
    used = sum(codes.get("", 0) for _, codes in found)
    suspended = sum(codes.get("key-suspended", 0) for _, codes in found)
    return [
        f"{len(names):,}",
        str(len(chosen)),
        f"{statistics.median(late):.2f}",
        f"{max(late):.2f}",
        f"{used / elapsed:.0f}",
        str(suspended),
        f"{calls / elapsed:.1f}",
    ]


if __name__ == "__main__":
    main()
