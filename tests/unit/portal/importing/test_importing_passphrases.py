"""What the browser puts under a passphrase, the command and OpenSSL open, and nobody without it."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.files import read_signing_key
from strongroom.protocol.errors import Refused
from tests.support.page_modules import PageModules, pkcs8

pytestmark = pytest.mark.needs("node", "npm")

PASSPHRASE = "open sesame, ünd mehr"


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def locked(modules: PageModules, key: Ed25519PrivateKey, tmp_path: Path) -> Path:
    """The file that the page has saved."""
    script = """
        const { lock } = await import("./passphrase.js");
        const pem = await import("./pem.js");
        return pem.write(await lock(fromHex(given.key), given.passphrase), "ENCRYPTED PRIVATE KEY");
    """
    path = tmp_path / "owner.pem"
    path.write_text(modules.run(script, {"key": pkcs8(key).hex(), "passphrase": PASSPHRASE}))
    return path


def test_the_command_opens_it_with_the_passphrase_and_with_no_other(locked: Path, key: Ed25519PrivateKey) -> None:
    found = read_signing_key(locked, lambda name: PASSPHRASE.encode(), "")
    assert found.private_bytes_raw() == key.private_bytes_raw()
    with pytest.raises(Refused, match="passphrase is wrong"):
        read_signing_key(locked, lambda name: PASSPHRASE.encode() + b"!", "")
    with pytest.raises(Refused, match="under a passphrase"):
        read_signing_key(locked, None, "")


@pytest.mark.needs("openssl")
def test_openssl_opens_it_and_names_what_it_is_under(locked: Path, key: Ed25519PrivateKey, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    opened = subprocess.run(
        ["openssl", "pkcs8", "-in", locked, "-passin", f"file:{tmp_path / 'passphrase'}", "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    assert opened == pkcs8(key)
    said = subprocess.run(["openssl", "asn1parse", "-in", locked], check=True, capture_output=True, text=True).stdout
    for word in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", f":{600_000:06X}"):
        assert word in said


def test_the_page_opens_what_it_has_put_under_a_passphrase(
    modules: PageModules, locked: Path, key: Ed25519PrivateKey
) -> None:
    script = """
        const { unlock } = await import("./passphrase.js");
        const pem = await import("./pem.js");
        return hex(await unlock(pem.blocks(given.file, "ENCRYPTED PRIVATE KEY")[0], given.passphrase));
    """
    given = {"file": locked.read_text(), "passphrase": PASSPHRASE}
    assert modules.run(script, given) == pkcs8(key).hex()
    refused = modules.run(script, given | {"passphrase": "another"})
    assert refused["refused"] == "key-unparsable"
