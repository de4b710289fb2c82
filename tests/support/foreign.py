"""Keys and certificates made by tools that nobody here wrote, brought in by command, and judged by the same tools."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.protocol.encoding import make_id
from tests.support.command import run, started

T = TypeVar("T")
ROUTES = [
    ("--transport", transport, "--suite", suite)
    for transport in ("tee", "engine", "channel")
    for suite in ("HPKE-XWING", "RSA-AES-KWP")
]
"""Options for each way in."""
MESSAGE = b"a hundred boxes of paper\n"
WORDS = "open-sesame"


def dealt(forms: Iterable[T]) -> list[tuple[T, tuple[str, ...]]]:
    """Every form of key with a way in, so that all ways have their turn."""
    return list(zip(forms, cycle(ROUTES)))


@dataclass(frozen=True)
class Bench:
    """A folder to work in, and the customer whose command is used. Files are named relative to the folder."""

    folder: Path
    home: Path

    def tool(self, line: str, *, of: bytes = b"", fails: bool = False) -> bytes:
        """Run a tool in the folder, its words separated by blanks; its output."""
        done = subprocess.run(line.split(), cwd=self.folder, input=of, capture_output=True, timeout=60, check=False)
        assert (done.returncode != 0) is fails, (line, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def bring_in(self, file: str, *usages: str, options: tuple[str, ...] = ()) -> "Key":
        """Import a file by command, and answer with the key."""
        if not (self.folder / "words").exists():
            self.write("words", WORDS.encode())
        name = "foreign" + make_id("-")[:16]
        wanted = [word for usage in usages for word in ("--usage", usage)]
        passphrase = ["--key-passphrase-file", self.folder / "words"]
        paths = [self.folder / one if (self.folder / one).is_file() else one for one in options]
        answer = run(self.home, "import", self.folder / file, "--name", name, *wanted, *passphrase, *paths)
        return Key(self, name, answer)


@dataclass(frozen=True)
class Key:
    """A key in the partition, used by command. `answer`: what the import said."""

    bench: Bench
    name: str
    answer: dict[str, Any]

    def use(self, operation: str, payload: bytes, *options: object) -> bytes:
        source, target = self.bench.write("payload", payload), self.bench.folder / "result"
        run(self.bench.home, operation, "--key", self.name, "--in", source, "--out", target, *options)
        return target.read_bytes()

    def sign(self, message: bytes = MESSAGE) -> bytes:
        return self.use("sign", message)

    def derive(self, peer: str, info: str) -> bytes:
        target = self.bench.folder / "derived"
        run(
            self.bench.home,
            *("derive", "--key", self.name, "--peer", self.bench.folder / peer, "--info", info, "--out", target),
        )
        return target.read_bytes()

    def holds(self, signature: bytes, message: bytes = MESSAGE) -> bool:
        """Whether the device says that a signature holds, and that it does not over another message."""
        given = self.bench.write("given", signature)
        answers = []
        for said in (message, message + b"!"):
            source = self.bench.write("payload", said)
            verify = ("verify", "--key", self.name, "--in", source, "--signature", given, "--json")
            out, errors = (process := started(self.bench.home, *verify)).communicate(timeout=60)
            assert process.returncode in (0, 1), errors
            answers.append(json.loads(out)["valid"])
        return answers == [True, False]


def signed_again(certificate: bytes, signature: bytes) -> bytes:
    """A certificate (PEM or DER) with another signature in the place of its own, in PEM."""
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in certificate else x509.load_der_x509_certificate
    old = load(certificate)
    # Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING } (RFC 5280 §4.1)
    der = old.public_bytes(Encoding.DER)
    start = der.index(old.tbs_certificate_bytes)
    kept = der[start : len(der) - len(_tlv(0x03, b"\0" + old.signature))]
    new = _tlv(0x30, kept + _tlv(0x03, b"\0" + signature))
    return x509.load_der_x509_certificate(new).public_bytes(Encoding.PEM)


def to_be_signed(certificate: bytes) -> bytes:
    """What a certificate's signature (PEM or DER) is over."""
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in certificate else x509.load_der_x509_certificate
    return load(certificate).tbs_certificate_bytes


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
