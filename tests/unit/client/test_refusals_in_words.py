"""A refusal names whose word, which file and which step is at fault, and what did not happen."""

import functools
import io
import os
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import PARTITION, Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simulator import Simulator
from test_import_and_receipt import PEM
from test_third_party_validators import trust_in
from typer.testing import CliRunner

from strongroom.cli import bulk as bulk_command
from strongroom.cli import imports as import_commands
from strongroom.cli import main, trust
from strongroom.cli.output import aside, out
from strongroom.client import bulk, validators
from strongroom.client.connection import Connection, connect
from strongroom.client.home import Home
from strongroom.client.http import Service
from strongroom.client.manifest import KeySettings, read_items
from strongroom.client.trust import validate
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(listed: Connection, home: Home, provider: Simulator, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs Alice's command in this process: exit status, and all that it shows on either stream."""
    monkeypatch.setenv("STRONGROOM_HOME", str(home.path))
    near = functools.partial(connect, home, transport=provider.transport())
    for module in (trust, import_commands, bulk_command):
        monkeypatch.setattr(module, "connected", near)
    shown = io.StringIO()
    for console in (out, aside):
        monkeypatch.setattr(console, "file", shown)
        monkeypatch.setattr(console, "width", 200)

    def run(*arguments: str | Path) -> tuple[int, str]:
        shown.seek(0)
        shown.truncate()
        result = CliRunner().invoke(main.app, [str(one) for one in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, shown.getvalue()

    return run


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(PEM)
    return path


# --- saved trust ---


def test_wrap_takes_the_route_from_the_saved_trust(command: Command, key: Path, tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    command("trust", "save", file, "--transport", "engine", "--suite", "RSA-AES-KWP")
    wrap = ("wrap", key, "--trust", file, "--name", "new", "--usage", "sign", "--out", tmp_path / "envelope.json")
    with pytest.raises(Refused, match="configuration: trust was saved with --transport engine --suite RSA-AES-KWP"):
        command(*wrap, "--transport", "tee")
    status, shown = command(*wrap)
    assert (status, "engine, suite RSA-AES-KWP" in shown) == (0, True)


def test_a_spent_single_use_key_sends_its_owner_back_to_save_trust(
    command: Command, provider: Simulator, key: Path, tmp_path: Path
) -> None:
    file, envelope = tmp_path / "trust.json", tmp_path / "envelope.json"
    command("trust", "save", file, "--suite", "RSA-AES-KWP")
    command("wrap", key, "--trust", file, "--name", "one", "--usage", "sign", "--out", envelope)
    with pytest.raises(Refused, match="save trust again"):
        command("wrap", key, "--trust", file, "--name", "two", "--usage", "sign", "--out", envelope, "--force")

    def replayed() -> Any:
        raise Refused("import-replayed")

    provider.answers["POST /imports"] = replayed
    with pytest.raises(Refused, match=r"import-replayed: .*save trust again"):
        command("submit", envelope)


# --- validators ---


def silent() -> Any:
    raise Refused("unavailable")


def test_a_validator_that_fails_is_named_and_nothing_was_sent(
    listed: Connection, home: Home, provider: Simulator, now: int
) -> None:
    trust_in(home, provider, "watcher")
    provider.third_parties["watcher"] = Ed25519PrivateKey.generate()
    with pytest.raises(Refused) as refused:
        validate(listed, now, PARTITION)
    assert refused.value.code == "signature-invalid"
    assert refused.value.detail.startswith("validator:watcher: its answer is not signed by the key that is trusted")
    assert "nothing was encrypted or sent" in refused.value.detail
    provider.answers["POST /v1/validation"] = silent
    with pytest.raises(Refused, match=r"manufacturer: .*nothing was encrypted or sent"):
        validate(listed, now, PARTITION)


@pytest.fixture
def other_tls(tmp_path: Path) -> Generator[str, None, None]:
    """A service that shows a certificate of its own."""
    own = Authority.make("root")
    path = tmp_path / "tls.pem"
    path.write_bytes(own.pem + own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def test_another_tls_certificate_is_not_called_silence(other_tls: str) -> None:
    pinned = Authority.make("root").pem
    with Service(other_tls, trusted=pinned) as service, pytest.raises(Refused, match="shows another TLS certificate"):
        service.get("/", object)
    with Service("https://127.0.0.1:1", trusted=pinned) as service, pytest.raises(Refused, match="does not answer"):
        service.get("/", object)


# --- files ---


def test_a_file_that_cannot_be_read_is_named_in_its_readers_words(
    command: Command, home: Home, key: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(b'{"require": "x"}')
    with pytest.raises(Refused, match="no evidence file"):
        command("evidence", "verify", bad)
    with pytest.raises(Refused, match="no file that `strongroom trust save` wrote"):
        command("wrap", key, "--trust", bad, "--name", "n", "--usage", "sign", "--out", tmp_path / "e")
    with pytest.raises(Refused, match=r"bad.json is no envelope"):
        command("submit", bad)
    (home.path / "policy.json").write_bytes(bad.read_bytes())
    with pytest.raises(Refused, match=r"policy.json must be"):
        validators.required(home)
    (tmp_path / "m.jsonl").write_bytes(msgspec.json.encode({"file": 1}))
    problem = read_items(tmp_path / "m.jsonl", KeySettings(usage=[Usage.SIGN]))[0].problem
    assert problem is not None
    assert "not a manifest line" in problem.detail


# --- Ctrl-C ---


def test_a_bulk_import_that_is_interrupted_says_how_far_it_came(
    command: Command, provider: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for number in range(40):
        (folder / f"k{number:02}.pem").write_bytes(PEM)
    written = bulk.Journal.write

    def write(journal: bulk.Journal, result: bulk.Result) -> None:
        written(journal, result)
        if journal.path.read_bytes().count(b"\n") == 3:
            os.kill(os.getpid(), 2)

    monkeypatch.setattr(bulk.Journal, "write", write)
    status, shown = command("import", "--bulk", folder, "--usage", "sign")
    done = (tmp_path / "keys.journal.jsonl").read_bytes().count(b'"imported"')
    assert status == 130
    assert 3 <= done < 40
    assert f"Stopped: {done} of 40 keys are imported, 0 were refused; the same command goes on" in shown
    assert len(provider.opened) == done
    assert command("import", "--bulk", folder, "--usage", "sign")[0] == 0
