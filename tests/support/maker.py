"""The manufacturer's real process for tests: it certifies devices, lists their vendor keys and answers over TLS."""

import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.protocol.certificates import profile_of
from tests.support.hardware import Factory

PROVIDER = "provider"
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "STRONGROOM_ENV"}


class Manufacturer(Factory):
    """`python -m manufacturer` over a store. A sealed device can have it for its factory."""

    def __init__(self, folder: Path) -> None:
        self.mode = "development"
        self.store = folder / "manufacturer"
        self.folder = folder
        self.provider = PROVIDER
        self.command("init")
        roots = x509.load_pem_x509_certificates(self.public("root.pem"))
        self.root = next(one for one in roots if profile_of(one).mode == self.mode)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        with (folder / "manufacturer.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "manufacturer", "serve", "--store", str(self.store), "--port", str(self.port)],
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
            )
        self.http = httpx.Client(base_url=self.url, verify=_pinned(self.store), trust_env=False)
        self._wait()

    def command(self, name: str, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "manufacturer", name, "--store", str(self.store), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=_ENVIRONMENT)

    def certify(self, csr: str, role: str = "device") -> str:
        """The certificate of a device that `provider` bought."""
        if role != "device":
            raise ValueError("it certifies devices only")
        request, out = self.folder / "csr.pem", self.folder / "given"
        request.write_text(csr)
        self.command("certify", "--csr", request, "--mode", self.mode, "--provider", self.provider, "--out", out)
        return (out / "certificate.pem").read_text()

    def list_vendor_key(self, endorsement: str) -> None:
        self.http.post("/v1/vendor-keys", json={"endorsement": endorsement}).raise_for_status()

    def public(self, name: str) -> bytes:
        return (self.store / "public" / name).read_bytes()

    @property
    def root_pem(self) -> str:
        return self.root.public_bytes(Encoding.PEM).decode()

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(20)

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.http.get("/healthz").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError((self.folder / "manufacturer.log").read_text())


def _pinned(store: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(store / "public" / "tls.pem"))
