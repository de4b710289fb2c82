"""kill -9 at every step of a revocation: afterwards the key is revoked, or its endpoint is asked before it serves."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.scripted_endpoint import Endpoint
from tests.support.sealed import Customer, SealedDevice
from tests.support.watching import check_now, entries_of, serves, until, used

AES = KeyType.AES_256
Import = Callable[..., Imported]

# Each step: what is patched in the device's process, so that it kills itself there, once it comes to a revocation.
PREPARE = """
import os, signal, sys
import hsm.revocation, hsm.revocator, hsm.records, hsm.shared, hsm.store, hsm.__main__
armed = []
def die(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)
def arm(apply):
    def armed_apply(device, told):
        armed.append(1)
        return apply(device, told)
    return armed_apply
hsm.revocation.apply_revocation = arm(hsm.revocation.apply_revocation)
def dies_before(owner, name, when=lambda *a: bool(armed)):
    plain = getattr(owner, name)
    def patched(*arguments, **named):
        if when(*arguments):
            die()
        return plain(*arguments, **named)
    setattr(owner, name, patched)
"""
STEPS = {
    "the revocator, before it tells anyone": "dies_before(hsm.revocator.Outbox, 'revoked', lambda _, found: found)",
    "the parent, before it does anything": "hsm.revocation.apply_revocation = die",
    "the parent, before the tombstone": "dies_before(hsm.records.Changes, 'put')",
    "the parent, before the log entry": "dies_before(hsm.records.Changes, 'log')",
    "the parent, before caches are told": "dies_before(hsm.shared.Generations, 'moved')",
    "the parent, before the journal is cleared": "dies_before(hsm.store.Store, 'forget_history')",
}
RUN = "\nsys.argv[1:] = sys.argv[sys.argv.index('hsm') + 1 :]\nhsm.__main__.main()\n"


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


def start_again(device: SealedDevice, customer: Customer) -> None:
    device.kill()
    device.start()
    device.unseal()
    customer.operations = device.line("operations")


def blocked(endpoint: Endpoint) -> None:
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)


def test_at_every_step_of_a_revocation(device: SealedDevice, import_key: Import, endpoint: Endpoint) -> None:
    customer = device.customer()
    plain = device.python
    for step, patch in STEPS.items():
        key = import_key(customer, AES, revocation=endpoint.terms(every=60))
        # 1. The device runs with that step deadly, and the customer revokes the key.
        device.python = [sys.executable, "-c", PREPARE + patch + RUN]
        start_again(device, customer)
        serves(customer, key)
        endpoint.statuses[key.id] = ("revoked", step)
        with suppress(OSError, EOFError):  # the parent has died
            check_now(customer, key)
            until(lambda key=key: used(customer, key) != "")
        if step.startswith("the parent"):
            until(lambda: device.process is not None and device.process.poll() == -signal.SIGKILL)
        # 2. The provider starts it again, and blocks the endpoint: the key does not serve.
        blocked(endpoint)
        device.python = plain
        start_again(device, customer)
        assert used(customer, key) in {"key-suspended", "key-not-active"}
        # 3. The endpoint is reached again, and by then or before the key is revoked, once, for ever.
        endpoint.behave = endpoint.answer_soundly
        until(lambda key=key: states_of(customer, key.id) == {1: "revoked"})
        endpoint.statuses.clear()
        assert used(customer, key) == "key-not-active"
        assert len(entries_of(customer, key, "key:revoke")) == 1


def test_a_killed_revocator_is_started_again_and_asks_again(
    device: SealedDevice, import_key: Import, endpoint: Endpoint
) -> None:
    customer = device.customer()
    key = import_key(customer, AES, revocation=endpoint.terms())
    serves(customer, key)
    workers = set(device.status().workers)
    [revocator] = [one.pid for one in psutil.Process(device.pid).children() if one.pid not in workers]
    os.kill(revocator, signal.SIGKILL)
    asked = len(endpoint.requests)
    endpoint.wait_asked(asked + 2)
    serves(customer, key)
    endpoint.statuses[key.id] = ("revoked", "")
    until(lambda: states_of(customer, key.id) == {1: "revoked"})


def test_a_stopped_revocator_keeps_no_key_alive(device: SealedDevice, import_key: Import, endpoint: Endpoint) -> None:
    customer = device.customer()
    key = import_key(customer, AES, revocation=endpoint.terms())
    serves(customer, key)
    workers = set(device.status().workers)
    [revocator] = [one.pid for one in psutil.Process(device.pid).children() if one.pid not in workers]
    os.kill(revocator, signal.SIGSTOP)
    try:
        until(lambda: used(customer, key) == "key-suspended")
    finally:
        os.kill(revocator, signal.SIGCONT)
    serves(customer, key)


def test_a_worker_that_is_started_again_serves_no_revoked_key(
    device: SealedDevice, import_key: Import, endpoint: Endpoint
) -> None:
    customer = device.customer()
    key = import_key(customer, AES, revocation=endpoint.terms())
    serves(customer, key)
    endpoint.statuses[key.id] = ("revoked", "")
    [worker] = device.status().workers
    os.kill(worker, signal.SIGKILL)
    until(lambda: states_of(customer, key.id) == {1: "revoked"})
    until(lambda: bool(set(device.status().workers) - {worker}))
    customer.operations = device.line("operations")
    assert used(customer, key) == "key-not-active"
