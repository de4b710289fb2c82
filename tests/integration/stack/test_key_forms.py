"""Keys that OpenSSL made come in, in the form in which they came, and OpenSSL checks what the device does with them."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from strongroom.client import imports
from strongroom.client.manifest import KeySettings
from strongroom.client.operations import operate
from strongroom.protocol.encoding import b64u, make_id
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType, Usage
from tests.support.stack import Stack

MESSAGE = b"what is to be signed"
SIGN = KeySettings(usage=[Usage.SIGN, Usage.VERIFY])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message").write_bytes(MESSAGE)
    return tmp_path


def openssl(folder: Path, line: str) -> bytes:
    return subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True, input=b"").stdout


def import_file(stack: Stack, file: Path, settings: KeySettings, passphrase: bytes | None = None) -> str:
    """Bring a key file in; the key's name."""
    name, material = "form" + make_id("-")[:12], settings.read(file, passphrase)
    with stack.tenant("acme").connect() as alice:
        imports.import_key(alice, material, name, settings.terms(material), int(time.time()))
    return name


def use(stack: Stack, usage: Usage, name: str, payload: bytes, **parameters: Any) -> bytes:
    with stack.tenant("acme").connect() as alice:
        outcome = operate(alice, usage, name, payload, now=int(time.time()), parameters=Parameters(**parameters))
    return outcome.result if outcome.valid is None else bytes([outcome.valid])


RSA_PSS = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"


@pytest.mark.parametrize(
    ("made", "checked"),
    [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072", f"dgst -sha256 {RSA_PSS}"),
        ("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", f"dgst -sha256 {RSA_PSS}"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", "dgst -sha256"),
        ("ecparam -name secp384r1 -genkey", "dgst -sha384"),
        ("ecparam -name secp521r1 -genkey -noout", "dgst -sha512"),
    ],
)
def test_openssl_verifies_what_its_key_signed(stack: Stack, folder: Path, made: str, checked: str) -> None:
    openssl(folder, f"{made} -out key.pem")
    openssl(folder, "pkey -in key.pem -pubout -out public.pem")
    signature = use(stack, Usage.SIGN, import_file(stack, folder / "key.pem", SIGN), MESSAGE)
    (folder / "signature").write_bytes(signature)
    said = openssl(folder, f"{checked} -verify public.pem -signature signature message")
    assert said == b"Verified OK\n"


def test_a_key_with_its_chain_comes_from_pkcs12_and_its_certificate_alone_verifies(stack: Stack, folder: Path) -> None:
    new_ca = "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca"
    openssl(folder, new_ca)
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout key.pem -out key.csr -subj /CN=leaf")
    openssl(folder, "x509 -req -in key.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 10")
    openssl(folder, "pkcs12 -export -inkey key.pem -in leaf.pem -certfile ca.pem -out key.p12 -passout pass:words")
    whole = import_file(stack, folder / "key.p12", SIGN, b"words")
    signature = use(stack, Usage.SIGN, whole, MESSAGE)
    public = import_file(stack, folder / "leaf.pem", KeySettings(usage=[Usage.VERIFY, Usage.ENCRYPT]))
    assert use(stack, Usage.VERIFY, public, MESSAGE, signature=b64u(signature)) == b"\x01"
    assert use(stack, Usage.VERIFY, public, MESSAGE + b"?", signature=b64u(signature)) == b"\x00"
    # What the public half encrypts, OpenSSL decrypts.
    (folder / "sealed").write_bytes(use(stack, Usage.ENCRYPT, public, b"hello"))
    oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"
    assert openssl(folder, f"pkeyutl -decrypt -inkey key.pem -in sealed {oaep}") == b"hello"


def test_an_hmac_in_hexadecimal_is_openssls(stack: Stack, folder: Path) -> None:
    (folder / "key.hex").write_bytes(openssl(folder, "rand -hex 48"))
    settings = KeySettings(usage=[Usage.HASH], type=KeyType.HMAC, encoding="hex")
    name = import_file(stack, folder / "key.hex", settings)
    digits = (folder / "key.hex").read_text().strip()
    said = openssl(folder, f"dgst -sha256 -mac HMAC -macopt hexkey:{digits} -binary message")
    assert use(stack, Usage.HASH, name, MESSAGE) == said


@pytest.mark.parametrize("length", [16, 24, 32])
def test_aes_keys_of_every_length_encrypt_and_decrypt(stack: Stack, folder: Path, length: int) -> None:
    (folder / "key.bin").write_bytes(openssl(folder, f"rand {length}"))
    name = import_file(stack, folder / "key.bin", KeySettings(usage=[Usage.ENCRYPT, Usage.DECRYPT]))
    sealed = use(stack, Usage.ENCRYPT, name, MESSAGE)
    assert MESSAGE not in sealed
    assert use(stack, Usage.DECRYPT, name, sealed) == MESSAGE
