"""Many keys: one bad file stops nobody, what stops everybody stops the run, and a run goes on where it ended."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from simulator import Simulator

from strongroom.client import bulk, receipts
from strongroom.client.connection import Connection
from strongroom.client.manifest import Item, KeySettings, read_items
from strongroom.client.routes import Route
from strongroom.protocol import jws
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.suites import generate

SIGN = KeySettings(usage=[Usage.SIGN])


def pem(protection: Any = None) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve key files, of which `k05` is none."""
    path = tmp_path / "keys"
    path.mkdir()
    for number in range(12):
        (path / f"k{number:02}.pem").write_bytes(pem() if number != 5 else b"not a key")
    return path


def run(connection: Connection, items: list[Item], journal: Path, route: Route | None = None) -> list[bulk.Result]:
    return list(bulk.run(connection, items, route or Route(), bulk.Journal(journal), workers=4))


def imports_sent(provider: Simulator) -> int:
    return len([path for _, path, _ in provider.requests if path == "/imports"])


def test_a_bad_file_is_refused_and_all_others_are_imported(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    results = run(listed, read_items(folder, SIGN), tmp_path / "j.jsonl")
    assert len(results) == 12
    assert [(one.name, one.code) for one in results if one.status == "refused"] == [("k05", "key-unparsable")]
    assert set(provider.opened) == {f"k{number:02}" for number in range(12) if number != 5}
    for one in results:
        if one.status == "imported":
            assert jws.read_unverified(receipts.kept(listed.home, one.name), Receipt).key_id == one.key_id


def test_everyone_is_asked_once_for_all_keys(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    provider.requests.clear()
    run(listed, read_items(folder, SIGN), tmp_path / "j.jsonl")
    assert len([path for _, path, _ in provider.requests if path == "/v1/validation"]) == 1
    assert imports_sent(provider) == 11


def test_single_use_keys_are_validated_one_by_one(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    results = run(listed, read_items(folder, SIGN)[:3], tmp_path / "j.jsonl", Route(suite="RSA-AES-KWP"))
    assert {one.status for one in results} == {"imported"}
    assert len([path for _, path, _ in provider.requests if path == "/v1/validation"]) == 3


def test_a_second_run_does_only_what_is_left(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "j.jsonl"
    run(listed, read_items(folder, SIGN), journal)
    (folder / "k05.pem").write_bytes(pem())
    provider.requests.clear()
    assert [one.name for one in run(listed, read_items(folder, SIGN), journal)] == ["k05"]
    assert imports_sent(provider) == 1


def test_without_its_journal_a_run_still_imports_nothing_twice(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    first = run(listed, read_items(folder, SIGN), tmp_path / "one.jsonl")
    provider.requests.clear()
    again = run(listed, read_items(folder, SIGN), tmp_path / "two.jsonl")
    assert sorted((one.name, one.key_id) for one in first) == sorted((one.name, one.key_id) for one in again)
    assert imports_sent(provider) == 0


def test_another_key_under_a_name_that_is_taken_is_not_passed_off_as_imported(
    listed: Connection, folder: Path, tmp_path: Path
) -> None:
    run(listed, read_items(folder, SIGN), tmp_path / "one.jsonl")
    (folder / "k00.pem").write_bytes(pem())
    again = run(listed, read_items(folder, SIGN), tmp_path / "two.jsonl")
    assert {one.name: one.code for one in again if one.status == "refused"} == {
        "k00": "name-taken",
        "k05": "key-unparsable",
    }


def test_an_import_whose_answer_was_lost_is_settled_by_the_next_run(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    lost: dict[str, dict[str, Any]] = {}

    def once_without_answer() -> dict[str, Any]:
        answer = provider._import(provider.requests[-1][2])
        if not lost:
            lost[answer["import_id"]] = answer
            raise Refused("internal")
        return answer

    provider.answers["POST /imports"] = once_without_answer
    items = read_items(folder, SIGN)[:4]
    first = list(bulk.run(listed, items, Route(), bulk.Journal(tmp_path / "j.jsonl"), workers=1))
    assert [one.code for one in first if one.status == "refused"] == ["internal"]
    import_id, answer = next(iter(lost.items()))
    provider.answers[f"GET /imports/{import_id}"] = lambda: answer
    provider.requests.clear()
    again = run(listed, items, tmp_path / "j.jsonl")
    assert [one.status for one in again] == ["imported"]
    assert imports_sent(provider) == 0


@pytest.mark.parametrize("code", ["hsm-sealed", "unauthenticated", "access-denied", "device-not-listed"])
def test_what_no_other_key_would_survive_stops_the_run(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path, code: str
) -> None:
    def refuse() -> dict[str, Any]:
        raise Refused(code)

    provider.answers["POST /imports"] = refuse
    with pytest.raises(Refused, match=code):
        run(listed, read_items(folder, SIGN), tmp_path / "j.jsonl")
    assert imports_sent(provider) < 12
    del provider.answers["POST /imports"]
    assert [one.code for one in run(listed, read_items(folder, SIGN), tmp_path / "j.jsonl") if one.code] == [
        "key-unparsable"
    ]


def test_nothing_is_sent_when_validation_fails(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    provider.validation_key = Ed25519PrivateKey.generate()
    with pytest.raises(Refused, match="signature-invalid"):
        run(listed, read_items(folder, SIGN), tmp_path / "j.jsonl")
    assert imports_sent(provider) == 0


def test_a_vendor_key_that_is_rotated_meanwhile_is_validated_anew_and_the_key_wrapped_again(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    rotated = threading.Event()

    def rotate_after_four() -> dict[str, Any]:
        if len(provider.opened) >= 4 and not rotated.is_set():
            rotated.set()
            provider.vendor_key = generate("HPKE-XWING")
        header = jws.read_unverified(provider.requests[-1][2]["header"], ImportHeader)
        if header.vendor_key != provider.vendor_key.public().key_id("vk_"):
            raise Refused("vendor-key-unknown")
        return provider._import(provider.requests[-1][2])

    provider.answers["POST /imports"] = rotate_after_four
    results = list(bulk.run(listed, read_items(folder, SIGN), Route(), bulk.Journal(tmp_path / "j"), workers=1))
    assert rotated.is_set()
    assert [one.name for one in results if one.status == "refused"] == ["k05"]


def test_an_interrupted_run_puts_what_was_on_its_way_on_record(
    listed: Connection, folder: Path, tmp_path: Path
) -> None:
    running = bulk.run(listed, read_items(folder, SIGN), Route(), bulk.Journal(tmp_path / "j.jsonl"), workers=2)
    next(running)
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt)
    recorded = bulk.Journal(tmp_path / "j.jsonl").done
    kept = {path.stem for path in (listed.home.path / "receipts").glob("*.jws")}
    assert kept
    assert kept == {name for name, one in recorded.items() if one.status == "imported"}


def test_a_line_of_the_journal_that_a_kill_cut_off_is_passed_over(
    listed: Connection, provider: Simulator, folder: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "j.jsonl"
    run(listed, read_items(folder, SIGN), journal)
    journal.write_bytes(journal.read_bytes()[:-20])
    assert len(bulk.Journal(journal).done) == 11
    provider.requests.clear()
    assert len(run(listed, read_items(folder, SIGN), journal)) <= 2


# --- manifests ---


def manifest(tmp_path: Path, *lines: str | dict[str, Any]) -> Path:
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines) + "\n")
    return path


def test_a_manifest_says_what_differs_from_the_settings_for_all(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(pem())
    common = KeySettings(usage=[Usage.SIGN], mode="token", not_after="2030-01-01")
    first, second = read_items(
        manifest(
            tmp_path,
            {"file": "a.pem"},
            "",
            {"file": "b.bin", "name": "hmac", "type": "HMAC", "usage": ["hash"], "mode": "signed", "not_after": None},
        ),
        common,
    )
    assert (first.name, first.file, first.settings) == ("a", tmp_path / "a.pem", common)
    assert (second.name, second.settings.type, second.settings.mode) == ("hmac", KeyType.HMAC, "signed")
    assert (second.settings.usage, second.settings.not_after) == ([Usage.HASH], None)


def test_a_locked_key_is_opened_with_the_passphrase_that_its_line_names(
    listed: Connection, provider: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "a.pem").write_bytes(pem(BestAvailableEncryption(b"open sesame")))
    (tmp_path / "words").write_text("open sesame\n")
    items = read_items(
        manifest(tmp_path, {"file": "a.pem", "passphrase_file": "words"}, {"file": "a.pem", "name": "closed"}), SIGN
    )
    results = {one.name: one.detail for one in run(listed, items, tmp_path / "j.jsonl")}
    assert results == {"a": "", "closed": "the file is under a passphrase, and none was given"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("not json", "malformed"),
        ('{"name": "no-file"}', "malformed"),
        ('{"file": "a.pem", "unknown": 1}', "malformed"),
        ('{"file": "a.pem", "usage": ["fly"]}', "malformed"),
        ('{"file": "missing.pem"}', "configuration"),
        ('{"file": "a.pem", "name": "../owner"}', "malformed"),
        ('{"file": "a.pem", "not_after": "tomorrow"}', "malformed"),
        ('{"file": "a.pem", "usage": ["encrypt"]}', "terms-refused"),
        ('{"file": "a.pem", "type": "RSA"}', "key-unparsable"),
        ('{"file": "a.pem", "name": "good"}', "conflict"),
    ],
)
def test_a_bad_line_is_its_own_problem(
    listed: Connection, provider: Simulator, tmp_path: Path, line: str, code: str
) -> None:
    (tmp_path / "a.pem").write_bytes(pem())
    source = manifest(tmp_path, {"file": "a.pem", "name": "good"}, line, {"file": "a.pem", "name": "also-good"})
    results = run(listed, read_items(source, SIGN), tmp_path / "j.jsonl")
    assert sorted((one.status, one.code) for one in results) == [("imported", ""), ("imported", ""), ("refused", code)]
    assert set(provider.opened) == {"good", "also-good"}
