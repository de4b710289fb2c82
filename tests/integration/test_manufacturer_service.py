"""The manufacturer's real process: its commands, its TLS port, and how it stops."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.statements import ValidationStatement
from tests.support.device import Device
from tests.support.served import Served, can_bind, children, is_running, run, wait_until


def manufacturer(command: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("manufacturer", command, *arguments, **environment)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    store = tmp_path / "store"
    assert manufacturer("init", "--store", store).returncode == 0
    service = Served("manufacturer", store, store / "public" / "tls.pem")
    yield service
    service.stop()


def certify(service: Served, out: Path) -> tuple[Device, list[x509.Certificate]]:
    device = Device()
    (out / "csr.pem").write_bytes(device.request)
    done = manufacturer(
        "certify", "--store", service.store, "--csr", out / "csr.pem",
        "--mode", "development", "--provider", "Acme Hosting", "--out", out / "given",
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, device.id), done.stderr
    assert "DEVELOPMENT" in done.stderr
    root = x509.load_pem_x509_certificates((out / "given" / "root.pem").read_bytes())
    return device.certified((out / "given" / "certificate.pem").read_bytes()), root


def test_a_device_is_certified_lists_its_key_and_a_client_validates_it(service: Served, tmp_path: Path) -> None:
    # 1. The device gets its certificate while the service runs, and its key is listed.
    device, root = certify(service, tmp_path)
    listed = service.http.post("/v1/vendor-keys", json={"endorsement": device.endorse()})
    assert listed.status_code == 201
    assert service.http.get(f"/v1/vendor-keys/{device.key_id}").json() == listed.json()
    # 2. A client has it validated.
    question = {"nonce": "n" * 32, "subject": "vendor-key", "key_id": device.key_id}

    def ask() -> ValidationStatement:
        token = service.http.post("/v1/validation", json=question).json()["statement"]
        return verify_statement(token, ValidationStatement, root, "statement", int(time.time()))[0]

    assert (ask().status, ask().provider, ask().nonce) == ("in-force", "Acme Hosting", "n" * 32)
    # 3. What the manufacturer revokes is revoked in the very next answer.
    done = manufacturer("vendor-key-status", "--store", service.store, "--key", device.key_id, "--status", "revoked")
    assert done.returncode == 0
    assert ask().status == "revoked"
    done = manufacturer("device-status", "--store", service.store, "--device", device.id, "--status", "retired")
    assert (done.returncode, ask().device_status) == (0, "retired")
    listing = json.loads(manufacturer("list", "--store", service.store).stdout)
    assert [(one["device"], one["status"]) for one in listing["devices"]] == [(device.id, "retired")]
    assert [(one["key_id"], one["status"]) for one in listing["vendor_keys"]] == [(device.key_id, "revoked")]
    # 4. The log names routes and no content.
    log = service.log.read_text()
    assert "POST /v1/validation 200" in log
    assert "DEVELOPMENT" in log
    assert "n" * 32 not in log
    assert device.key_id not in log.replace(f"listed vendor key {device.key_id}", "")


def test_a_client_that_pins_another_certificate_gets_no_connection(service: Served, tmp_path: Path) -> None:
    assert manufacturer("init", "--store", tmp_path / "other").returncode == 0
    context = ssl.create_default_context(cafile=str(tmp_path / "other" / "public" / "tls.pem"))
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{service.url}/healthz", verify=context, trust_env=False)


def test_it_is_bound_to_the_loopback_address_only(service: Served) -> None:
    wanted = f":{service.port:04X}"
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    listening = [line[1] for line in lines if line[1].endswith(wanted) and line[3] == "0A"]
    assert listening == [f"0100007F{wanted}"]


def test_sigterm_stops_it_cleanly_with_a_connection_open(service: Served) -> None:
    workers = children(service.process.pid)
    assert service.answers()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(15) == 0
    assert not any(is_running(pid) for pid in workers)


def test_a_killed_process_leaves_no_worker_behind_and_the_port_free(service: Served) -> None:
    workers = children(service.process.pid)
    assert workers
    service.process.kill()
    service.process.wait(15)
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    wait_until(lambda: can_bind(service.port))


def test_development_is_refused_in_production(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert manufacturer("init", "--store", store, STRONGROOM_ENV="production").returncode == 0
    (tmp_path / "csr.pem").write_bytes(Device().request)
    done = manufacturer(
        "certify", "--store", store, "--csr", tmp_path / "csr.pem",
        "--mode", "development", "--provider", "Acme Hosting", "--out", tmp_path / "given",
        STRONGROOM_ENV="production",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("development-refused: ")
    assert not (tmp_path / "given").exists()


def test_without_init_every_command_says_what_is_missing(tmp_path: Path) -> None:
    for command in (["serve", "--port", "1"], ["list"], ["device-status", "--device", "d", "--status", "retired"]):
        done = manufacturer(command[0], "--store", tmp_path / "none", *command[1:])
        assert done.returncode == 1
        assert "run init first" in done.stderr
    assert not (tmp_path / "none").exists()


def test_it_needs_nothing_of_another_domain() -> None:
    program = "import sys, manufacturer.__main__; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"django", "hsm", "portal", "tenants", "tee", "validator", "stack", "httpx", "celery"}
    program = "import sys, manufacturer.__main__; print(*(n for n in sys.modules if n.startswith('strongroom.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(name.startswith("strongroom.protocol") for name in done.stdout.split())
