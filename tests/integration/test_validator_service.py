"""The validator's real process beside the manufacturer's: what it watches, its TLS port, and how it stops."""

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.statements import ValidationStatement
from tests.support.device import Device
from tests.support.served import Served, can_bind, children, is_running, run, wait_until


@dataclass
class World:
    """A manufacturer and a validator that watches it; the provider that it is told of is not there."""

    folder: Path
    manufacturer: Served
    validator: Served

    def device(self) -> Device:
        device = Device()
        (self.folder / "csr.pem").write_bytes(device.request)
        done = run(
            "manufacturer", "certify", "--store", self.manufacturer.store, "--csr", self.folder / "csr.pem",
            "--mode", "development", "--provider", "Acme Hosting", "--out", self.folder / "given",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return device.certified((self.folder / "given" / "certificate.pem").read_bytes())

    def anchor(self) -> dict[str, object]:
        done = run("validator", "anchor", "--store", self.validator.store, "--url", self.validator.url)
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def ask(self, key_id: str) -> ValidationStatement:
        question = {"nonce": "n" * 32, "subject": "vendor-key", "key_id": key_id}
        token = self.validator.http.post("/v1/validation", json=question).raise_for_status().json()["statement"]
        credential = read_json(canonical_json(self.anchor()["credential"]), PublicCredential)
        return jws.verify(token, ValidationStatement, credential.public_key())

    def events(self, key_id: str) -> list[str]:
        answer = self.validator.http.get(f"/v1/history/{key_id}")
        return [one["what"] for one in answer.json()["events"]] if answer.is_success else []


def init(store: Path, manufacturer: Served, folder: Path, **changes: str | Path) -> subprocess.CompletedProcess[str]:
    credential = folder / "provider-validation.json"
    credential.write_bytes(canonical_json(public_credential(Ed25519PrivateKey.generate())))
    options: dict[str, str | Path] = {
        "--name": "watchful",
        "--interval": "0.2",
        "--manufacturer-url": manufacturer.url,
        "--manufacturer-tls": manufacturer.store / "public" / "tls.pem",
        "--manufacturer-roots": manufacturer.store / "public" / "root.pem",
        "--provider": "Acme Hosting",
        "--provider-url": "https://localhost:1",
        "--provider-tls": manufacturer.store / "public" / "tls.pem",
        "--provider-credential": credential,
    }
    given = [part for option in (options | changes).items() for part in option]
    return run("validator", "init", "--store", store, *given)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made, watching = tmp_path / "manufacturer", tmp_path / "validator"
    assert run("manufacturer", "init", "--store", made).returncode == 0
    manufacturer = Served("manufacturer", made, made / "public" / "tls.pem")
    done = init(watching, manufacturer, tmp_path)
    assert done.returncode == 0, done.stderr
    validator = Served("validator", watching, watching / "tls.pem")
    world = World(tmp_path, manufacturer, validator)
    yield world
    # A test may have put another process in their place.
    world.validator.stop()
    world.manufacturer.stop()


def test_it_sees_what_the_manufacturer_lists_and_keeps_it_over_a_restart(world: World) -> None:
    # 1. A listed key is noticed with nobody asking.
    device = world.device()
    listed = world.manufacturer.http.post("/v1/vendor-keys", json={"endorsement": device.endorse()})
    assert listed.status_code == 201
    wait_until(lambda: world.events(device.key_id) == ["first-seen"])
    says = world.ask(device.key_id)
    assert (says.validator, says.status, says.provider) == ("watchful", "in-force", "Acme Hosting")
    # 2. A change is noticed too.
    run("manufacturer", "vendor-key-status", "--store", world.manufacturer.store, "--key", device.key_id,
        "--status", "revoked")  # fmt: skip
    wait_until(lambda: world.ask(device.key_id).status == "revoked")
    # 3. Another process of the same store knows it all, also when the manufacturer is gone.
    world.validator.stop()
    world.manufacturer.stop()
    world.validator = Served("validator", world.validator.store, world.validator.store / "tls.pem")
    again = world.ask(device.key_id)
    assert (again.status, again.first_seen) == ("revoked", says.first_seen)
    assert world.events(device.key_id) == ["first-seen", "status"]
    # 4. The log names routes and no content.
    assert "POST /v1/validation 200" in world.validator.log.read_text()
    assert "n" * 32 not in world.validator.log.read_text()


def test_a_manufacturer_that_shows_another_certificate_is_not_believed(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run("manufacturer", "init", "--store", other).returncode == 0
    pin = {"--manufacturer-tls": other / "public" / "tls.pem"}
    assert init(world.validator.store, world.manufacturer, tmp_path, **pin).returncode == 0
    world.validator.stop()
    world.validator = Served("validator", world.validator.store, world.validator.store / "tls.pem")
    question = {"nonce": "n" * 32, "subject": "vendor-key", "key_id": "vk_any"}
    assert world.validator.http.post("/v1/validation", json=question).json()["code"] == "unavailable"


def test_a_client_that_pins_another_certificate_gets_no_connection(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.manufacturer.store / "public" / "tls.pem"))
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{world.validator.url}/healthz", verify=context, trust_env=False)


def test_sigterm_stops_it_cleanly_while_it_watches(world: World) -> None:
    workers = children(world.validator.process.pid)
    assert world.validator.answers()
    world.validator.process.send_signal(signal.SIGTERM)
    assert world.validator.process.wait(15) == 0
    assert not any(is_running(pid) for pid in workers)


def test_a_killed_process_leaves_no_worker_behind_and_the_port_free(world: World) -> None:
    workers = children(world.validator.process.pid)
    assert workers
    world.validator.process.kill()
    world.validator.process.wait(15)
    wait_until(lambda: not any(is_running(pid) for pid in workers))
    wait_until(lambda: can_bind(world.validator.port))


def test_an_anchor_is_written_for_clients(world: World, tmp_path: Path) -> None:
    out = tmp_path / "watchful.json"
    done = run("validator", "anchor", "--store", world.validator.store, "--url", world.validator.url, "--out", out)
    assert done.returncode == 0
    assert json.loads(out.read_bytes()) == world.anchor()
    assert world.anchor()["url"] == world.validator.url
    context = ssl.create_default_context(cadata=str(world.anchor()["tls"]))
    assert httpx.get(f"{world.validator.url}/healthz", verify=context, trust_env=False).is_success


def test_without_init_every_command_says_what_is_missing(tmp_path: Path) -> None:
    for command in (["serve", "--port", "1"], ["anchor", "--url", "https://localhost"]):
        done = run("validator", command[0], "--store", tmp_path / "none", *command[1:])
        assert done.returncode == 1
        assert "run init first" in done.stderr
    assert not (tmp_path / "none").exists()


def test_it_needs_nothing_of_another_domain() -> None:
    program = "import sys, validator.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"django", "hsm", "manufacturer", "portal", "tenants", "tee", "stack", "celery"}
    shared = [name for name in done.stdout.split() if name.startswith("strongroom.")]
    assert all(name.startswith("strongroom.protocol") for name in shared)


def test_first_seen_is_when_it_was_first_seen(world: World) -> None:
    device = world.device()
    world.manufacturer.http.post("/v1/vendor-keys", json={"endorsement": device.endorse()})
    first = world.ask(device.key_id).first_seen
    time.sleep(1.2)
    assert world.ask(device.key_id).first_seen == first
