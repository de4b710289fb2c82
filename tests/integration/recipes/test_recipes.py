"""Every recipe is typed as it stands on its page, before a running installation; and each check on it can fail."""

import re
import socket
from pathlib import Path
from typing import get_args

import pytest

from stack.layout import PROJECT
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Transport
from strongroom.protocol.suites import SUITES
from tests.support.command import run
from tests.support.recipes import FOLDER, checkout, commands, steps, succeeds, typed
from tests.support.stack import Stack

OPENSSL, HSM = "import-with-openssl.md", "import-from-another-hsm.md"
MADE = "keys-made-in-the-device.md"
BY_HAND = commands(OPENSSL)
# What the page on another HSM says to do in which order, for either kind of key.
FROM_HSM = {
    kind: commands(OPENSSL, "0", "1", "2", "3")
    + commands(HSM, "2", "3", f"4{kind}")
    + commands(OPENSSL, "5")
    + commands(HSM, "5")
    + commands(OPENSSL, "7", "8", "9")
    + commands(HSM, f"7{kind}")
    for kind in ("a", "b")
}


@pytest.fixture
def project(tmp_path: Path, stack: Stack) -> Path:
    return checkout(tmp_path, stack)


@pytest.fixture
def alice(stack: Stack) -> Path:
    return stack.tenant("acme").home.path


