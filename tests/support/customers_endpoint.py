"""A customer's revocation endpoint in tests: the real command over a folder, and a caller that pins its certificate."""

import secrets
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import httpx
import msgspec
import pytest

from stack.layout import PROJECT
from strongroom.protocol.revocation import Answer, Check, CheckRequest, check_answer, encode_request
from tests.support.served import wait_until


class ServedEndpoint:
    """`strongroom revocation serve`, running until the end of a `with`."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.url = f"https://localhost:{self.port}/revocation"
        self.start()

    def start(self) -> None:
        """Start it, again where it was stopped."""
        command = [sys.executable, "-m", "strongroom", "revocation", "serve"]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--dir", str(self.folder), "--port", str(self.port)],
                env={"PYTHONPATH": str(PROJECT)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._listens, 60)

    def stop(self) -> int:
        """As a service manager does; its exit status."""
        self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    @property
    def log(self) -> str:
        return (self.folder.parent / f"{self.folder.name}.log").read_text()

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))

    def post(self, body: bytes, *, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return httpx.post(self.url, content=body, headers=headers, verify=self.context(), trust_env=False)

    def ask(self, *checks: Check) -> list[Answer]:
        """What it answers, read as the device reads it."""
        request = CheckRequest(nonce=secrets.token_urlsafe(24), device="dev_test", checks=list(checks))
        answer = self.post(encode_request(request))
        assert answer.status_code == 200, answer.text
        return check_answer(answer.content, request, None)

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(self.log)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> "ServedEndpoint":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.kill()


def question(*checks: Check) -> bytes:
    return msgspec.json.encode(CheckRequest(nonce=secrets.token_urlsafe(24), device="dev_test", checks=list(checks)))
