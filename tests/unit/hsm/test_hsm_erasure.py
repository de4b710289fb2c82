"""What was taken away is in no file of the store afterwards, even where the process was killed before it tidied up."""

import shutil
from pathlib import Path

import pytest

from hsm import records as r
from hsm.device import open_device
from hsm.keytree import KeyTree
from hsm.records import Records
from hsm.shared import Generations
from hsm.store import Store

PATH = "partitions/pt_1/keys/key_1/1"
KEY = r.StoredKey("receipt", "n", 1, b"terms", bytes(range(64)))


@pytest.fixture
def records(tmp_path: Path) -> Records:
    (tmp_path / "hsm").mkdir()
    made = Records(Store(tmp_path / "hsm/store.db"), KeyTree(bytes(32), bytes(32)), Generations())
    with made.transaction() as changes:
        changes.put(PATH, KEY)
    return made


def files_with(folder: Path, sealed: bytes) -> list[str]:
    return sorted(path.name for path in folder.glob("store.db*") if sealed[12:44] in path.read_bytes())


@pytest.mark.parametrize("how", ["replaced", "deleted"])
def test_a_record_that_was_taken_away_is_in_no_file(records: Records, tmp_path: Path, how: str) -> None:
    sealed = records.store.read(PATH) or b""
    assert files_with(tmp_path / "hsm", sealed)
    with records.transaction() as changes:
        if how == "replaced":
            changes.put(PATH, r.replaced(KEY, material=b"", destroyed=True))
            changes.erases = True
        else:
            changes.delete(PATH)
    assert files_with(tmp_path / "hsm", sealed) == []


def test_a_kill_before_the_journal_was_emptied_is_made_good_at_the_next_start(records: Records, tmp_path: Path) -> None:
    sealed = records.store.read(PATH) or b""
    with records.transaction() as changes:  # as far as a killed process came: committed, and no further
        changes.put(PATH, r.replaced(KEY, material=b"", destroyed=True))
    shutil.copytree(tmp_path / "hsm", tmp_path / "killed")
    assert files_with(tmp_path / "killed", sealed) == ["store.db-wal"]
    device = open_device(tmp_path / "killed")
    assert files_with(tmp_path / "killed", sealed) == []
    tree = KeyTree(bytes(32), bytes(32))
    assert Records(device.records.store, tree, Generations()).need(PATH, r.StoredKey).destroyed
