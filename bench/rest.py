"""Operations over HTTP under `wrk`: ours with every check and the log; OpenBao's as it comes."""

import base64
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.measure import Load, times
from bench.rig import PROJECT, Rig
from strongroom.client import sealed_calls
from strongroom.client.connection import connect
from strongroom.client.question import Question
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Usage

MESSAGE = base64.b64encode(b"x" * 256).decode()
KIBIBYTE = base64.b64encode(b"x" * 1024).decode()
CONNECTIONS = 16
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
wrk.headers["Content-Type"] = "application/json"
wrk.headers["{header}"] = "{value}"
response = function(status) if status ~= 200 then io.stderr:write("status " .. status .. "\\n"); os.exit(1) end end
"""


@dataclass(frozen=True)
class Task:
    """What both are asked: with one of our keys, and with a transit key of the same kind."""

    operation: str
    key: str
    mechanism: str
    payload: str
    transit_type: str
    transit_path: str
    """Under `transit/`, with the key's name `bench`."""
    transit_member: str
    batch: int = 0


SIGN_P256 = Task("sign", "p256", "ECDSA-SHA256", MESSAGE, "ecdsa-p256", "sign/bench/sha2-256", "input")
SIGN_RSA2048 = Task("sign", "rsa2048", "RSA-PSS-SHA256", MESSAGE, "rsa-2048", "sign/bench/sha2-256", "input")
ENCRYPT_AES_1K = Task("encrypt", "aes", "AES-GCM", KIBIBYTE, "aes256-gcm96", "encrypt/bench", "plaintext")


class Measured(NamedTuple):
    """What wrk saw: requests a second, and within how many milliseconds 99 of 100 were answered."""

    rate: float
    p99: float


class Wrk(Protocol):
    def __call__(self, seconds: float) -> Measured: ...


def rate(load: Wrk, batch: int = 0) -> Load:
    return times(batch or 1, lambda seconds: load(seconds).rate)


def p99(load: Wrk) -> Load:
    return lambda seconds: load(seconds).p99


def ours(rig: Rig, task: Task, connections: int = CONNECTIONS, token: str = "") -> Wrk:
    """`POST /api/v1/keys/NAME/OPERATION` in token mode, with Acme's token unless said."""
    asked = {"items": [{"payload": task.payload}] * task.batch} if task.batch else {"payload": task.payload}
    return _ours(rig, task, asked | {"mechanism": task.mechanism}, connections, token)


def ours_sealed(rig: Rig, task: Task) -> Wrk:
    """The same, sealed to the device: once by us, opened by it each time, and each answer sealed and signed by it."""
    question = Question(rig.token_keys[task.key], Usage(task.operation), task.mechanism, Parameters(), True, True)
    with connect(rig.home) as connection:
        call = sealed_calls.seal(connection, question, base64.b64decode(task.payload), int(time.time()))
    asked = {
        "sealed": base64.b64encode(call.sealed).decode(),
        "operations_key": call.binding.operations_key,
        "version": call.binding.version,
        "mechanism": task.mechanism,
    }
    return _ours(rig, task, asked)


def _ours(rig: Rig, task: Task, body: dict[str, object], connections: int = CONNECTIONS, token: str = "") -> Wrk:
    url = f"{rig.url}/api/v1/keys/{rig.token_keys[task.key].name}/{task.operation}"
    return _wrk(url, json.dumps(body), ("Authorization", f"Bearer {token or rig.token}"), connections)


@contextmanager
def openbao(task: Task) -> Iterator[Wrk]:
    """`bao server -dev` with a transit key: in memory, without an audit device."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    token = base64.b16encode(os.urandom(16)).decode()
    command = [PROJECT / ".venv-bench/bin/bao", "server", "-dev", "-dev-no-store-token", "-dev-root-token-id", token]
    server = subprocess.Popen(
        [*command, "-dev-listen-address", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _bao(address, token, "sys/mounts/transit", {"type": "transit"}, patience=30)
        _bao(address, token, "transit/keys/bench", {"type": task.transit_type})
        one = {task.transit_member: task.payload}
        body = json.dumps({"batch_input": [one] * task.batch} if task.batch else one)
        yield _wrk(f"http://{address}/v1/transit/{task.transit_path}", body, ("X-Vault-Token", token))
    finally:
        server.terminate()
        server.wait(20)


def _bao(address: str, token: str, path: str, body: dict[str, str], patience: float = 0) -> None:
    headers = {"X-Vault-Token": token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}/v1/{path}", json.dumps(body).encode(), headers, method="POST")
    deadline = time.monotonic() + patience
    while True:
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _wrk(url: str, body: str, header: tuple[str, str], connections: int = CONNECTIONS) -> Wrk:
    def load(seconds: float) -> Measured:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            Path(script.name).write_text(_SCRIPT.format(body=json.dumps(body), header=header[0], value=header[1]))
            command = [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{max(1, round(seconds))}s",
                "--latency",
                "-s",
                script.name,
                url,
            ]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
        slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
        if found is None or slow is None or "Non-2xx" in printed:
            raise RuntimeError(f"wrk did not measure what it should: {printed}")
        return Measured(float(found[1]), float(slow[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slow[2]])

    return load
