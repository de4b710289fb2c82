"""What the provider controls around the device, its names and its clock, while the device runs: no key outlives it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.scripted_endpoint import Endpoint, Identity
from tests.support.sealed import Customer, SealedDevice
from tests.support.watching import serves, status, until, used

AES = KeyType.AES_256
HOST = "revocation.example"
DAY = 24 * 3600
BOUND = 0.05
"""What a test allows beyond the interval, in seconds."""
Import = Callable[..., Imported]

# Run by the device's own interpreter at its start: its names and its wall clock are what files say, at every question.
SURROUNDINGS = """
import os, socket, time
# Opened now: the device's sandbox opens nothing of the kind later.
names, clock = (os.open({folder!r} + "/" + name, os.O_RDONLY) for name in ("names", "clock"))
resolve, wall_ns = socket.getaddrinfo, time.time_ns
def getaddrinfo(name, *arguments, **named):
    if name != {host!r}:
        return resolve(name, *arguments, **named)
    said = os.pread(names, 999, 0).decode().split()
    found = [one for address in said for one in resolve(address, *arguments, **named)]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return found
def time_ns():
    said = os.pread(clock, 999, 0)
    return int(said) * 1_000_000_000 if said else wall_ns()
socket.getaddrinfo, time.time_ns, time.time = getaddrinfo, time_ns, lambda: time_ns() / 1e9
"""


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """A file with the addresses that the endpoint's name has for the device."""
    path = tmp_path / "names"
    path.write_text("127.0.0.1")
    return path


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file with what the device's wall clock says, unix seconds; empty: as it is."""
    path = tmp_path / "clock"
    path.write_text("")
    return path


@pytest.fixture
def device(make_device: Callable[..., SealedDevice], names: Path, clock: Path, tmp_path: Path) -> SealedDevice:
    made = make_device(workers=1)
    (tmp_path / "sitecustomize.py").write_text(SURROUNDINGS.format(folder=str(tmp_path), host=HOST))
    made.popen = {"env": {**os.environ, "PYTHONPATH": str(tmp_path)}}
    made.bring_up()
    return made


@pytest.fixture
def customer(device: SealedDevice) -> Customer:
    return device.customer()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint(Identity(HOST, days=(-3, 3)))
    yield made
    made.close()


@pytest.fixture
def key(customer: Customer, import_key: Import, endpoint: Endpoint) -> Imported:
    made = import_key(customer, AES, revocation=endpoint.terms(url=f"https://{HOST}:{endpoint.port}/"))
    serves(customer, made)
    return made


def ends_within_its_interval(customer: Customer, key: Imported) -> None:
    """From here on no good answer comes: the last operation that serves begins within a second."""
    begun = asked_at = time.monotonic()
    code = ""
    while not code:
        last, asked_at = asked_at, time.monotonic()
        code = used(customer, key)
    assert (code, last < begun + 1 + BOUND) == ("key-suspended", True)


@pytest.mark.parametrize(
    "led",
    [
        ("10.1.2.3", "its name leads to an address that is not called"),
        ("169.254.169.254", "its name leads to an address that is not called"),
        ("127.0.0.1 10.1.2.3", "its name leads to an address that is not called"),
        ("::ffff:169.254.169.254", "its name leads to an address that is not called"),
        ("127.0.0.2", "certificate-invalid"),
        ("127.0.0.3", "no connection"),
        ("", "its name cannot be resolved"),
    ],
)
def test_a_name_that_is_led_elsewhere_suspends_and_revokes_nothing(
    customer: Customer, key: Imported, endpoint: Endpoint, names: Path, led: tuple[str, str]
) -> None:
    addresses, why = led
    impostor = Endpoint(Identity(HOST), ("127.0.0.2", endpoint.port))
    impostor.statuses[key.id] = ("revoked", "forged")
    try:
        names.write_text(addresses)
        ends_within_its_interval(customer, key)
        until(lambda: why in status(customer, key).failure)
        assert (impostor.requests, states_of(customer, key.id)) == ([], {1: "active"})
        # Led home again, it serves again.
        names.write_text("127.0.0.1")
        serves(customer, key)
    finally:
        impostor.close()


@pytest.mark.parametrize("ahead", [0, -DAY, DAY], ids=["frozen", "turned back", "turned ahead"])
def test_a_wall_clock_that_is_turned_and_stands_still_ages_no_answer_less(
    customer: Customer, key: Imported, endpoint: Endpoint, clock: Path, ahead: int
) -> None:
    clock.write_text(str(int(time.time()) + ahead))
    # 1. While the endpoint answers, the key serves for several intervals.
    until_then = time.monotonic() + 2.5
    while time.monotonic() < until_then:
        assert used(customer, key) == ""
    # 2. When it does not, the key's time runs on though the wall clock stands.
    endpoint.behave = lambda handler, _request: handler.send(b"", 503)
    ends_within_its_interval(customer, key)
    endpoint.behave = endpoint.answer_soundly
    serves(customer, key)
