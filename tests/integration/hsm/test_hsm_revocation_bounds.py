"""Security officers bound the intervals of keys to come; a sealed key keeps its own. And the clock runs one way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.protocol.action_table import SetRevocationBounds
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.refusals import refused
from tests.support.scripted_endpoint import Endpoint
from tests.support.sealed import SealedDevice, now
from tests.support.watching import serves, used

AES = KeyType.AES_256
Import = Callable[..., Imported]


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def test_bounds_are_set_by_security_officers_for_keys_to_come(
    device: SealedDevice, import_key: Import, endpoint: Endpoint
) -> None:
    customer = device.customer()
    sealed = import_key(customer, AES, revocation=endpoint.terms(every=1))
    assert device.rotate(SetRevocationBounds(shortest=60, longest=3600)) == "60-3600"
    for every, inside in ((59, False), (60, True), (3600, True), (3601, False)):
        if inside:
            import_key(customer, AES, revocation=endpoint.terms(every=every))
        else:
            with refused("terms-refused"):
                import_key(customer, AES, revocation=endpoint.terms(every=every))
    serves(customer, sealed)
    for shortest, longest in ((0, 5), (10, 9)):
        with refused("malformed"):
            device.rotate(SetRevocationBounds(shortest=shortest, longest=longest))


def test_a_clock_that_was_turned_back_brings_no_expired_key_back(
    device: SealedDevice, import_key: Import, tmp_path: Path
) -> None:
    customer = device.customer()
    key = import_key(customer, AES, not_after=now() + 3600)
    assert used(customer, key) == ""
    plain = device.popen
    device.stop()
    device.turn_clock(4000, tmp_path)
    device.start()
    device.unseal()
    customer.operations = device.line("operations")
    assert used(customer, key) == "key-not-active"
    device.stop()
    device.popen = plain
    device.start()
    device.unseal()
    customer.operations = device.line("operations")
    assert used(customer, key) == "key-not-active"
    assert states_of(customer, key.id) == {1: "deactivated"}
