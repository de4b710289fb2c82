"""The provider puts an older state folder back: what a revocation is worth then, with an endpoint and without one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.refusals import refused
from tests.support.scripted_endpoint import Endpoint
from tests.support.sealed import Customer, SealedDevice
from tests.support.watching import serves, status, until, used

AES = KeyType.AES_256
Import = Callable[..., Imported]


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


@pytest.fixture
def put_back(device: SealedDevice, tmp_path: Path) -> Callable[[], None]:
    """The state is copied now; the call starts the device on that copy."""
    device.stop()
    shutil.copytree(device.folder, tmp_path / "older")
    device.start()
    device.unseal()

    def put() -> None:
        device.stop()
        shutil.rmtree(device.folder)
        shutil.copytree(tmp_path / "older", device.folder)
        device.start()
        device.unseal()

    return put


def revoked(customer: Customer, key: Imported) -> bool:
    return states_of(customer, key.id) == {1: "revoked"}


@pytest.fixture
def customer(device: SealedDevice) -> Customer:
    return device.customer()


@pytest.fixture
def key(customer: Customer, import_key: Import, endpoint: Endpoint) -> Imported:
    made = import_key(customer, AES, revocation=endpoint.terms(every=600))
    serves(customer, made)
    return made


@pytest.fixture
def plain(customer: Customer, import_key: Import) -> Imported:
    """A key whose terms name nobody to ask."""
    return import_key(customer, AES)


def test_with_an_endpoint_that_says_revoked_the_key_is_never_usable_again(
    device: SealedDevice, customer: Customer, key: Imported, endpoint: Endpoint, put_back: Callable[[], None]
) -> None:
    customer.operations = device.line("operations")
    serves(customer, key)
    endpoint.statuses[key.id] = ("revoked", "stolen")
    device.restart()
    until(lambda: revoked(customer, key))
    seen = device.checkpoint(customer.partition)
    # 1. With the older state the record is there again, and no answer is: nothing runs, however long nobody answers.
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)
    put_back()
    customer.operations = device.line("operations")
    assert states_of(customer, key.id) == {1: "active"}
    asked = len(endpoint.requests)
    while len(endpoint.requests) < asked + 3:
        assert used(customer, key) == "key-suspended"
    # 2. When the device hears of it, the key is destroyed again, without having served.
    endpoint.behave = endpoint.answer_soundly
    codes = set()
    until(lambda: codes.add(used(customer, key)) or revoked(customer, key))
    assert codes <= {"key-suspended", "key-not-active"}
    assert (used(customer, key), status(customer, key).revoked_by) == ("key-not-active", "endpoint")
    # 3. Whoever kept a checkpoint sees that the log went back.
    with refused("log-inconsistent"):
        device.verified_log(customer.partition, seen)


def test_the_owners_word_alone_is_undone_by_older_state_which_the_log_shows_and_the_same_word_mends(
    device: SealedDevice, customer: Customer, plain: Imported, put_back: Callable[[], None]
) -> None:
    """The limit of an emulator (docs/threat-model.md): nothing outside it remembers that the key was revoked."""
    order = customer.signed_order(plain.id, order="revoke", reason="stolen")
    assert customer.give_order(order) == {1: "revoked"}
    seen = device.checkpoint(customer.partition)
    put_back()
    customer.operations = device.line("operations")
    assert used(customer, plain) == ""
    with refused("log-inconsistent"):
        device.verified_log(customer.partition, seen)
    assert customer.give_order(order) == {1: "revoked"}
    assert used(customer, plain) == "key-not-active"
