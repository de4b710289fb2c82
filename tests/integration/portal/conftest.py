"""What the portal's tests stand on: real servers, a real sealed device, and Alice's, Bob's and Charlie's tenants."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stack.layout import State
from strongroom.protocol.credentials import public_credential
from tests.support import asynchronous, jobs, portal
from tests.support.keys import aes_terms, import_material
from tests.support.officers import Officer, make_officers
from tests.support.pages import Visitor, visitor
from tests.support.portal import Browser, Organisation
from tests.support.sealed import Customer, SealedDevice

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[SealedDevice]:
    """The portal on its servers; its device is not started yet.

    Not below pytest's own folder, which another run of pytest closes to PostgreSQL's user.
    """
    with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
        device = SealedDevice(Path(folder))
        state = State(Path(folder) / "state")
        with portal.running_servers(state):
            portal.set_up_portal(state, device.socket)
            yield device
            device.stop()


@pytest.fixture(scope="session", autouse=True)
def django_is_ready(servers: SealedDevice) -> None:
    """Tests import the portal's modules inside their functions, after this."""


@pytest.fixture(scope="session")
def device(servers: SealedDevice) -> SealedDevice:
    """The sealed device, operational and registered."""
    from tee.services import register_device

    servers.bring_up()
    register_device()
    return servers


@pytest.fixture(scope="session")
def engine_keys(device: SealedDevice) -> None:
    """The engine has a provider key of each suite."""
    from tee.engine import make_engine_keys

    make_engine_keys(actor="")


@pytest.fixture(scope="session")
def acme() -> Organisation:
    """Alice owns it, Bob operates."""
    return portal.make_organisation("acme", "alice")


@pytest.fixture(scope="session")
def globex() -> Organisation:
    """Charlie's."""
    return portal.make_organisation("globex", "charlie")


@pytest.fixture(scope="session")
def acme_customer(acme: Organisation, device: SealedDevice) -> Customer:
    return portal.make_customer(acme, device)


@pytest.fixture(scope="session")
def globex_customer(globex: Organisation, device: SealedDevice) -> Customer:
    return portal.make_customer(globex, device)


@pytest.fixture
def stranger() -> Browser:
    """Nobody in particular."""
    return Browser()


@pytest.fixture
def fresh_name() -> str:
    return f"name-{next(_numbers)}"


@pytest.fixture(scope="session")
def officers(device: SealedDevice) -> dict[str, Officer]:
    """The officers of the device's cards by name: `partition1` and so on."""
    return make_officers(device)


@pytest.fixture
def asked(acme: Organisation, fresh_name: str) -> dict[str, Any]:
    """A partition that Alice has asked for; the request as the portal shows it."""
    owner = msgspec.to_builtins(public_credential(Ed25519PrivateKey.generate()))
    return acme.as_owner().post("partitions", json={"label": fresh_name, "owner": owner}).json()


@pytest.fixture
def action(officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]) -> dict[str, Any]:
    """An open action that `partition1` asked for."""
    response = officers["partition1"].open(device.world, asked)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture(scope="module")
def alice(acme: Organisation) -> Visitor:
    return visitor(acme.owner)


@pytest.fixture(scope="module")
def bob(acme: Organisation) -> Visitor:
    return visitor(acme.operator)


@pytest.fixture(scope="module")
def dora(acme: Organisation) -> Visitor:
    return visitor(acme.auditor)


@pytest.fixture(scope="module")
def charlie(globex: Organisation) -> Visitor:
    return visitor(globex.owner)


@pytest.fixture(scope="session")
def job_key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    """What the portal says of the key that `job` encrypts with."""
    return import_material(acme, acme_customer, "jobs-aes", jobs.AES, aes_terms())


@pytest.fixture
def job(acme: Organisation, acme_customer: Customer, job_key: dict[str, Any]) -> jobs.Job:
    """Four chunks of three items each, of which the portal has none yet."""
    chunks = [[b"%d" % n for n in range(k * 3, k * 3 + 3)] for k in range(4)]
    return jobs.open_job(acme, acme_customer, job_key, chunks)


@pytest.fixture(scope="session")
def async_key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    """What the portal says of the key `async-aes`."""
    return import_material(acme, acme_customer, "async-aes", asynchronous.AES, aes_terms())
