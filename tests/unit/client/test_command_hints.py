"""The command says what comes next, what is missing, and what is wrong, so that nobody is sent the wrong way."""

import functools
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from authorities import PARTITION, Authority
from simulator import Simulator
from test_import_and_receipt import PEM, bring_in
from typer.testing import CliRunner

from strongroom.cli import imports as import_commands
from strongroom.cli import main, setup, trust
from strongroom.cli.output import out, pairs, records, show
from strongroom.client import access, imports
from strongroom.client.connection import Connection, connect
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.client.material import read_material
from strongroom.protocol.access import device_principal
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.terms import Terms, new_salt


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


@pytest.fixture
def at_work(home: Home, provider: Simulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs Alice's command in this process: only the network between it and the provider is taken away."""
    monkeypatch.setenv("STRONGROOM_HOME", str(home.path))
    monkeypatch.setattr(out, "width", 200)
    near = functools.partial(connect, transport=provider.transport())
    monkeypatch.setattr(trust, "connect", near)
    monkeypatch.setattr(setup, "connect", near)
    monkeypatch.setattr(import_commands, "connected", lambda: near(home))
    shown = io.StringIO()
    monkeypatch.setattr(out, "file", shown)

    def command(*arguments: str) -> str:
        shown.seek(0)
        shown.truncate()
        result = CliRunner().invoke(main.app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return shown.getvalue()

    return command


# --- what comes next ---


@pytest.fixture
def roots(tmp_path: Path) -> str:
    path = tmp_path / "roots.pem"
    path.write_bytes(Authority.make("root").pem)
    return str(path)


def test_a_newcomer_is_told_to_log_in_and_whoever_has_a_token_to_look_at_trust(tmp_path: Path, roots: str) -> None:
    options = ["--url", "https://portal.example", "--manufacturer-roots", roots, "--tenant", "acme"]
    assert "Next: strongroom login USERNAME" in run(tmp_path / "new", "configure", *options).stdout
    token = tmp_path / "token"
    token.write_text("a token")
    ran = run(tmp_path / "old", "configure", *options, "--token-file", str(token))
    assert "Next: strongroom trust" in ran.stdout
    officer = run(tmp_path / "officer", "configure", *options[:4])
    assert "Next: strongroom officer login USERNAME" in officer.stdout


@pytest.mark.parametrize(
    "url", ["http://maker.example", "http://localhost:1", "maker.example", "https://", "https://m:x"]
)
def test_an_address_that_cannot_be_the_manufacturers_is_refused_at_once(tmp_path: Path, roots: str, url: str) -> None:
    home = tmp_path / "alice"
    options = ["--url", "https://portal.example", "--manufacturer-roots", roots, "--manufacturer-url", url]
    ran = run(home, "configure", *options)
    assert ran.returncode == 1
    assert repr(url) in ran.stderr
    assert not home.exists()


def test_trust_in_a_partition_without_an_access_list_names_the_command_that_makes_one(
    at_work: Callable[..., str], home: Home, connection: Connection, now: int
) -> None:
    me = device_principal(home.credential("device"))
    assert f"strongroom access allow {me} --rights import,sign,verify" in at_work("trust")
    access.update(connection, access.allow(me, ["import"], credential=home.credential("device")), now)
    assert "Next: strongroom import FILE" in at_work("trust")


@pytest.mark.parametrize(
    ("usages", "step"),
    [
        (["sign", "verify"], "strongroom sign --key new --in FILE --out FILE"),
        (["verify"], "strongroom verify --key new --in FILE --signature FILE"),
        (["derive"], "strongroom derive --key new --peer PEM --info TEXT --out FILE"),
    ],
    ids=str,
)
def test_an_import_names_a_command_that_the_keys_terms_permit(
    at_work: Callable[..., str], listed: Connection, tmp_path: Path, usages: list[str], step: str
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(PEM)
    options = [part for usage in usages for part in ("--usage", usage)]
    assert f"Next: {step}" in at_work("import", str(key), "--name", "new", *options)


# --- what is wrong ---


def test_a_key_that_nobody_could_ever_use_is_refused_before_anything_is_asked(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.requests.clear()
    material = read_material(PEM)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN], not_after=now)
    with pytest.raises(Refused, match="terms-refused: not-after is in the past"):
        imports.import_key(listed, material, "signer", terms, now)
    assert not provider.requests


def test_a_secret_that_was_not_given_is_named_with_a_sentence_of_its_own(home: Home, tmp_path: Path) -> None:
    for arguments, label in ((["login", "alice"], "Password"), (["owner", "init", "--passphrase"], "New passphrase")):
        ran = run(home.path if arguments[0] == "login" else tmp_path / "new", *arguments)
        assert ran.returncode == 1
        assert ran.stderr.startswith(f"refused secret-missing: {CATALOGUE['secret-missing'].sentence}")
        assert label in ran.stderr


def test_who_checks_a_forged_receipt_is_not_told_to_sign(listed: Connection, now: int) -> None:
    done = bring_in(listed, now)
    head, body, signature = done.path.read_text().split(".")
    other = "B" if signature[0] == "A" else "A"
    done.path.write_text(".".join([head, body, other + signature[1:]]))
    ran = run(listed.home.path, "receipt", "verify", "signer")
    assert ran.returncode == 1
    assert "refused signature-invalid: The signature does not hold" in ran.stderr


def test_a_partition_that_the_tenant_does_not_have_is_not_taken_into_use(
    at_work: Callable[..., str], home: Home, provider: Simulator
) -> None:
    with pytest.raises(Refused, match="not-found: no partition 'pt_other'"):
        at_work("partition", "use", "pt_other")
    assert home.partition() == PARTITION
    provider.answers["GET /partitions/pt_other"] = lambda: {"partition": "pt_other"}
    assert "could not be checked" not in at_work("partition", "use", "pt_other")
    assert home.partition() == "pt_other"


def test_a_partition_that_cannot_be_checked_is_used_and_that_is_said(tmp_path: Path, provider: Simulator) -> None:
    home = Home(tmp_path / "offline")
    home.configure(Config(url="http://localhost:1", tenant="acme"), TrustFiles(manufacturer_roots=provider.root.pem))
    ran = run(home.path, "partition", "use", PARTITION)
    assert "could not be checked: no token" in ran.stdout
    assert home.partition() == PARTITION


# --- what is shown can be copied ---


@pytest.mark.parametrize("count", [1, 3])
def test_no_id_is_broken_where_the_terminal_is_narrow(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(out, "file", shown)
    monkeypatch.setattr(out, "width", 80)
    rows = [{"name": f"key-{n}", "key_id": "k" * 36 + str(n), "terms": "t" * 64 + str(n)} for n in range(count)]
    show(False, rows, records(rows, list(rows[0]), empty=""), pairs([("Software measurement", "m" * 64)]))
    text = shown.getvalue()
    for value in [*(one for row in rows for one in row.values()), "m" * 64]:
        assert value in text
    shown.seek(0)
    shown.truncate()
    show(False, rows, records(rows, ["name", "key_id"], empty=""))
    assert shown.getvalue().splitlines()[2].split() == ["key-0", "k" * 36 + "0"]  # a table, where it fits


def test_a_long_label_stays_beside_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(out, "file", shown)
    monkeypatch.setattr(out, "width", 40)
    show(False, {}, pairs([("Label", "main" + " " * 40 + "Approved  yes"), ("State", "open")]))
    lines = shown.getvalue().splitlines()
    assert [line[:8].strip() for line in lines if line[:8].strip()] == ["Label", "State"]


def test_a_table_whose_words_fit_loses_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(out, "file", shown)
    monkeypatch.setattr(out, "width", 80)
    rights = ["import", "sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive"]
    rows = [{"principal": "device:" + "d" * 43, "rights": rights, "label": "laptop"}]
    show(False, rows, records(rows, list(rows[0]), empty=""))
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert {"device:" + "d" * 43, "laptop", "derive", "translate,"} <= set(shown.getvalue().split())
