"""Keys that pkcs11-tool made in SoftHSM: the device computes what that HSM does, and each verifies the other's."""

import hashlib
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from tests.support.foreign import MESSAGE, ROUTES, Bench, Key, dealt
from tests.support.recipes import script

pytestmark = pytest.mark.needs("softhsm2-util", "pkcs11-tool", "openssl")

PIN = "123456"
MODULES = [Path(folder) / "softhsm" / "libsofthsm2.so" for folder in ("/usr/lib", "/usr/local/lib", "/usr/lib64")]
KEK = bytes(range(32))
PSS = "SHA256-RSA-PKCS-PSS --salt-len 32"
# The kind of key pair, how the HSM signs with it, and the digest that it has to be given.
PAIRS = {
    "rsa:2048": (PSS, ""),
    "EC:prime256v1": ("ECDSA --signature-format openssl", "sha256"),
    "EC:secp384r1": ("ECDSA --signature-format openssl", "sha384"),
    "EC:secp521r1": ("ECDSA --signature-format openssl", "sha512"),
}


class Token:
    """SoftHSM by pkcs11-tool, in a bench's folder."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.module = next(str(path) for path in MODULES if path.exists())
        bench.tool(f"softhsm2-util --init-token --free --label own --so-pin 12345678 --pin {PIN}")

    def __call__(self, line: str) -> bytes:
        return self.bench.tool(f"pkcs11-tool --module {self.module} --token-label own --login --pin {PIN} {line}")

    def made(self, line: str, file: str) -> bytes:
        """What a command writes to a file."""
        self(f"{line} --output-file {file}")
        return (self.bench.folder / file).read_bytes()

    def make_pair(self, kind: str) -> None:
        self(f"--keypairgen --key-type {kind} --id 01 --label one --extractable --usage-sign")

    def sign(self, kind: str, message: bytes = MESSAGE) -> bytes:
        self.bench.write("message", self._given(kind, message))
        return self.made(f"--sign --mechanism {PAIRS[kind][0]} --id 01 --input-file message", "signature")

    def holds(self, kind: str, signature: bytes, message: bytes = MESSAGE) -> bool:
        self.bench.write("message", self._given(kind, message))
        self.bench.write("signature", signature)
        line = f"--verify --mechanism {PAIRS[kind][0]} --id 01 --input-file message --signature-file signature"
        return b"Signature is valid" in self(line).splitlines()

    def _given(self, kind: str, message: bytes) -> bytes:
        name = PAIRS[kind][1]
        return hashlib.new(name, message).digest() if name else message


@pytest.fixture
def hsm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Token:
    (bench.folder / "tokens").mkdir()
    bench.write("softhsm2.conf", f"directories.tokendir = {bench.folder}/tokens\n".encode())
    monkeypatch.setenv("SOFTHSM2_CONF", str(bench.folder / "softhsm2.conf"))
    return Token(bench)


def taken_out(hsm: Token) -> bytes:
    """The private key in DER, as OpenSSL reads it from what the HSM wrapped under a key that we know."""
    hsm.bench.write("kek", KEK)
    hsm("--write-object kek --type secrkey --key-type AES:32 --id 0e --label kek --usage-wrap")
    hsm.bench.write("wrap.py", script("import-from-another-hsm.md", "wrap.py").encode())
    wrapped = hsm.bench.tool(f"{sys.executable} wrap.py {hsm.module} one", of=f"{PIN}\n".encode())
    return hsm.bench.tool("openssl pkey -inform DER -outform DER", of=aes_key_unwrap_with_padding(KEK, wrapped))


@pytest.mark.parametrize(("kind", "route"), dealt(PAIRS))
def test_a_key_pair_of_its_signs_in_both(hsm: Token, kind: str, route: tuple[str, ...]) -> None:
    hsm.make_pair(kind)
    hsm.bench.write("key", taken_out(hsm))
    key = hsm.bench.bring_in("key", "sign", "verify", options=route)
    signature = key.sign()
    assert hsm.holds(kind, signature)
    assert not hsm.holds(kind, signature, MESSAGE + b"!")
    assert key.holds(hsm.sign(kind))


@pytest.mark.parametrize(("kind", "route"), dealt(["rsa:2048", "EC:prime256v1"]))
def test_a_public_key_of_its_alone_verifies(hsm: Token, kind: str, route: tuple[str, ...]) -> None:
    hsm.make_pair(kind)
    hsm.made("--read-object --type pubkey --id 01", "public.der")
    assert hsm.bench.bring_in("public.der", "verify", options=route).holds(hsm.sign(kind))


def secret(hsm: Token, kind: str, *usages: str, options: tuple[str, ...]) -> Key:
    hsm(f"--keygen --key-type {kind} --id 02 --label two --extractable --usage-sign --usage-decrypt")
    hsm.made("--read-object --type secrkey --id 02", "secret")
    return hsm.bench.bring_in("secret", *usages, options=options)


@pytest.mark.parametrize(("kind", "route"), dealt(["AES:16", "AES:24", "AES:32"]))
def test_an_aes_key_of_its_has_the_same_check_value(hsm: Token, kind: str, route: tuple[str, ...]) -> None:
    key = secret(hsm, kind, "encrypt", "decrypt", options=route)
    hsm.bench.write("zeros", bytes(16))
    encrypted = hsm.made("--encrypt --mechanism AES-ECB --id 02 --input-file zeros", "encrypted")
    assert key.answer["receipt"]["check_value"] == encrypted[:3].hex()
    assert key.use("decrypt", key.use("encrypt", MESSAGE)) == MESSAGE


def test_a_generic_secret_of_its_hashes_alike(hsm: Token) -> None:
    key = secret(hsm, "GENERIC:48", "hash", options=("--type", "HMAC", *ROUTES[3]))
    hsm.bench.write("message", MESSAGE)
    assert key.use("hash", MESSAGE) == hsm.made("--sign --mechanism SHA256-HMAC --id 02 --input-file message", "mac")
