"""Keys with revocation in tests: how they stand, whether they serve, and waiting until something is so."""

import time
from collections.abc import Callable

from strongroom.protocol import commands as c
from strongroom.protocol.log import Entry
from tests.support.imports import Imported
from tests.support.sealed import Customer


def status(customer: Customer, key: Imported) -> c.VersionStatus:
    """How the newest version of a key stands."""
    command = c.RevocationStatus(partition=customer.partition, key=key.id)
    return customer.hsm.line().call(command, c.RevocationStatusReply).versions[-1]


def used(customer: Customer, key: Imported) -> str:
    """The code that an operation with the key is answered; empty where it served."""
    return customer.operate(key.id, "hash", b"m").code


def serves(customer: Customer, key: Imported) -> None:
    """Wait until the key serves: its first answer may take longer than an operation waits."""
    until(lambda: used(customer, key) == "")


def check_now(customer: Customer, key: Imported) -> None:
    customer.hsm.line().call(c.CheckNow(partition=customer.partition, keys=[key.id]), c.Done)


def until(what: Callable[[], bool], seconds: float = 30) -> float:
    """Wait until something is so. Returns how many seconds that took."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() < begun + seconds
        time.sleep(0.01)
    return time.monotonic() - begun


def entries_of(customer: Customer, key: Imported, *events: str) -> list[Entry]:
    """Entries of these events on the key in the partition's administrative lane."""
    admin = customer.hsm.verified_log(customer.partition)["admin"]
    return [one for one in admin if one.key == key.id and one.event in events]
