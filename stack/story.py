"""The story that `bin/demo` tells: a customer's keys are used at a provider who never has them."""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_public_key
from rich.markup import escape

from stack.endpoint import serving
from stack.layout import PROJECT, StackError, State
from stack.lifecycle import start, stop
from stack.narration import chapter, console, done, say
from stack.people import read_people
from stack.run import Run, read_run
from stack.whereabouts import show_whereabouts
from strongroom.client import receipts
from strongroom.client.home import Home

TENANT = "acme"
FILE = PROJECT / "README.md"


def demo(state: State, *, port: int | None, leave: bool) -> None:
    """Start a stack, tell the story on it, and stop it: at once, or when the person has seen enough."""
    # Even where a shell started us with SIGINT ignored, as it does in the background.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    supervisor = start(state, port=port, tied=True)
    try:
        Story.begin(state).tell()
        if not leave:
            show_logins(state)
            with contextlib.suppress(KeyboardInterrupt):
                supervisor.wait()
    finally:
        say("stopping")
        stop(supervisor)


def show_logins(state: State) -> None:
    """The portal's address and who can log in there."""
    run, people = _run(state), read_people(state)
    chapter(f"The portal is at {run.url}")
    for one in [*people.admins.values(), *people.officers]:
        console.print(f"  {one.username:<14} password {one.password}   one-time codes from seed {one.otp_seed}")
    say(f"all of this is in {state.access_file}; stop with Ctrl-C")


