"""The store changes in whole transactions, and its records open under their own path and key alone."""

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm import records as r
from hsm.keytree import KeyTree, derive, storage_root
from hsm.records import Records
from hsm.shared import Generations
from hsm.store import Store
from tests.support.refusals import refused

PATHS = [
    "device/identity",
    "world/officers",
    "partitions/a",
    "partitions/b",
    "partitions/a/keys/k",
    "partitions/b/keys/k",
]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(Store(tmp_path / "store.db"), KeyTree(b"d" * 32, b"w" * 32), Generations())


@given(st.binary(max_size=100), st.sampled_from(PATHS), st.sampled_from(PATHS))
def test_a_record_opens_under_its_own_path_alone(plain: bytes, path: str, other: str) -> None:
    tree = KeyTree(b"d" * 32, b"w" * 32)
    sealed = tree.seal(path, plain)
    assert tree.open(path, sealed) == plain
    if other != path:
        with refused("internal"):
            tree.open(other, sealed)
    for place in range(len(sealed)):
        with refused("internal"):
            tree.open(path, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])


@pytest.mark.parametrize("path", PATHS)
def test_records_need_the_secrets_that_they_rest_on(path: str) -> None:
    sealed = KeyTree(b"d" * 32, b"w" * 32).seal(path, b"x")
    wrong = KeyTree(b"x" * 32, b"w" * 32) if path.startswith("device/") else KeyTree(b"d" * 32, b"x" * 32)
    with refused("internal"):
        wrong.open(path, sealed)
    if not path.startswith("device/"):
        with refused("hsm-sealed"):
            KeyTree(b"d" * 32).open(path, sealed)


@pytest.mark.parametrize("sealed", [b"", b"x", bytes(12), bytes(27), bytes(28)])
def test_a_truncated_record_does_not_open(sealed: bytes) -> None:
    with refused("internal"):
        KeyTree(b"d" * 32).open("device/identity", sealed)


def test_the_storage_root_takes_both_secrets() -> None:
    unseal, device = os.urandom(32), os.urandom(32)
    roots = {storage_root(unseal, device), storage_root(device, unseal), storage_root(unseal, b"x" * 32)}
    assert len(roots | {storage_root(b"x" * 32, device)}) == 4
    assert derive(unseal, "a", "b") != derive(unseal, "a\x00b"[:1], "c")


def test_a_failure_inside_a_transaction_leaves_nothing_of_it(records: Records) -> None:
    def fail() -> None:
        with records.transaction() as changes:
            changes.put("world/officers", r.Boot(1))
            changes.log("", epoch=1, time=1, event="x:y")
            raise RuntimeError

    before = records.generations.of("world/officers")
    with pytest.raises(RuntimeError):
        fail()
    assert records.get("world/officers", r.Boot) is None
    assert list(records.store.entries_after(0)) == []
    assert records.generations.of("world/officers") == before
    with records.transaction() as changes:
        changes.put("world/officers", r.Boot(2))
    assert records.need("world/officers", r.Boot).epoch == 2
    assert records.generations.of("world/officers") != before


def test_a_store_that_another_process_holds_is_unwritable_and_recovers(records: Records, tmp_path: Path) -> None:
    records.store._db.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with refused("log-unwritable"), records.transaction() as changes:
        changes.put("world/officers", r.Boot(1))
    other.execute("ROLLBACK")
    with records.transaction() as changes:
        changes.put("world/officers", r.Boot(1))
    assert records.need("world/officers", r.Boot).epoch == 1


def test_a_record_of_another_kind_is_not_found(records: Records) -> None:
    with records.transaction() as changes:
        changes.put("partitions/a/log-head", r.Head())
    with refused("not-found"):
        records.need("partitions/a/log-head", r.Partition)


def test_folders_list_what_is_directly_in_them(records: Records) -> None:
    with records.transaction() as changes:
        for path in ("partitions/a/keys/1", "partitions/a/keys/2", "partitions/a/keys/2/x", "partitions/ab/keys/3"):
            changes.put(path, r.Boot(1))
    assert records.store.paths("partitions/a/keys/") == ["partitions/a/keys/1", "partitions/a/keys/2"]


def test_it_is_closed_around_a_fork_and_open_again_after(records: Records) -> None:
    with records.store.closed(), pytest.raises(sqlite3.ProgrammingError):
        records.store.read("x")
    assert records.store.read("x") is None