def test_every_page_is_typed_by_a_test() -> None:
    typed_here = {OPENSSL, HSM, "import-with-the-command.md", "import-with-javascript.md", "revocation.md", MADE}
    typed_here |= {"asynchronous-and-bulk.md"}
    assert {page.name for page in FOLDER.glob("*.md")} == typed_here
    for page in typed_here:
        fences = re.findall(r"^```.*$", (FOLDER / page).read_text(), re.MULTILINE)
        assert fences == ["```sh", "```"] * (len(fences) // 2)
    assert {name for name, text in steps(FOLDER / HSM).items() if text} == {"2", "3", "4a", "4b", "5", "7a", "7b"}


@pytest.mark.needs("openssl", "ssh-keygen")
def test_the_command(project: Path, alice: Path) -> None:
    succeeds(project, commands("import-with-the-command.md"))
    kept = {one["name"]: one for one in run(alice, "keys")}
    assert kept["invoices-2027"]["version"] == 2
    ways = [f"some-{way}-{suite}" for way in get_args(Transport) for suite in SUITES]
    assert all(one in kept for one in ways)


@pytest.mark.needs("openssl")
def test_keys_made_in_the_device(project: Path, alice: Path) -> None:
    said = succeeds(project, commands(MADE))
    assert "Verified OK" in said
    first, second = (run(alice, "receipt", "verify", "shop", "--version", one)["receipt"] for one in ("1", "2"))
    assert (first["origin"], second["origin"], first["public_key"]) == ("made", "kept", second["public_key"])
    assert [one["state"] for one in run(alice, "keys", "versions", "vault")] == ["below-minimum", "active"]


@pytest.mark.needs("openssl")
def test_revocation(project: Path, alice: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = succeeds(project, commands("revocation.md").replace("PORT=8447", f"PORT={port}"))
    assert "the last operation is accepted within 60 s" in " ".join(said.split())
    kept = {one["name"]: one["state"] for one in run(alice, "keys")}
    assert kept["release-far"] == "revoked"
    assert run(alice, "revocation", "status", "release")["versions"][0]["status"]["state"] == "revoked"


@pytest.mark.needs("openssl", "curl")
def test_asynchronous_and_bulk(project: Path, alice: Path) -> None:
    succeeds(project, commands("asynchronous-and-bulk.md"))
    assert [one["status"] for one in run(alice, "job", "list")[:2]] == ["done", "done"]


@pytest.mark.needs("openssl", "curl")
def test_openssl_and_curl(project: Path, alice: Path) -> None:
    succeeds(project, BY_HAND)
    shown = run(alice, "keys", "show", "made-with-openssl")
    assert shown["public_key"] == (project / "by-hand" / "public.pem").read_text()
    assert not (project / "by-hand" / "key.pem").exists()


@pytest.mark.needs("openssl", "curl", "softhsm2-util", "pkcs11-tool")
@pytest.mark.parametrize("kind", list(FROM_HSM))
def test_another_hsm(project: Path, kind: str) -> None:
    succeeds(project, FROM_HSM[kind])
    assert not (project / "by-hand" / "kek").exists()


@pytest.mark.needs("node", "npm", "curl", "openssl")
def test_javascript(project: Path, alice: Path) -> None:
    succeeds(project, commands("import-with-javascript.md"))
    assert run(alice, "receipt", "verify", "made-with-javascript")["receipt"]["key_type"] == "Ed25519"


@pytest.mark.needs("node", "npm", "curl", "openssl")
def test_javascript_under_another_context_is_refused(project: Path) -> None:
    text = commands("import-with-javascript.md").replace("made-with-javascript", "of-another-context")
    assert "strongroom-envelope-1" in text
    done = typed(project, text.replace("strongroom-envelope-1", "strongroom-envelope-2"))
    assert done.returncode != 0
    assert "envelope-unopenable" in (project / "with-javascript" / "answer.json").read_text()


# --- the checks by hand stop what they should ---

STOPPED = {
    "the hierarchy is another": ("mode=development", "mode=production", ""),
    "the endorsement's signature is altered": (
        "get answer.json endorsement >vendor.jws",
        "get answer.json endorsement | sed 's/.\\{8\\}$/AAAAAAAA/' >vendor.jws",
        "",
    ),
    "the endorsement is of another import": (
        '"$(get vendor.json import_id)" "$import_id"',
        '"$(get vendor.json import_id)" imp_another',
        "STOP: import of the vendor key",
    ),
    "the manufacturer's answer is to another question": (
        'vouched vendor manufacturer "$nonce"',
        "vouched vendor manufacturer another",
        "STOP: nonce of manufacturer",
    ),
    "the manufacturer's answer is about other bytes": (
        'vouched vendor manufacturer "$nonce"',
        'printf . >>vendor.der; vouched vendor manufacturer "$nonce"',
        "STOP: bytes of the key of manufacturer",
    ),
    "the provider's answer is signed by another": (
        "by_provider validator validation",
        "cp manufacturer.jws validator.jws; by_provider validator validation",
        "",
    ),
    "the attestation is another kind of statement": (
        "by_device attestation attestation",
        "cp vendor.jws attestation.jws; by_device attestation attestation",
        "STOP: typ of attestation",
    ),
    "the partition has another owner": (
        'owners)" "[\\"$owner\\"]"',
        'owners)" "[\\"another\\"]"',
        "STOP: owners",
    ),
}


@pytest.mark.needs("openssl", "curl")
@pytest.mark.parametrize("what", list(STOPPED))
def test_by_hand_nothing_is_sealed_where(project: Path, what: str) -> None:
    there, instead, says = STOPPED[what]
    assert there in BY_HAND
    done = typed(project, BY_HAND.replace(there, instead))
    assert done.returncode != 0
    assert says in done.stderr
    assert not (project / "by-hand" / "material").exists()


@pytest.mark.needs("openssl", "curl")
def test_by_hand_a_receipt_of_another_envelope_is_refused(project: Path) -> None:
    text = BY_HAND.replace("made-with-openssl", "made" + make_id("-")[:8])
    done = typed(project, text.replace("\nby_device receipt receipt\n", "\nby_device receipt receipt\necho >>terms\n"))
    assert done.returncode != 0
    assert "STOP: terms" in done.stderr


# --- the README ---


@pytest.mark.needs("openssl", "curl")
def test_a_newcomer_follows_only_the_readme(project: Path, stack: Stack, alice: Path) -> None:
    text = steps(PROJECT / "README.md")["Bring"]
    assert text.count("strongroom import") == 1
    succeeds(project, text)
    assert run(alice, "receipt", "verify", "my-own")["compared"]
