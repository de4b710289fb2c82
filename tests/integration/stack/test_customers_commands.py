"""A customer's whole way by command on a running installation, and bulk imports that are killed on the way."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stack.layout import PROJECT
from strongroom.protocol.encoding import make_id
from tests.support.stack import Stack


def started(home: Path, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "strongroom", *map(str, arguments)],
        env={"STRONGROOM_HOME": str(home), "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(home: Path, *arguments: object, refused: str = "") -> Any:
    """What a command prints as JSON. `refused`: the code that it must be refused with."""
    out, errors = (process := started(home, *arguments, "--json")).communicate(timeout=120)
    answer = json.loads(out) if out else {}
    assert answer.get("code", "") == refused if isinstance(answer, dict) else not refused, (out, errors)
    assert process.returncode == (1 if refused else 0), (out, errors)
    return answer


def pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def alice(stack: Stack) -> Path:
    return stack.tenant("acme").home.path


@pytest.fixture
def name() -> str:
    return "cmd" + make_id("-")[:12]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(pem())
    return path


def test_a_dry_run_does_everything_but_send(alice: Path, key: Path, name: str) -> None:
    shown = run(alice, "import", key, "--name", name, "--usage", "sign", "--transport", "engine", "--dry-run")
    assert shown["header"]["name"] == name
    assert {one["validator"] for one in shown["header"]["validations"]} >= {"manufacturer", "development"}
    assert shown["sizes"]["material"] > 1000
    assert not (alice / "receipts" / f"{name}.json").exists()
    run(alice, "keys", "show", name, refused="not-found")
    run(alice, "import", key, "--name", name, "--usage", "sign")
    run(alice, "import", key, "--name", name, "--usage", "sign", "--dry-run", refused="name-taken")


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_a_key_is_carried_over_an_air_gap(alice: Path, key: Path, name: str, tmp_path: Path, suite: str) -> None:
    trust, envelope, receipt = tmp_path / "trust.json", tmp_path / "envelope.json", tmp_path / "receipt.jws"
    run(alice, "trust", "save", trust, "--suite", suite)
    options = ["--trust", trust, "--name", name, "--usage", "sign", "--out", envelope, "--suite", suite]
    time.sleep(1.1)
    run(alice, "wrap", key, *options, "--max-age", 0, refused="stale")
    run(alice, "wrap", key, *options)
    run(alice, "submit", envelope, "--out", receipt)
    assert run(alice, "receipt", "verify", receipt, "--envelope", envelope)["compared"]


def test_a_key_is_proven_versioned_and_destroyed(alice: Path, key: Path, name: str, tmp_path: Path) -> None:
    run(alice, "import", key, "--name", name, "--usage", "sign")
    run(alice, "import", key, "--name", name, "--usage", "sign", "--new-version")
    assert [one["version"] for one in run(alice, "keys", "versions", name)] == [1, 2]
    # 1. The proof is checked in an empty folder, with the roots alone.
    run(alice, "evidence", "save", name, "--version", 1, "--out", tmp_path / "proof.json")
    roots = alice / "trust" / "manufacturer-roots.pem"
    (tmp_path / "nobody").mkdir()
    assert run(tmp_path / "nobody", "evidence", "verify", tmp_path / "proof.json", "--roots", roots)["holds"]
    # 2. Destroyed by version, then whole; a later proof says so.
    assert run(alice, "keys", "destroy", name, "--version", 1, "--yes")["states"] == {"1": "destroyed", "2": "active"}
    run(alice, "evidence", "save", name, "--version", 1, "--out", tmp_path / "proof.json")
    verdict = run(tmp_path / "nobody", "evidence", "verify", tmp_path / "proof.json", "--roots", roots)
    assert "destroyed by its owner" in verdict["steps"][-1]["found"]
    run(alice, "keys", "destroy", name, refused="configuration")  # nobody said yes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_bulk_import_that_is_stopped_goes_on_where_it_ended(
    alice: Path, name: str, tmp_path: Path, number: signal.Signals
) -> None:
    folder, journal = tmp_path / "keys", tmp_path / "keys.journal.jsonl"
    folder.mkdir()
    for n in range(60):
        (folder / f"{name}-{n}.pem").write_bytes(pem() if n else b"no key")
    # 1. Stopped on the way.
    process = started(alice, "import", "--bulk", folder, "--usage", "sign")
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 10:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    before = journal.read_bytes().count(b"\n")
    assert before < 60
    # 2. The same command again: everything is there, once.
    out, _ = (again := started(alice, "import", "--bulk", folder, "--usage", "sign", "--json")).communicate(timeout=120)
    assert again.returncode == 1  # for the one that is no key
    answer = json.loads(out)
    assert answer["imported"] + answer["before"] == 59
    assert answer["before"] > 0
    assert [one["code"] for one in answer["results"] if one["status"] == "refused"] == ["key-unparsable"]
    listed = [one["name"] for one in run(alice, "keys") if one["name"].startswith(f"{name}-")]
    assert sorted(listed) == sorted(f"{name}-{n}" for n in range(1, 60))
