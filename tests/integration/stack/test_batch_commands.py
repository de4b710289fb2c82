"""`--batch FILE.jsonl --out FILE.jsonl` on a running installation, in signed and in token mode."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from stack.layout import PROJECT
from strongroom.protocol.encoding import make_id
from strongroom.protocol.mechanisms import KeyType
from tests.support import outside
from tests.support.materials import material_of, private_key
from tests.support.stack import Stack


class Command:
    """The command of Alice's, in a folder of files."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder

    def __call__(self, *arguments: object, status: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "strongroom", *map(str, arguments), "--json"],
            env={"STRONGROOM_HOME": str(self.home), "PYTHONPATH": str(PROJECT)},
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == status, (done.stdout, done.stderr)
        return json.loads(done.stdout)

    def import_key(self, material: bytes, mode: str, *options: str) -> str:
        name = "batch" + make_id("-")[:12]
        (self.folder / "key").write_bytes(material)
        self("import", "key", "--name", name, "--mode", mode, *options)
        return name

    def write(self, name: str, *lines: dict[str, bytes] | str) -> None:
        texts = [line if isinstance(line, str) else json.dumps({k: b64(v) for k, v in line.items()}) for line in lines]
        (self.folder / name).write_text("".join(f"{text}\n" for text in texts))

    def read(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def alice(stack: Stack, tmp_path: Path) -> Command:
    return Command(stack.tenant("acme").home.path, tmp_path)


@pytest.mark.parametrize("mode", ["signed", "token"])
def test_a_file_of_messages_is_signed_and_verified(alice: Command, mode: str) -> None:
    material = material_of(KeyType.EC_SECP256K1)
    name = alice.import_key(material, mode, "--usage", "sign", "--usage", "verify")
    asked = ["--key", name, *(["--token-mode"] if mode == "token" else [])]
    messages = [b"message %d" % n for n in range(40)]
    alice.write("in.jsonl", *({"payload": one} for one in messages))
    said = alice("sign", *asked, "--batch", "in.jsonl", "--out", "out.jsonl", "--format", "raw")
    assert (said["items"], said["failed"], said["mechanism"]) == (40, 0, "ECDSA-SHA256")
    assert (alice.folder / "out.jsonl").stat().st_mode & 0o777 == 0o600
    signatures = [base64.b64decode(one["result"]) for one in alice.read("out.jsonl")]
    for message, signature in zip(messages, signatures, strict=True):
        outside.verify("ECDSA-SHA256", material, outside.to_der(signature), message)
    lines = [{"payload": message, "signature": one} for message, one in zip(messages, signatures, strict=True)]
    alice.write("in.jsonl", *lines, {"payload": b"another", "signature": signatures[0]})
    said = alice("verify", *asked, "--batch", "in.jsonl", "--out", "out.jsonl", "--format", "raw", status=1)
    assert (said["items"], said["invalid"], said["failed"]) == (41, 1, 0)
    assert [one["valid"] for one in alice.read("out.jsonl")] == [True] * 40 + [False]


def test_a_file_of_digests_is_signed(alice: Command) -> None:
    material = material_of(KeyType.RSA)
    name = alice.import_key(material, "signed", "--usage", "sign")
    digests = [outside.digest_by("RSA-PKCS1-SHA384", b"%d" % n) for n in range(3)]
    alice.write("in.jsonl", *({"payload": one} for one in digests))
    options = ["--mechanism", "RSA-PKCS1-SHA384", "--digest", "--batch", "in.jsonl", "--out", "out.jsonl"]
    alice("sign", "--key", name, *options)
    for n, one in enumerate(alice.read("out.jsonl")):
        outside.verify("RSA-PKCS1-SHA384", material, base64.b64decode(one["result"]), b"%d" % n)


def test_files_are_encrypted_translated_and_decrypted_and_bad_lines_keep_their_place(alice: Command) -> None:
    chacha, aes = os.urandom(32), os.urandom(32)
    usages = [part for usage in ("encrypt", "decrypt", "translate") for part in ("--usage", usage)]
    target = alice.import_key(aes, "signed", *usages, "--type", "AES-256", "--encoding", "raw")
    source = alice.import_key(
        chacha, "signed", *usages, "--type", "ChaCha20", "--encoding", "raw", "--translate-to", target
    )
    alice.write("in.jsonl", {"payload": b"a"}, "not json", {"payload": b"b", "aad": b"own"}, '{"payload": "!"}')
    said = alice("encrypt", "--key", source, "--batch", "in.jsonl", "--out", "out.jsonl", status=1)
    assert (said["items"], said["failed"], said["sealed"]) == (4, 2, False)
    said = alice("encrypt", "--key", source, "--batch", "in.jsonl", "--out", "sealed.jsonl", "--sealed", status=1)
    assert (said["items"], said["failed"], said["sealed"]) == (4, 2, True)
    assert [alice("encrypt", "--key", source, "--in", "key", "--out", "one", *more)["sealed"]
            for more in ([], ["--sealed"])] == [False, True]  # fmt: skip
    answers = alice.read("out.jsonl")
    assert [one.get("error", {}).get("code", "") for one in answers] == ["", "malformed", "", "malformed"]
    sealed = [base64.b64decode(answers[n]["result"]) for n in (0, 2)]
    assert outside.unseal("ChaCha20-Poly1305", chacha, sealed[0]) == b"a"
    assert outside.unseal("ChaCha20-Poly1305", chacha, sealed[1], b"own") == b"b"
    alice.write("in.jsonl", {"payload": sealed[0]}, {"payload": sealed[1], "aad": b"own"}, {"payload": sealed[1]})
    options = ["--batch", "in.jsonl", "--out", "out.jsonl"]
    alice("translate", "--key", source, "--to", target, *options, status=1)
    moved = alice.read("out.jsonl")
    assert moved[2]["error"]["code"] == "ciphertext-invalid"
    alice.write("in.jsonl", *({"payload": base64.b64decode(one["result"])} for one in moved[:2]))
    alice("decrypt", "--key", target, *options)
    assert [base64.b64decode(one["result"]) for one in alice.read("out.jsonl")] == [b"a", b"b"]


@pytest.mark.parametrize("more", [(), ("--token-mode",), ("--sealed",)])
def test_many_data_keys_are_made_at_once(alice: Command, more: tuple[str, ...]) -> None:
    kek = os.urandom(32)
    name = alice.import_key(
        kek, "token" if "--token-mode" in more else "signed",
        "--usage", "wrap", "--usage", "unwrap", "--type", "AES-256", "--encoding", "raw",
    )  # fmt: skip
    asked = ["datakey", "--key", name, "--length", "24", *more]
    said = alice(*asked, "--count", "300", "--clear", "clear", "--out", "wrapped")
    assert (said["count"], said["sealed"]) == (300, "--sealed" in more)
    clear, wrapped = (
        [base64.b64decode(line) for line in (alice.folder / one).read_bytes().splitlines()]
        for one in ("clear", "wrapped")
    )
    assert [aes_key_unwrap_with_padding(kek, one) for one in wrapped] == clear
    assert ({len(one) for one in clear}, len(set(clear))) == ({24}, 300)
    assert {(alice.folder / one).stat().st_mode & 0o777 for one in ("clear", "wrapped")} == {0o600}
    alice(*asked, "--count", "1", "--out", "alone")
    assert len((alice.folder / "alone").read_bytes().splitlines()) == 1


def test_a_certification_request_may_be_asked_for_sealed(alice: Command) -> None:
    material = material_of(KeyType.EC_P256)
    name = alice.import_key(material, "signed", "--usage", "sign")
    for more, sealed in (([], False), (["--sealed"], True)):
        said = alice("keys", "csr", name, "--subject", "CN=shop.example", "--out", "request.pem", *more)
        assert (said["mechanism"], said["sealed"]) == ("X509-CSR", sealed)
        request = x509.load_pem_x509_csr((alice.folder / "request.pem").read_bytes())
        assert (request.is_signature_valid, request.subject.rfc4514_string()) == (True, "CN=shop.example")
        assert request.public_key() == private_key(material).public_key()


def test_what_does_not_fit_together_is_refused_and_writes_nothing(alice: Command) -> None:
    secret = os.urandom(40)
    name = alice.import_key(secret, "signed", "--usage", "hash", "--type", "HMAC", "--encoding", "raw")
    alice.write("in.jsonl", {"payload": b"m"})
    alice.write("empty.jsonl")
    for options, code in (
        (["--batch", "in.jsonl", "--in", "in.jsonl", "--out", "out"], "configuration"),
        (["--out", "out"], "configuration"),
        (["--batch", "in.jsonl", "--out", "in.jsonl"], "configuration"),
        (["--batch", "empty.jsonl", "--out", "out"], "malformed"),
        (["--batch", "in.jsonl", "--out", "out", "--token-mode"], "signed-instruction-required"),
    ):
        assert alice("hash", "--key", name, *options, status=1)["code"] == code
        assert not (alice.folder / "out").exists()
    alice("hash", "--key", name, "--batch", "in.jsonl", "--out", "out")
    assert base64.b64decode(alice.read("out")[0]["result"]) == outside.hash_by("HMAC-SHA256", secret, b"m")
