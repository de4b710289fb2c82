"""An authority as many run one: `openssl ca` over a folder, `openssl ocsp` as responder, lists on a static server."""

import functools
import socket
import subprocess
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from strongroom.protocol.encoding import b64u

CONFIGURATION = """
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = issuer.pem
private_key = issuer.key
default_md = sha256
default_days = 1
default_crl_days = 1
policy = any
[any]
commonName = supplied
[leaf]
authorityInfoAccess = OCSP;URI:http://localhost:{ocsp}/
crlDistributionPoints = URI:http://localhost:{lists}/issuer.crl
[responder]
extendedKeyUsage = OCSPSigning
[none]
basicConstraints = CA:FALSE
"""
Signer = Literal["issuer", "responder", "stranger"]


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class OpensslAuthority:
    """Issues `leaf` (the key's certificate), and answers for it while `responder` runs and for its list always."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = functools.partial(_Files, directory=str(folder))
        self._lists = ThreadingHTTPServer(("127.0.0.1", 0), files)
        threading.Thread(target=self._lists.serve_forever, args=(0.05,), daemon=True).start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._responder: subprocess.Popen[bytes] | None = None
        lists = self._lists.server_address[1]
        (folder / "ca.cnf").write_text(CONFIGURATION.format(ocsp=self.port, lists=lists))
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1001\n")
        (folder / "crlnumber").write_text("01\n")
        self.request("issuer", "-x509", "-days", "2", out="pem")
        for name, extensions in (("leaf", "leaf"), ("responder", "responder"), ("stranger", "none")):
            self.request(name, out="csr")
            self.ca("-batch", "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem", "-extensions", extensions)
        self.publish_list()

    def close(self) -> None:
        self.stop()
        self._lists.shutdown()
        self._lists.server_close()

    # --- what it has issued ---

    @property
    def material(self) -> bytes:
        key = load_pem_private_key((self.folder / "leaf.key").read_bytes(), None)
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def chain(self) -> list[str]:
        return [
            b64u(x509.load_pem_x509_certificate((self.folder / name).read_bytes()).public_bytes(Encoding.DER))
            for name in ("leaf.pem", "issuer.pem")
        ]

    # --- what it says ---

    def revoke(self, *reason: str) -> None:
        self.ca("-revoke", "leaf.pem", *(reason or ("-crl_reason", "keyCompromise")))

    def forget(self) -> None:
        """The leaf is in the index no more: the responder does not know it."""
        lines = (self.folder / "index.txt").read_text().splitlines(keepends=True)
        (self.folder / "index.new").write_text("".join(one for one in lines if not one.rstrip().endswith("/CN=leaf")))
        (self.folder / "index.new").rename(self.folder / "index.txt")

    def publish_list(self, *lasting: str) -> None:
        """A new list, in DER as RFC 5280 §4.2.1.13 has it."""
        self.ca("-gencrl", *lasting, "-out", "list.pem")
        self.run("crl", "-in", "list.pem", "-outform", "DER", "-out", "next.crl")
        (self.folder / "next.crl").rename(self.folder / "issuer.crl")

    def answer(self, signer: Signer) -> None:
        """Start the responder, whose answers this one signs, and wait until it listens."""
        self.stop()
        command = ["openssl", "ocsp", "-port", str(self.port), "-index", "index.txt", "-CA", "issuer.pem"]
        command += ["-rsigner", f"{signer}.pem", "-rkey", f"{signer}.key", "-ndays", "1", "-ignore_err"]
        # A connection that says nothing would hold it up for ever: that it listens is read in its own words.
        with (self.folder / "ocsp.log").open("wb") as log:
            self._responder = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._responder.poll() is None:
            if "waiting for OCSP client" in (self.folder / "ocsp.log").read_text():
                return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "ocsp.log").read_text())

    def stop(self) -> None:
        if self._responder is not None:
            self._responder.kill()
            self._responder.wait()
            self._responder = None

    # --- openssl ---

    def request(self, name: str, *more: str, out: str) -> None:
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
        self.run("req", "-new", *new, "-subj", f"/CN={name}", "-out", f"{name}.{out}", *more)

    def ca(self, *arguments: str) -> None:
        self.run("ca", "-config", "ca.cnf", *arguments)

    def run(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
