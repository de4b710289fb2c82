"""A domain's own service in tests: its commands, its real process behind TLS, and what is left when it stops."""

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "STRONGROOM_ENV"}


def run(domain: str, command: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m DOMAIN COMMAND …`"""
    return subprocess.run(
        [sys.executable, "-m", domain, command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT | environment,
    )


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Alive, and not a zombie that waits for its reaper."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def can_bind(port: int) -> bool:
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            again.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


class Served:
    """`python -m DOMAIN serve` over a store, and a client that pins its TLS certificate."""

    def __init__(self, domain: str, store: Path, tls: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.store = store
        self.url = f"https://localhost:{self.port}"
        self.log = store.parent / f"{domain}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", domain, "serve", "--store", str(store), "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
            )
        context = ssl.create_default_context(cafile=str(tls))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        self.http = httpx.Client(base_url=self.url, verify=context, trust_env=False)
        wait_until(self.answers)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(self.log.read_text())
        try:
            return self.http.get("/healthz").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
