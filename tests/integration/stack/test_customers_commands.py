"""A customer's whole way by command on a running installation, and bulk imports that are killed on the way."""

import json
import signal
import time
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.protocol.encoding import make_id
from tests.support.command import run, started
from tests.support.stack import Stack


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


def test_keys_are_listed_by_either_name(alice: Path, key: Path, name: str) -> None:
    run(alice, "import", key, "--name", name, "--usage", "sign")
    listed = run(alice, "keys", "list")
    assert name in {one["name"] for one in listed}
    assert {one["name"] for one in listed} == {one["name"] for one in run(alice, "keys")}


def test_a_token_and_then_its_client_are_revoked(stack: Stack, alice: Path, name: str) -> None:
    with stack.tenant("acme").connect("person"):
        made = run(alice, "client", "create", name)
    tokens = [run(alice, "client", "token", name) for _ in range(2)]

    def answers(token: str) -> int:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            status = httpx.get(f"{stack.url}/api/v1/whoami", headers={"Authorization": f"Bearer {token}"}).status_code
            if status != 200:
                return status
            time.sleep(0.1)
        return 200

    run(alice, "client", "revoke", name, "--token-key", "nothing", refused="not-found")
    run(alice, "client", "revoke", name, "--token-key", tokens[0]["token_key"])
    assert answers(tokens[0]["token"]) == 401
    revoked = run(alice, "client", "revoke", name)
    assert revoked["revoked"] == made["principal"]
    assert answers(tokens[1]["token"]) == 401
    assert name not in {one["name"] for one in run(alice, "client", "list")}
    run(alice, "client", "revoke", name, refused="not-found")


def test_only_a_partition_of_the_tenant_is_taken_into_use(stack: Stack, alice: Path) -> None:
    own = stack.tenant("acme").home.partition()
    run(alice, "partition", "use", stack.tenant("globex").home.partition(), refused="not-found")
    assert stack.tenant("acme").home.partition() == own
    assert run(alice, "partition", "use", own) == {"partition": own, "checked": True}
