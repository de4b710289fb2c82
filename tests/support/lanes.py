"""A device's lanes in tests: work that fills them, and their files."""

import os
from pathlib import Path

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import keys_of
from tests.support.materials import make_terms
from tests.support.sealed import Customer, SealedDevice


def key_of(customer: Customer) -> str:
    """The customer's one key, imported where there is none yet."""
    kept = keys_of(customer)
    if kept:
        return customer.receipt(kept[0]).key_id
    return customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id


def work(customer: Customer, times: int) -> None:
    operations, key = customer.hsm.line("operations"), key_of(customer)
    for _ in range(times):
        assert operations.operate(customer.request(key, "hash", b"m")).code == ""


def lane_file(device: SealedDevice, lane: str = "w0") -> Path:
    return sorted((device.folder / "lanes").glob(f"{lane}-*.log"))[-1]


def frames(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        size = 20 + int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found