@dataclass(frozen=True)
class Story:
    """One telling: its keys are called `demo-NUMBER-…`, its files lie in a folder of its own in the customer's home."""

    state: State
    run: Run
    home: Home
    number: int

    @classmethod
    def begin(cls, state: State) -> "Story":
        home = Home(state.customer(TENANT))
        (home.path / "demo").mkdir(mode=0o700, exist_ok=True)
        number = 1 + max((int(path.name) for path in (home.path / "demo").iterdir()), default=0)
        (home.path / "demo" / str(number)).mkdir(mode=0o700)
        return cls(state, _run(state), home, number)

    def tell(self) -> None:
        began = time.monotonic()
        # 1. The customer looks before it leaps.
        chapter("Acme checks whom it is dealing with")
        self._strongroom("trust")
        done(f"an independent validator at {self.run.validator_url} has seen both keys, and says since when")
        # 2. Its keys go in; nobody on the way can open them.
        chapter("Acme makes three keys and brings them in")
        self._make_keys()
        self._import_keys()
        # 3. They are used.
        chapter("Acme signs a file, and the world verifies it")
        self._sign_by_command()
        self._sign_by_http()
        chapter("Acme encrypts, translates, decrypts and hashes")
        self._protect_a_message()
        # 4. One of them ends when the customer says so.
        chapter("Acme pulls the plug on a key")
        self._revoke_a_key()
        # 5. What was done is on record, and the provider cannot change the record.
        chapter("Acme verifies the log of its partition")
        self._strongroom("log", "verify")
        # 6. And the keys?
        chapter("Where is my key?")
        show_whereabouts(self.state, self.run, self.home, [self._file(f"{one}.key") for one in KEYS])
        say(f"told in {time.monotonic() - began:.0f} s")

    # --- keys ---

    def _make_keys(self) -> None:
        self._make_rsa(self._file("rsa.key"))
        key = ec.generate_private_key(ec.SECP256R1())
        self._write("ec.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._write("aes.key", secrets.token_bytes(32))
        done("an RSA-3072, a P-256 and an AES-256 key, in files of Acme's own machine")

    def _make_rsa(self, path: Path) -> None:
        if shutil.which("openssl"):
            make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", path.name]
            say(f"$ openssl {' '.join(make)}")
            # OpenSSL makes the file with mode 0600; its standard error is a row of dots.
            subprocess.run(["openssl", *make], check=True, cwd=path.parent, stderr=subprocess.DEVNULL)
        else:
            key = rsa.generate_private_key(65537, 3072)
            self._write(path.name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _import_keys(self) -> None:
        for kind, mode, usages, more in (
            ("aes", "signed", "encrypt decrypt hash", []),
            ("rsa", "signed", "sign verify encrypt decrypt translate", ["--translate-to", self._name("aes")]),
            # The provider's engine, not the device, takes off the outer layer of this one. It cannot open the inner.
            ("ec", "token", "sign verify", ["--transport", "engine"]),
        ):
            uses = [part for usage in usages.split() for part in ("--usage", usage)]
            self._strongroom(
                "import", f"{kind}.key", "--name", self._name(kind), "--mode", mode, *uses, *more, quiet=True
            )
            receipt = receipts.verify_kept(self.home, self._name(kind), int(time.time())).receipt
            done(f"{receipt.name} is in the partition ({receipt.key_type}, {mode} mode), and the receipt holds")
        self._strongroom("receipt", "verify", self._name("rsa"))

    # --- operations ---

    def _sign_by_command(self) -> None:
        name = self._name("rsa")
        self._strongroom("sign", "--key", name, "--in", str(FILE), "--out", "readme.rsa.sig")
        self._verify_outside("rsa", "readme.rsa.sig")
        # Without the device's signature the provider's word is worth nothing for this key.
        refused = self._ask_by_http(name, "sign", FILE.read_bytes())
        if refused.status_code != 403:
            raise StackError("A key in signed mode was used without a signed instruction.")
        done(f"the same asked with the token alone is refused: {refused.json()['code']}")

    def _sign_by_http(self) -> None:
        name = self._name("ec")
        body = '{"payload": "…"}'
        say(escape(f"$ curl -H 'Authorization: Bearer …' --json '{body}' {self.run.url}/api/v1/keys/{name}/sign"))
        answer = self._ask_by_http(name, "sign", FILE.read_bytes()).raise_for_status().json()
        self._write("readme.ec.sig", base64.b64decode(answer["result"]))
        done(f"{answer['key_id']} signed {FILE.name} in token mode: {answer['mechanism']}")
        self._verify_outside("ec", "readme.ec.sig")

    def _protect_a_message(self) -> None:
        message = b"The quick brown fox jumps over the lazy dog."
        self._write("message", message)
        rsa_key, aes_key = self._name("rsa"), self._name("aes")
        self._strongroom("encrypt", "--key", rsa_key, "--in", "message", "--out", "message.rsa")
        self._strongroom("translate", "--key", rsa_key, "--in", "message.rsa", "--out", "message.aes", "--to", aes_key)
        self._strongroom("decrypt", "--key", aes_key, "--in", "message.aes", "--out", "message.again")
        if self._file("message.again").read_bytes() != message:
            raise StackError("What was decrypted is not the message.")
        done("encrypted by RSA, translated to AES inside the device, decrypted: the message is the same")
        self._strongroom("hash", "--key", aes_key, "--in", "message", "--out", "message.hmac")
        own = hmac.new(self._file("aes.key").read_bytes(), message, hashlib.sha256).digest()
        if not hmac.compare_digest(own, self._file("message.hmac").read_bytes()):
            raise StackError("The HMAC is not that of the key.")
        done("its HMAC is the one that Acme computes itself")

    def _revoke_a_key(self) -> None:
        name, every = self._name("guarded"), 2
        key = ec.generate_private_key(ec.SECP256R1())
        self._write("guarded.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        sign = ("sign", "--key", name, "--in", str(FILE), "--out", "readme.guarded.sig")
        with serving(self._file("endpoint")) as port:
            say(f"$ strongroom revocation serve --dir endpoint --port {port} &")
            guard = (
                "--revoke-at",
                f"https://localhost:{port}/",
                "--revoke-dir",
                "endpoint",
                "--revoke-every",
                f"{every}s",
            )
            self._strongroom("import", "guarded.key", "--name", name, "--usage", "sign", *guard, quiet=True)
            done("sealed beside the key: whom the device must ask, by which certificate, with which token, how often")
            self._strongroom("revocation", "drill", name)
            self._strongroom(*sign)
            self._strongroom("revocation", "revoke", name, "--dir", "endpoint", "--reason", "a rehearsal", quiet=True)
            time.sleep(every)
            self._strongroom(*sign, refused=True)
        done(f"{every} s after Acme's word nobody can use it: the device has destroyed it")

    def _ask_by_http(self, name: str, operation: str, payload: bytes) -> httpx.Response:
        return httpx.post(
            f"{self.run.url}/api/v1/keys/{name}/{operation}",
            headers={"Authorization": f"Bearer {self.home.token()}"},
            json={"payload": base64.b64encode(payload).decode()},
        )

    def _verify_outside(self, kind: str, signature: str) -> None:
        """With the public key of the verified receipt, by a program that knows nothing of Strongroom."""
        checked = receipts.verify_kept(self.home, self._name(kind), int(time.time()))
        public = self._write(f"{kind}.pub", checked.receipt.public_key.encode())
        if shutil.which("openssl"):
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if kind == "rsa" else []
            how = ["openssl", "dgst", "-sha256", *pss, "-verify", public.name, "-signature", signature, str(FILE)]
            say(f"$ {' '.join(how[:-1])} {FILE.name}")
            subprocess.run(how, check=True, cwd=public.parent, stdout=subprocess.DEVNULL)
            done("OpenSSL says: verified")
        else:
            _verify(public.read_bytes(), self._file(signature).read_bytes(), FILE.read_bytes())
            done("verified by a library (there is no openssl command here)")

    # --- machinery ---

    def _strongroom(self, *arguments: str, quiet: bool = False, refused: bool = False) -> None:
        """The command as Acme types it; `quiet` leaves out what it answers, `refused` is what must become of it."""
        say(f"$ strongroom {escape(' '.join(one.replace(str(PROJECT) + '/', '') for one in arguments))}")
        command = [sys.executable, "-m", "strongroom", *arguments]
        environment = os.environ | {"STRONGROOM_HOME": str(self.home.path), "PYTHONPATH": str(PROJECT)}
        output = subprocess.DEVNULL if quiet else None
        status = subprocess.run(command, env=environment, cwd=self._file("."), stdout=output, check=False).returncode
        if status != (1 if refused else 0):
            raise StackError(f"`strongroom {arguments[0]}` {'was not refused' if refused else 'failed'}.")

    def _name(self, kind: str) -> str:
        return f"demo-{self.number}-{kind}"

    def _file(self, name: str) -> Path:
        return self.home.path / "demo" / str(self.number) / name

    def _write(self, name: str, data: bytes) -> Path:
        path = self._file(name)
        path.touch(mode=0o600)
        path.write_bytes(data)
        return path


KEYS = ("rsa", "ec", "aes")


def _verify(public_pem: bytes, signature: bytes, message: bytes) -> None:
    public = load_pem_public_key(public_pem)
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    else:
        raise StackError("A receipt holds a public key of another kind.")


def _run(state: State) -> Run:
    run = read_run(state)
    if run is None:
        raise StackError("The stack has no record of itself.")
    return run
