"""What many keys cost the device: signatures beside a million stored keys and beside ten, memory, start and listing.

One key is imported. The others are copies of its records under ids of their own, written while the device is stopped by
the device's own code, which the officers' parts of the unseal secret open to it: so they are sealed, stored and loaded
as any others. The device is a test's, with a test's officers.
"""

import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import msgspec

from bench.hsm_socket import CLIENTS, PAYLOAD, ask, connect
from bench.measure import Figure, Load, compare, cores, in_processes
from bench.rig import Rig
from hsm import records as r
from hsm import splitting
from hsm.keytree import KeyTree, storage_root
from hsm.records import Records
from hsm.shared import Generations
from hsm.store import Store
from strongroom.protocol import commands as c
from strongroom.protocol.mechanisms import KeyType
from tests.support.materials import make_terms, material_of
from tests.support.sealed import Customer, SealedDevice
from tests.support.served import children

FEW, MANY, TOUCHED = 10, 1_000_000, 100_000
WRITTEN_AT_ONCE = 20_000


def rate(_rig: Rig, name: str, runs: int, seconds: float) -> Figure:
    """Signatures with ten keys in turn, in a device that stores so many and in one that stores no others."""
    many = MANY if seconds > 1 else MANY // 10  # --quick
    with ExitStack() as both:
        few, grown = both.enter_context(_customer()), both.enter_context(_customer())
        _grow(few, FEW)
        facts = _facts(grown, many)
        return compare(
            name=name,
            ours=_signing(grown, [_key(one) for one in range(0, many, many // FEW)]),
            yardstick=_signing(few, [_key(one) for one in range(FEW)]),
            runs=runs,
            seconds=seconds,
            note=f"{CLIENTS} clients; ten keys in turn of {many:,}, and of {FEW}. {facts}",
        )


def _facts(customer: Customer, many: int) -> str:
    """Grow the device, and say what that took and what it takes."""
    device = customer.hsm
    begun = time.monotonic()
    start = _grow(customer, many)
    written = time.monotonic() - begun - start
    begun = time.monotonic()
    page = device.line().call(c.ListKeys(partition=customer.partition), c.ListKeysReply)
    listed = time.monotonic() - begun
    size = (device.folder / "store.db").stat().st_size
    idle = _memory(device)
    touched = min(TOUCHED, many)
    begun = time.monotonic()
    _use_once(customer, [_key(one) for one in random.sample(range(many), touched)])
    used = touched / (time.monotonic() - begun)
    return (
        f"Written in {written:.0f} s, {size / 2**20:,.0f} MiB on disk; started and unsealed in {start:.2f} s; first "
        f"page of keys.list ({len(page.keys):,} keys) in {listed:.2f} s; MiB idle: {idle}; "
        f"after {touched:,} keys were used once ({used:,.0f} a second): {_memory(device)}"
    )


@contextmanager
def _customer() -> Iterator[Customer]:
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as folder:
        device = SealedDevice(Path(folder), workers=cores())
        try:
            device.bring_up()
            yield device.customer()
        finally:
            device.kill()


def _key(number: int) -> str:
    return f"key_{number:07}"


def _grow(customer: Customer, many: int) -> float:
    """Give the device so many keys. Returns how many seconds it then took to start and to be unsealed."""
    device = customer.hsm
    imported = customer.import_key(material_of(KeyType.EC_P256), make_terms(KeyType.EC_P256), "first").key_id
    device.stop()
    records = _opened(device)
    folder = f"partitions/{customer.partition}/keys/"
    named, stored = records.need(folder + imported, r.NamedKey), records.need(f"{folder}{imported}/1", r.StoredKey)
    for first in range(0, many, WRITTEN_AT_ONCE):
        with records.transaction() as changes:
            for number in range(first, min(first + WRITTEN_AT_ONCE, many)):
                changes.put(folder + _key(number), named)
                changes.put(f"{folder}{_key(number)}/1", stored)
    begun = time.monotonic()
    device.start()
    device.unseal()
    return time.monotonic() - begun


def _opened(device: SealedDevice) -> Records:
    """The records of a device that is stopped, as unsealing opens them (`hsm.unsealing`)."""
    store, secret = Store(device.folder / "store.db"), (device.folder / "device-secret").read_bytes()
    unsealing = Records(store, KeyTree(secret), Generations()).need("device/unsealing", r.Unsealing)
    parts = {card.fingerprint: card.part for card in device.of("security")[: unsealing.threshold]}
    joined = splitting.join(parts, unsealing.names, unsealing.threshold, unsealing.wraps, device.world)
    world_key = KeyTree(secret, storage_root(joined, secret)).open("world-key", unsealing.world_key)
    return Records(store, KeyTree(secret, world_key), Generations())


def _signing(customer: Customer, keys: list[str]) -> Load:
    """A load of clients that each sign with these keys in turn."""
    requests = _requests(customer, keys)

    def prepare() -> Callable[[], object]:
        connection, turn = connect(str(customer.hsm.socket), "operations"), cycle(requests)
        return lambda: ask(connection, next(turn))

    return in_processes(CLIENTS, prepare)


def _use_once(customer: Customer, keys: list[str]) -> None:
    """Sign once with each, the clients together."""

    def work(requests: list[bytes]) -> None:
        connection = connect(str(customer.hsm.socket), "operations")
        for request in requests:
            ask(connection, request)

    context = multiprocessing.get_context("fork")
    requests = _requests(customer, keys)
    clients = [context.Process(target=work, args=(requests[n::CLIENTS],), daemon=True) for n in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
        if one.exitcode:
            raise RuntimeError("a client failed")


def _requests(customer: Customer, keys: list[str]) -> list[bytes]:
    return [msgspec.msgpack.encode(customer.request(one, "sign", PAYLOAD)) for one in keys]


def _memory(device: SealedDevice) -> str:
    """Resident MiB of each process, pages that they share counted in each."""
    workers = device.status().workers
    others = [one for one in children(device.pid) if one not in workers]
    return ", ".join(
        f"{name} {'+'.join(str(_resident(pid)) for pid in pids)}"
        for name, pids in (("parent", [device.pid]), ("revocator", others), ("workers", workers))
    )


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmRSS")) // 1024
