"""Key files that the page of imports does not read: each refusal says what to type, which makes one that it reads."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from tests.support.page_modules import PageModules, pkcs8, read
from tests.support.scripted_endpoint import Identity

pytestmark = pytest.mark.needs("node", "npm")

COMMAND = "strongroom import"
OLD, NEW = "the passphrase before", "the passphrase afterwards"
GOOD = ec.generate_private_key(ec.SECP256R1())
ISSUER = Identity("issuer", ca=True)
OWN = Identity("key", issuer=ISSUER)


def locked(form: PrivateFormat, key: Any = GOOD) -> bytes:
    data: bytes = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(OLD.encode()))
    return data


def test_what_is_no_key_for_a_browser_is_refused_with_a_reason(modules: PageModules) -> None:
    damaged = bytearray(pkcs8(GOOD))
    damaged[-40] ^= 1
    for data, key_type, code, said in [
        (b"", "", "key-unparsable", "empty"),
        (b"a shopping list, which is long enough to be no key", "", "key-unparsable", "no key that the browser reads"),
        (pkcs8(GOOD, Encoding.PEM)[:90], "", "key-unparsable", "cut off"),
        (pkcs8(GOOD, Encoding.PEM) * 2, "", "key-unparsable", "several keys"),
        (pkcs8(GOOD) + b"\0", "", "key-unparsable", "no key that the browser reads"),
        (bytes(damaged), "", "key-unparsable", "damaged"),
        (pkcs8(ec.generate_private_key(ec.SECP256K1())), "", "key-unparsable", "command knows more"),
        (pkcs8(rsa.generate_private_key(3, 2048)), "", "key-weak", "exponent"),
        (pkcs8(GOOD), "RSA", "key-unparsable", "EC-P256, and not RSA"),
        (b'{"kty":"oct","k":"AAAA"}', "", "key-weak", "this one has 3"),
        (b'{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}', "", "key-unparsable", "command knows more"),
        (b'{"keys":[{"kty":"oct"},{"kty":"oct"}]}', "", "key-unparsable", "2 keys"),
        (b"0123456789abcdef", "", "key-unparsable", "spell the key"),
        (bytes(8), "HMAC", "key-weak", "16 to 1024"),
        (b"0123456789abcdeX\n", "AES-128", "key-unparsable", "line feed"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", "", "key-unparsable", "not accepted"),
    ]:
        refused = read(modules, data, key_type)
        assert (refused.get("refused"), said in refused.get("sentence", "")) == (code, True), (data[:20], refused)


def test_other_forms_are_refused_with_the_commands_that_convert_or_import_them(modules: PageModules) -> None:
    old_public = GOOD.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for data, tool in [
        (locked(PrivateFormat.TraditionalOpenSSL), "openssl pkcs8 -topk8"),
        (pkcs12.serialize_key_and_certificates(b"k", GOOD, None, None, NoEncryption()), "openssl pkcs12"),
        (GOOD.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "ssh-keygen -p -m PKCS8"),
        (old_public, "ssh-keygen -e -m PKCS8"),
        (pkcs8(ec.generate_private_key(ec.SECP256K1())), COMMAND),
        (b"something longer than any key of a block cipher", COMMAND),
        (b"PuTTY-User-Key-File-3: ssh-ed25519", "puttygen"),
    ]:
        refused = read(modules, data)
        assert refused["refused"] == "key-unparsable"
        assert any(one.startswith(tool) for one in refused["ways"]), refused
        assert COMMAND in refused["ways"] or tool == "puttygen", refused


def convert(command: str, folder: Path, data: bytes) -> bytes:
    """What a refusal says to type, in a folder with the file; the passphrases are those that somebody would type."""
    (folder / "FILE").write_bytes(data)
    words = shlex.split(command)
    passes = {
        "pkcs8": ["-passin", "env:OLD", "-passout", "env:NEW"],
        "pkcs12": ["-passin", "env:OLD", "-passout", "env:NEW"],
        "pkcs7": [],
    }
    more = passes[words[1]] if words[0] == "openssl" else ["-N", NEW, "-P", OLD] if "-p" in words else []
    kept, out = command.partition(" >")[::2]
    environment = {**os.environ, "OLD": OLD, "NEW": NEW}
    (folder / "FILE").chmod(0o600)
    done = subprocess.run([*shlex.split(kept), *more], cwd=folder, env=environment, capture_output=True, check=True)
    if out:
        return done.stdout
    return (folder / ("NEW" if "NEW" in words else "FILE")).read_bytes()


@pytest.mark.needs("openssl", "ssh-keygen")
@pytest.mark.parametrize("kind", ["old PEM", "PKCS#12", "OpenSSH", "OpenSSH, public"])
def test_what_the_refusal_says_to_type_makes_a_file_that_the_page_reads(
    modules: PageModules, tmp_path: Path, kind: str
) -> None:
    lock = BestAvailableEncryption(OLD.encode())
    chain = [ISSUER.certificate]
    data = {
        "old PEM": lambda: locked(PrivateFormat.TraditionalOpenSSL),
        "PKCS#12": lambda: pkcs12.serialize_key_and_certificates(b"k", OWN.key, OWN.certificate, chain, lock),
        "OpenSSH": lambda: locked(PrivateFormat.OpenSSH),
        "OpenSSH, public": lambda: GOOD.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    }[kind]()
    made = convert(read(modules, data)["ways"][0], tmp_path, data)
    found = read(modules, made, passphrase=NEW)
    assert "refused" not in found, found
    assert len(found["chain"]) == (2 if kind == "PKCS#12" else 0)


def test_what_no_tool_converts_takes_the_command(modules: PageModules) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for data in (locked(PrivateFormat.OpenSSH, key), public):
        assert read(modules, data)["ways"] == [COMMAND]


@pytest.mark.needs("openssl")
def test_a_passphrase_in_a_way_that_browsers_lack_is_written_anew(modules: PageModules, tmp_path: Path) -> None:
    for scheme in (["-v1", "PBE-SHA1-3DES"], ["-scrypt"], ["-v2", "aes-192-cbc"]):
        (tmp_path / "plain").write_bytes(pkcs8(GOOD, Encoding.PEM))
        subprocess.run(
            ["openssl", "pkcs8", "-topk8", *scheme, "-in", "plain", "-out", "locked", "-passout", f"pass:{OLD}"],
            cwd=tmp_path,
            check=True,
        )
        data = (tmp_path / "locked").read_bytes()
        refused = read(modules, data, passphrase=OLD)
        assert refused["refused"] == "key-unparsable", scheme
        made = convert(refused["ways"][0], tmp_path, data)
        assert read(modules, made, passphrase=NEW).get("key_type") == "EC-P256", scheme


@pytest.mark.needs("openssl")
def test_certificates_in_pkcs7_are_taken_out(modules: PageModules, tmp_path: Path) -> None:
    bundle = pkcs7.serialize_certificates([OWN.certificate, ISSUER.certificate], Encoding.PEM)
    refused = read(modules, pkcs8(OWN.key), certificate=bundle)
    assert refused["refused"] == "certificate-mismatch"
    made = convert(refused["ways"][0], tmp_path, bundle)
    assert len(read(modules, pkcs8(OWN.key), certificate=made)["chain"]) == 2
