"""Single P-256 signatures over HTTP under `wrk`: ours with every check and the log; OpenBao's as it comes."""

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
from pathlib import Path

from bench.measure import Load
from bench.rig import PROJECT, Rig

PAYLOAD = base64.b64encode(b"x" * 256).decode()
CONNECTIONS = 16
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
wrk.headers["Content-Type"] = "application/json"
wrk.headers["{header}"] = "{value}"
response = function(status) if status ~= 200 then io.stderr:write("status " .. status .. "\\n"); os.exit(1) end end
"""


def ours(rig: Rig) -> Load:
    """`POST /api/v1/keys/NAME/sign` in token mode."""
    body = json.dumps({"payload": PAYLOAD, "mechanism": "ECDSA-SHA256"})
    return _wrk(f"{rig.url}/api/v1/keys/{rig.token_key.name}/sign", body, ("Authorization", f"Bearer {rig.token}"))


@contextmanager
def openbao() -> Iterator[Load]:
    """`bao server -dev` with a P-256 transit key: in memory, without an audit device."""
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
        _bao(address, token, "transit/keys/bench", {"type": "ecdsa-p256"})
        body = json.dumps({"input": PAYLOAD})
        yield _wrk(f"http://{address}/v1/transit/sign/bench/sha2-256", body, ("X-Vault-Token", token))
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


def _wrk(url: str, body: str, header: tuple[str, str]) -> Load:
    def load(seconds: float) -> float:
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            Path(script.name).write_text(_SCRIPT.format(body=json.dumps(body), header=header[0], value=header[1]))
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script.name, url]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
        if found is None or "Non-2xx" in printed:
            raise RuntimeError(f"wrk did not measure what it should: {printed}")
        return float(found[1])

    return load
