"""The folder keeps its secrets to its owner; the command says no clearly and takes no secret as an argument."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from authorities import Authority

from strongroom.cli import main as command
from strongroom.cli.output import out, pairs
from strongroom.client.connection import connect
from strongroom.client.files import write_signing_key
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.client.http import Service
from strongroom.protocol.errors import Refused


def run(home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "strongroom", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"STRONGROOM_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
    )


def test_every_file_of_the_folder_is_for_its_owner_alone(home: Home) -> None:
    home.keep("receipts", "signer", "token")
    files = [path for path in home.path.rglob("*") if path.is_file()]
    assert len(files) >= 9
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in home.path.rglob("*") if path.is_dir()} == {0o700}


def test_a_key_is_never_overwritten(home: Home) -> None:
    before = (home.path / "owner.pem").read_bytes()
    with pytest.raises(Refused, match="conflict"):
        home.make_key("owner")
    assert (home.path / "owner.pem").read_bytes() == before


def test_a_key_under_a_passphrase_opens_with_it_alone(tmp_path: Path) -> None:
    words = {"owner.pem": b"open sesame"}
    home = Home(tmp_path / "alice", words.__getitem__)
    credential = home.make_key("owner", b"open sesame")
    assert b"ENCRYPTED" in (home.path / "owner.pem").read_bytes()
    assert home.key("owner").public_key() == credential.public_key()
    words["owner.pem"] = b"wrong"
    with pytest.raises(Refused, match="passphrase is wrong"):
        Home(home.path, words.__getitem__).key("owner")
    with pytest.raises(Refused, match="under a passphrase"):
        Home(home.path).key("owner")


def test_a_missing_part_of_the_configuration_is_named_with_the_way_to_get_it(tmp_path: Path, home: Home) -> None:
    with pytest.raises(Refused, match="strongroom configure"):
        Home(tmp_path / "nobody").config()
    (home.path / "owner.pem").unlink()
    with pytest.raises(Refused, match="strongroom owner init"):
        home.key("owner")
    (home.path / "session").unlink()
    with pytest.raises(Refused, match="strongroom login"):
        connect(home, "person")


def test_roots_that_are_no_certificates_are_not_taken(tmp_path: Path) -> None:
    home = Home(tmp_path / "alice")
    for roots in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Refused, match="configuration"):
            home.configure(Config(url="https://portal.example"), TrustFiles(manufacturer_roots=roots))
    assert not (home.path / "config.json").exists()


@pytest.mark.parametrize("url", ["http://portal.example", "ftp://portal.example", "portal.example", ""])
def test_a_token_never_travels_in_clear_over_a_network(url: str) -> None:
    with pytest.raises(Refused, match="neither https nor on this machine"):
        Service(url, token="secret")


def test_a_server_without_the_pinned_certificate_is_not_asked(tmp_path: Path) -> None:
    pin = tmp_path / "tls.pem"
    pin.write_bytes(b"not a certificate")
    with pytest.raises(Refused, match="not a PEM certificate"):
        Service("https://localhost:1", trusted=pin)
    pin.write_bytes(Authority.make("root").pem)
    with pytest.raises(Refused, match="unavailable"):
        Service("https://localhost:1", trusted=pin).get("healthz", dict[str, Any])


def test_a_refusal_is_one_clear_line_and_exit_status_one(tmp_path: Path) -> None:
    ran = run(tmp_path / "nobody", "trust")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("refused configuration: The command cannot go on with what it was given")
    assert "Traceback" not in ran.stderr


def test_a_refusal_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    ran = run(tmp_path / "nobody", "keys", "--json")
    assert ran.returncode == 1
    answer = json.loads(ran.stdout)
    assert answer["code"] == "configuration"
    assert "strongroom configure" in answer["detail"]


def test_a_customer_sets_up_the_folder_by_command(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(Authority.make("root").pem)
    home = tmp_path / "alice"
    assert run(home, "configure", "--url", "https://portal.example", "--manufacturer-roots", str(roots)).returncode == 0
    made = json.loads(run(home, "owner", "init", "--passphrase", "--json", stdin="open sesame\n").stdout)
    shown = json.loads(run(home, "owner", "show", "--json").stdout)
    assert made["fingerprint"] == shown["fingerprint"]
    assert b"ENCRYPTED" in (home / "owner.pem").read_bytes()


def test_an_officer_makes_cards_and_the_ceremony_file_by_command(tmp_path: Path) -> None:
    paths = []
    for name in ("security1", "security2"):
        path = tmp_path / f"{name}.json"
        made = run(
            tmp_path, "officer", "card", "new", "--name", name, "--class", "security", "--out", str(path),
            stdin="482915\n",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        paths.append(str(path))
    ceremony = tmp_path / "ceremony.json"
    ran = run(tmp_path, "officer", "ceremony-file", *paths, "--threshold", "security=2", "--out", str(ceremony))
    assert ran.returncode == 0, ran.stderr
    written = json.loads(ceremony.read_bytes())
    assert [one["name"] for one in written["officers"]] == ["security1", "security2"]
    assert written["thresholds"] == {"security": 2}
    again = run(
        tmp_path, "officer", "card", "new", "--name", "x", "--class", "security", "--out", paths[0], stdin="482915\n"
    )
    assert "refused conflict" in again.stderr
    wrong = run(tmp_path, "officer", "card", "check", paths[0], stdin="000000\n")
    assert "refused card-pin-wrong" in wrong.stderr


def commands(group: Any, path: str = "strongroom") -> list[tuple[str, Any]]:
    """Every command under `group`, by its whole name."""
    found = []
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            found += commands(one, f"{path} {name}")
        else:
            found.append((f"{path} {name}", one))
    return found


SERVERS = ("strongroom revocation serve",)
"""What runs until it is stopped answers nothing."""
ALL = commands(typer.main.get_command(command.app))


@pytest.mark.parametrize(("name", "one"), ALL, ids=[name for name, _ in ALL])
def test_every_command_speaks_json_and_takes_no_secret_as_an_argument(name: str, one: Any) -> None:
    options = {option for parameter in one.params for option in parameter.opts}
    assert ("--json" in options) != (name in SERVERS)
    for word in ("--pin", "--password", "--otp", "--token", "--code"):
        assert word not in options
    flag = next((parameter for parameter in one.params if "--passphrase" in parameter.opts), None)
    assert flag is None or flag.is_flag


def test_a_label_cannot_disguise_what_an_officer_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(out, "file", shown)
    out.print(pairs([("Label", "[red]safe[/red]\x1b[2K\r\nApproved: yes\u202e")]))
    text = shown.getvalue()
    assert "[red]safe[/red]" in text
    assert not {"\x1b", "\r", "\u202e"} & set(text)
    assert len(text.splitlines()) == 1


def test_a_signing_key_of_another_kind_is_not_taken(home: Home, tmp_path: Path) -> None:
    (home.path / "device.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Refused, match="cannot be read"):
        home.key("device")
    write_signing_key(home.path / "device.pem", Authority.make("root").key)
    assert home.key("device")
