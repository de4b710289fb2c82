"""One real device and one real manufacturer for all attacks, and for each attack a portal and customers of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.protocol.action_table import OFFICER_CLASSES
from tests.support.client import Client
from tests.support.device import Device
from tests.support.hardware import Card
from tests.support.hostile import HostilePortal
from tests.support.hostile_officers import Officer, make_people
from tests.support.maker import Manufacturer
from tests.support.sealed import SealedDevice


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Short enough for a socket's path."""
    made = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def manufacturer(folder: Path) -> Iterator[Manufacturer]:
    made = Manufacturer(folder)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def device(folder: Path, manufacturer: Manufacturer) -> Iterator[SealedDevice]:
    """The provider's device, its vendor key listed with the manufacturer."""
    made = SealedDevice(folder)
    made.factory = manufacturer
    try:
        made.bring_up()
        portal = HostilePortal(made)
        for endorsement in portal.published().vendor_keys:
            manufacturer.list_vendor_key(endorsement)
        portal.close()
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="session")
def other(manufacturer: Manufacturer) -> Device:
    """Another certified device of the same provider, with a vendor key that the manufacturer lists."""
    made = Device()
    certified = made.certified(manufacturer.certify(made.request.decode()))
    manufacturer.list_vendor_key(certified.endorse())
    return certified


@pytest.fixture
def portal(device: SealedDevice) -> Iterator[HostilePortal]:
    made = HostilePortal(device)
    yield made
    made.close()


@pytest.fixture
def alice(tmp_path: Path, portal: HostilePortal, manufacturer: Manufacturer) -> Iterator[Client]:
    """Alice, whose device and API client are on the access list of her partition. The portal was honest so far."""
    made = Client.make(tmp_path / "alice", portal, manufacturer)
    made.list_everyone()
    portal.requests.clear()
    yield made
    made.close()


@pytest.fixture
def charlie(tmp_path: Path, portal: HostilePortal, manufacturer: Manufacturer) -> Iterator[Client]:
    """Another customer, with a partition of his own."""
    made = Client.make(tmp_path / "charlie", portal, manufacturer)
    made.list_everyone()
    portal.requests.clear()
    yield made
    made.close()


@pytest.fixture(scope="module")
def people(folder: Path) -> dict[str, Officer]:
    return make_people(Path(tempfile.mkdtemp(dir=folder)))


@pytest.fixture(scope="module")
def world(people: dict[str, Officer]) -> Iterator[SealedDevice]:
    """A device of these officers, of whom the second of each class has a second card, too."""
    with tempfile.TemporaryDirectory(prefix="sr-", dir="/tmp") as own:
        made = SealedDevice(Path(own), workers=1)
        made.cards = [one.enrolled() for one in people.values()]
        made.cards += [Card(f"{kind}2", kind) for kind in OFFICER_CLASSES]
        try:
            made.bring_up()
            yield made
        finally:
            made.kill()


@pytest.fixture
def _nothing_leaves(portal: HostilePortal) -> Iterator[None]:
    """After the attack: the client has sent no envelope."""
    yield
    assert not portal.seen("import")
