"""What a key's page shows for copying does what it says, as it stands there: by the command, by curl and in Python."""

import hmac
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key

from stack.layout import PROJECT
from strongroom.protocol.mechanisms import KeyType
from tests.support.session import Session, code_below
from tests.support.stack import Stack

MESSAGE = b"what is in the file\n"
SECRET = bytes(range(32))
Type = Callable[..., str]
"""Opens a key's page, has a shell do what stands below a summary, and returns what that prints.

`refused`: that it fails, and what is returned stands where errors do.
"""


@pytest.fixture(scope="module")
def alice(stack: Stack) -> Iterator[Session]:
    with Session(stack) as session:
        session.log_in(stack.people.admins["acme"].username)
        yield session


@pytest.fixture(scope="module")
def keys(stack: Stack) -> dict[str, str]:
    """The addresses of keys' pages, by name."""
    acme = stack.tenant("acme")
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = {
        "sample-signs": acme.import_key("sample-signs", private, usages=["sign", "verify"], authorisation="token"),
        "sample-hashes": acme.import_key("sample-hashes", SECRET, KeyType.HMAC, usages=["hash"], authorisation="token"),
        "sample-refuses": acme.import_key("sample-refuses", SECRET, usages=["encrypt"], authorisation="signed"),
        "sample-hides": acme.import_key("sample-hides", SECRET, usages=["encrypt", "decrypt"], authorisation="token"),
    }
    return {name: f"/keys/{receipt.key_id}/" for name, receipt in made.items()}


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    return stack.tenant("acme").new_client("samples")


@pytest.fixture
def typed(stack: Stack, alice: Session, keys: dict[str, str], token: str, tmp_path: Path) -> Type:
    (tmp_path / "FILE").write_bytes(MESSAGE)
    command = tmp_path / "bin" / "strongroom"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -m strongroom "$@"\n')
    command.chmod(0o755)
    own = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "STRONGROOM_HOME": str(stack.tenant("acme").home.path),
        "TOKEN": token,
    }

    def run(name: str, summary: str, *, refused: bool = False) -> str:
        shown = code_below(alice.get(keys[name]).text, summary)
        if summary == "Python":
            line = [sys.executable, "-c", shown]
        else:
            # The one thing that the reader puts in its place.
            line = ["bash", "-e", "-u", "-o", "pipefail", "-c", shown.replace("TOKEN=…", "TOKEN=$TOKEN")]
        done = subprocess.run(line, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode != 0) is refused, f"{shown}\n{done.stdout}{done.stderr}"
        return done.stderr if refused else done.stdout

    return run


def public_key(alice: Session, page: str) -> ec.EllipticCurvePublicKey:
    found = load_pem_public_key(alice.get(f"{page}public-key").content)
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


@pytest.mark.parametrize("summary", ["Command", "curl", "Python"])
def test_a_file_is_signed_and_the_signature_verified(
    typed: Type, alice: Session, keys: dict[str, str], tmp_path: Path, summary: str
) -> None:
    said = typed("sample-signs", summary)
    # The device says so, and anybody else who has the public key.
    public_key(alice, keys["sample-signs"]).verify((tmp_path / "FILE.sig").read_bytes(), MESSAGE, ec.ECDSA(SHA256()))
    if summary == "curl":
        assert json.loads(said)["valid"] is True
    elif summary == "Python":
        assert said == "True\n"
    else:
        assert "The signature holds." in said


def test_a_new_tokens_page_has_lines_that_work_with_it(
    stack: Stack, alice: Session, keys: dict[str, str], tmp_path: Path
) -> None:
    assert keys
    client, _ = stack.tenant("acme").new_client_and_token("sampled")
    code = stack.code(stack.people.admins["acme"].username)
    page = alice.send_form(f"/clients/{client}/", days="1", fresh_code=code).text
    token = re.search(r'id="new-token" readonly value="([^"]+)"', page)
    assert token is not None
    (tmp_path / "FILE").write_bytes(MESSAGE)
    lines = code_below(page, "curl").replace("TOKEN=…", f"TOKEN={token[1]}")
    line = ["bash", "-e", "-u", "-o", "pipefail", "-c", lines]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{lines}\n{done.stdout}{done.stderr}"
    assert [one.suffix for one in tmp_path.iterdir() if one.name != "FILE" and one.read_bytes()]


@pytest.mark.parametrize("summary", ["Command", "curl", "Python"])
def test_a_file_is_encrypted_and_decrypted_again(typed: Type, tmp_path: Path, summary: str) -> None:
    typed("sample-hides", summary)
    assert MESSAGE not in (tmp_path / "FILE.enc").read_bytes()
    assert (tmp_path / "FILE.clear").read_bytes() == MESSAGE


@pytest.mark.parametrize("summary", ["Command", "curl", "Python"])
def test_a_file_is_hashed(typed: Type, tmp_path: Path, summary: str) -> None:
    typed("sample-hashes", summary)
    assert (tmp_path / "FILE.mac").read_bytes() == hmac.digest(SECRET, MESSAGE, "sha256")


@pytest.mark.parametrize("summary", ["curl", "Python"])
def test_who_is_refused_reads_why_and_gets_no_file(typed: Type, tmp_path: Path, summary: str) -> None:
    said = typed("sample-refuses", summary, refused=True)
    assert json.loads(said)["code"] == "signed-instruction-required"
    assert [one.name for one in tmp_path.glob("FILE*")] == ["FILE"]
