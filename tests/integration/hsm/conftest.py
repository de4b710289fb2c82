"""A real device with Alice's partition (acme) and Charlie's (globex), and makers of further devices and keys."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.terms import Terms
from tests.support.imports import Imported, keys_of
from tests.support.materials import make_terms, material_of
from tests.support.scripted_endpoint import Endpoint
from tests.support.sealed import Customer, SealedDevice

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def make_device() -> Iterator[Callable[..., SealedDevice]]:
    """Makes devices, not yet started, in folders short enough for a socket's path."""
    made: list[SealedDevice] = []
    folders: list[Path] = []

    def make(**options: Any) -> SealedDevice:
        folders.append(Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp")))
        made.append(SealedDevice(folders[-1], **options))
        return made[-1]

    yield make
    for device in made:
        device.kill()
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def hsm() -> Iterator[SealedDevice]:
    """One operational device for all tests that leave it as it is."""
    folder = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    device = SealedDevice(folder)
    try:
        device.bring_up()
        yield device
    finally:
        device.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def alice(hsm: SealedDevice) -> Customer:
    return hsm.customer("acme")


@pytest.fixture(scope="session")
def charlie(hsm: SealedDevice) -> Customer:
    return hsm.customer("globex")


@pytest.fixture(scope="session")
def import_key() -> Callable[..., Imported]:
    """Imports a fresh key for a customer; changes are to its terms."""

    def make(customer: Customer, key_type: KeyType, **changes: Any) -> Imported:
        material = changes.pop("material", None) or material_of(key_type)
        name = changes.pop("name", None) or f"key-{next(_numbers)}"
        terms = make_terms(key_type, **changes)
        return Imported(customer.import_key(material, terms, name), material, terms)

    return make


@pytest.fixture(scope="session")
def rsa_key(alice: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(alice, KeyType.RSA)


@pytest.fixture(scope="session")
def ec_key(alice: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(alice, KeyType.EC_P256)


@pytest.fixture(scope="session")
def aes_key(alice: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(alice, KeyType.AES_256)


@pytest.fixture(scope="session")
def signed_key(alice: Customer, import_key: Callable[..., Imported]) -> Imported:
    """A P-256 key whose terms ask for signed instructions."""
    return import_key(alice, KeyType.EC_P256, authorisation="signed")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A revocation endpoint at the tester's command."""
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def name() -> str:
    """A name that no key has."""
    return f"imported-{next(_numbers)}"


@pytest.fixture
def envelope(alice: Customer, name: str) -> Envelope:
    return alice.envelope(os.urandom(32), make_terms(KeyType.AES_256).encode(), name)


@pytest.fixture
def renew(alice: Customer) -> Callable[..., Envelope]:
    """Wraps the next version of a key of Alice's."""

    def make(key: Imported, version: int, terms: Terms | None = None, **changes: object) -> Envelope:
        data = (terms or key.terms).encode()
        material = changes.pop("material", None) or os.urandom(32)
        return alice.envelope(material, data, key.receipt.name, version=version, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def _imports() -> None:
    """Says that a test imports a key of Alice's."""


@pytest.fixture
def _leaves_nothing(alice: Customer, request: pytest.FixtureRequest) -> Iterator[None]:
    """Unless a test says that it imports, there are as many keys and entries afterwards as before."""
    before = (keys_of(alice), alice.hsm.entries(alice.partition)["admin"])
    yield
    if "_imports" not in request.fixturenames:
        assert (keys_of(alice), alice.hsm.entries(alice.partition)["admin"]) == before
