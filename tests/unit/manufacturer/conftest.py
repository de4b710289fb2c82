"""A manufacturer's store on the disk, a device that it certified, and its HTTP interface."""

import time
from pathlib import Path

import falcon.testing
import pytest

from manufacturer import hierarchy, services
from manufacturer.api import make_app
from manufacturer.hierarchy import Hierarchies
from manufacturer.store import Store
from strongroom.protocol.certificates import Mode
from tests.support.device import Device


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRONGROOM_ENV", raising=False)


@pytest.fixture
def now() -> int:
    return int(time.time())


@pytest.fixture
def store(tmp_path: Path, now: int) -> Store:
    store = Store(tmp_path / "manufacturer")
    hierarchy.create(store=store, now=now)
    return store


@pytest.fixture
def hierarchies(store: Store) -> Hierarchies:
    return hierarchy.load(store)


class Factory:
    """Makes certified devices."""

    def __init__(self, store: Store, hierarchies: Hierarchies, now: int) -> None:
        self._store, self._hierarchies, self._now = store, hierarchies, now

    def __call__(self, mode: Mode = "production", provider: str = "Acme Hosting") -> Device:
        device = Device()
        line = services.certify_device(
            store=self._store,
            hierarchies=self._hierarchies,
            request=device.request,
            mode=mode,
            provider=provider,
            now=self._now,
        )
        return device.certified(line.certificate)


@pytest.fixture
def make_device(store: Store, hierarchies: Hierarchies, now: int) -> Factory:
    return Factory(store, hierarchies, now)


@pytest.fixture
def device(make_device: Factory) -> Device:
    return make_device()


@pytest.fixture
def http(store: Store, hierarchies: Hierarchies) -> falcon.testing.TestClient:
    return falcon.testing.TestClient(make_app(store, hierarchies))
