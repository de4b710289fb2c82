"""Alice's folder, a provider who can be told to lie, and the connection between them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from authorities import PARTITION, PROVIDER, TENANT, URL, Authority
from simulator import Simulator, validation_jwk

from strongroom.client import access
from strongroom.client.connection import Connection, connect
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.protocol.access import device_principal

RIGHTS = ["import", "sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap"]


@pytest.fixture
def now() -> int:
    return int(time.time())


@pytest.fixture
def provider() -> Simulator:
    return Simulator()


@pytest.fixture
def home(tmp_path: Path, provider: Simulator) -> Home:
    """Alice's folder: configured, with owner and device credentials, her partition in use."""
    home = Home(tmp_path / "alice")
    config = Config(
        url=URL, tenant=TENANT, provider=PROVIDER, manufacturer_url="https://localhost", partition=PARTITION
    )
    trust = TrustFiles(
        manufacturer_roots=provider.root.pem,
        manufacturer_tls=Authority.make("root").pem,
        provider_validation=validation_jwk(provider),
    )
    home.configure(config, trust)
    home.save_token("alices-token")
    home.save_session("alices-session")
    home.make_key("device")
    provider.owners = [home.make_key("owner")]
    return home


@pytest.fixture
def connection(home: Home, provider: Simulator) -> Iterator[Connection]:
    with connect(home, transport=provider.transport()) as connection:
        yield connection


@pytest.fixture
def listed(connection: Connection, now: int) -> Connection:
    """The connection, once Alice as owner has listed her device."""
    credential = connection.home.credential("device")
    access.update(connection, access.allow(device_principal(credential), RIGHTS, credential=credential), now)
    return connection
