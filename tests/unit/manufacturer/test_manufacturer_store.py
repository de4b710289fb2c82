"""The store: made once, completed after a kill, closed to others."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from manufacturer import hierarchy
from manufacturer.store import Store
from strongroom.protocol.certificates import profile_of, verify_certificate
from strongroom.protocol.errors import Refused


def files(store: Store) -> dict[str, bytes]:
    return {str(one.relative_to(store.folder)): one.read_bytes() for one in store.folder.rglob("*.pem")}


def test_each_mode_has_a_root_and_a_statement_key_under_it(store: Store, now: int) -> None:
    bundle = x509.load_pem_x509_certificates((store.public / "root.pem").read_bytes())
    assert [profile_of(one).mode for one in bundle] == ["production", "development"]
    for mode, made in hierarchy.load(store).items():
        assert verify_certificate(made.statement.certificate, bundle, "statement", now).mode == mode


def test_a_root_of_one_mode_does_not_vouch_for_the_other(store: Store, now: int) -> None:
    made = hierarchy.load(store)
    with pytest.raises(Refused) as refused:
        verify_certificate(
            made["development"].statement.certificate, [made["production"].root.certificate], "statement", now
        )
    assert refused.value.code == "certificate-invalid"


def test_the_development_root_says_so_in_its_name(store: Store) -> None:
    assert "DEVELOPMENT ONLY" in hierarchy.load(store)["development"].root.certificate.subject.rfc4514_string()


def test_nobody_else_can_read_it(store: Store) -> None:
    for one in [store.folder, *store.folder.rglob("*")]:
        assert one.stat().st_mode & 0o777 == (0o700 if one.is_dir() else 0o600), one


def test_a_second_init_changes_nothing(store: Store, now: int) -> None:
    before = files(store)
    hierarchy.create(store=store, now=now + 1000)
    assert files(store) == before


def test_a_tls_certificate_that_has_run_out_is_replaced_and_no_other(store: Store, now: int) -> None:
    before = files(store)
    hierarchy.create(store=store, now=now + 366 * 86400)
    changed = {name for name, data in files(store).items() if data != before[name]}
    assert changed == {"keys/tls.pem", "public/tls.pem"}


KILLED_AT_WRITE = """
import os, signal, sys
from pathlib import Path
from manufacturer.__main__ import main

replace, left = Path.replace, [int(sys.argv.pop(1))]

def replace_or_die(self, target):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = replace_or_die
sys.exit(main())
"""


@pytest.mark.parametrize("write", range(1, 8))
def test_init_killed_at_any_of_its_writes_is_completed_by_the_next(tmp_path: Path, now: int, write: int) -> None:
    store = Store(tmp_path / "store")
    command = [sys.executable, "-c", KILLED_AT_WRITE, str(write), "init", "--store", str(store.folder)]
    killed = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    kept = files(store)
    assert len(kept) == write - 1
    hierarchy.create(store=store, now=now)
    whole = files(store)
    assert len(whole) == 7
    assert {name: whole[name] for name in kept} == kept
    assert not list(store.folder.rglob("*.unfinished"))


def test_each_file_that_a_kill_left_out_is_made_again(store: Store, now: int) -> None:
    before = files(store)
    for name in ("keys/development-statement.pem", "public/root.pem", "public/tls.pem"):
        (store.folder / name).unlink()
    (store.keys / ".development-statement.pem.unfinished").write_bytes(b"half a k")
    hierarchy.create(store=store, now=now)
    after = files(store)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"keys/development-statement.pem"}
    assert not (store.keys / ".development-statement.pem.unfinished").exists()


def test_production_makes_and_trusts_no_development_hierarchy(
    tmp_path: Path, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRONGROOM_ENV", "production")
    store = Store(tmp_path / "store")
    hierarchy.create(store=store, now=now)
    assert list(hierarchy.load(store)) == ["production"]
    assert not list(store.folder.rglob("development*"))
    bundle = x509.load_pem_x509_certificates((store.public / "root.pem").read_bytes())
    assert [profile_of(one).mode for one in bundle] == ["production"]


def test_without_init_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        hierarchy.load(Store(tmp_path / "nothing"))
    assert refused.value.code == "configuration"
    with pytest.raises(Refused), Store(tmp_path / "nothing").reading():
        pass
