"""Commands that the page of imports offers in its own place: they are ones that there are."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.cli.main import app
from strongroom.client.making import to_be_made
from strongroom.protocol.access import device_principal
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import read_json
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")


def test_the_command_that_the_page_offers_is_one_that_there_is(modules: PageModules) -> None:
    given: dict[str, Any] = {
        "origin": "imported",
        "file": "my key's.pem",
        "name": "release",
        "newVersion": False,
        "certificateFile": "chain.pem",
        "status": {"method": "crl", "url": "http://ca.example/crl", "every": "12h"},
        "usages": ["sign", "translate"],
        "keyType": "EC-P256",
        "encoding": "raw",
        "authorisation": "token",
        "mechanisms": ["ECDSA-SHA256"],
        "notBefore": "2027-01-01",
        "notAfter": "90d",
        "translateTo": ["*"],
        "revocation": {"url": "https://a.example/?a=1&b", "every": "5m", "pinFile": "c.pem", "answerKeyFile": "k.pem"},
    }
    script = 'return (await import("./command.js")).commandFor(given)'
    words = shlex.split(modules.run(script, given))
    assert words[:3] == ["strongroom", "import", "my key's.pem"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--translate-to"] == "*"
    assert options["--revoke-at"] == given["revocation"]["url"]
    command = typer.main.get_command(app).commands["import"]  # type: ignore[attr-defined]
    assert set(options) <= {name for one in command.params for name in one.opts}
    assert modules.run(script, {**given, "file": "-x.pem", "revocation": None}).startswith(
        "strongroom import ./-x.pem "
    )
    following = shlex.split(modules.run(script, {**given, "newVersion": True}))
    assert "--new-version" in following
    assert [one for one in following if one != "--new-version"] == words


def test_the_command_that_has_the_device_make_a_key_is_one_that_there_is(modules: PageModules) -> None:
    given: dict[str, Any] = {
        "origin": "made",
        "name": "release",
        "newVersion": False,
        "keyType": "RSA",
        "size": "4096",
        "usages": ["sign", "translate"],
        "authorisation": "token",
        "mechanisms": ["RSA-PSS-SHA256"],
        "notBefore": "2027-01-01",
        "notAfter": "90d",
        "translateTo": ["*"],
        "revocation": {"url": "https://a.example/?a=1&b", "every": "5m", "pinFile": "c.pem", "answerKeyFile": "k.pem"},
        "status": {"method": "", "url": "", "every": ""},
    }
    script = 'return (await import("./command.js")).commandFor(given)'
    words = shlex.split(modules.run(script, given))
    assert words[:4] == ["strongroom", "keys", "make", "release"]
    options = dict(zip(words[4::2], words[5::2], strict=True))
    assert options["--type"] == "RSA-4096"
    assert to_be_made(options["--type"]).size == 4096
    command = typer.main.get_command(app).commands["keys"].commands["make"]  # type: ignore[attr-defined]
    assert set(options) <= {name for one in command.params for name in one.opts}
    plain = {**given, "keyType": "AES-192", "size": "3072", "usages": [], "revocation": None, "translateTo": []}
    assert modules.run(script, {**plain, "newVersion": True}).startswith(
        "strongroom keys make release --type AES-192 --new-version --usage USE "
    )


def test_the_owners_command_lists_the_browser_for_imports_alone(modules: PageModules, tmp_path: Path) -> None:
    key = public_credential(Ed25519PrivateKey.generate())
    device = {"x": key.x, "fingerprint": key.fingerprint, "name": "alice's browser"}
    written = modules.run('return (await import("./command.js")).allowCommand(given)', device)
    first, second = written.splitlines()
    subprocess.run(["sh", "-c", first], cwd=tmp_path, check=True)
    assert read_json((tmp_path / "browser.json").read_bytes(), PublicCredential) == key
    words = shlex.split(second)
    assert words[:4] == ["strongroom", "access", "allow", device_principal(key)]
    assert dict(zip(words[4::2], words[5::2], strict=True)) == {
        "--rights": "import",
        "--label": "alice's browser",
        "--credential": "browser.json",
    }
