"""Copying the device's log: every entry exactly once, whole batches or nothing, and to its own tenant alone."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from strongroom.protocol.log import check_lane
from strongroom.protocol.statements import LaneHead
from tests.support.keys import import_p256
from tests.support.portal import Organisation
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> str:
    return import_p256(acme, acme_customer, "log-copy")["key_id"]


@pytest.fixture
def sign(acme_customer: Customer, key: str) -> Callable[[int], None]:
    """Make log entries: signatures straight at the device, which another test may have restarted."""
    acme_customer.operations = acme_customer.hsm.line("operations")

    def signatures(count: int) -> None:
        for _ in range(count):
            assert acme_customer.operate(key, "sign", b"message").code == ""

    return signatures


def copy_log(**how: Any) -> int:
    from portal.audit.services import copy_log

    return copy_log(**how)


def copied(partition: str) -> int:
    from portal.audit.models import LogEntry

    return LogEntry.objects.using("provider").filter(partition=partition).count()


def heads(partition: str) -> dict[str, list[bytes]]:
    from portal.audit.models import LogEntry

    lanes: dict[str, list[bytes]] = {}
    for row in LogEntry.objects.using("provider").filter(partition=partition).order_by("lane", "n"):
        lanes.setdefault(row.lane, []).append(bytes(row.entry))
    return lanes


def check_copy(device: SealedDevice, partition: str) -> None:
    """The copy gives exactly the device's own heads."""
    from strongroom.protocol import jws
    from strongroom.protocol.commands import MakeCheckpoint, MakeCheckpointReply
    from strongroom.protocol.statements import Checkpoint
    from tests.support.sealed import nonce

    command = MakeCheckpoint(partition=partition, nonce=nonce())
    checkpoint = jws.read_unverified(device.line().call(command, MakeCheckpointReply).checkpoint, Checkpoint)
    found = heads(partition)
    assert {lane for lane, head in checkpoint.lanes.items() if head.count} == set(found)
    for lane, entries in found.items():
        check_lane(lane, entries, partition, LaneHead(checkpoint.lanes[lane].count, checkpoint.lanes[lane].head))


def test_entries_arrive_exactly_once(
    device: SealedDevice, acme_customer: Customer, sign: Callable[[int], None]
) -> None:
    copy_log()
    before = copied(acme_customer.partition)
    sign(25)
    assert copy_log() == 25
    assert copied(acme_customer.partition) == before + 25
    assert copy_log() == 0
    check_copy(device, acme_customer.partition)


def test_copiers_side_by_side_copy_nothing_twice(
    device: SealedDevice, acme_customer: Customer, sign: Callable[[int], None]
) -> None:
    from django.db import connections

    copy_log()
    sign(200)
    counts: list[int] = []

    def work(wait: bool) -> None:
        try:
            counts.append(copy_log(wait=wait))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(wait,)) for wait in (False, True, False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 200
    check_copy(device, acme_customer.partition)


def test_a_copier_that_dies_leaves_nothing_half_done(
    device: SealedDevice,
    acme_customer: Customer,
    sign: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from portal.audit.models import LaneCursor

    copy_log()
    before = copied(acme_customer.partition)
    sign(10)

    def die(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    # The entries are written, the cursor is not.
    with monkeypatch.context() as patch:
        patch.setattr(LaneCursor, "save", die)
        with pytest.raises(KeyboardInterrupt):
            copy_log()
    assert copied(acme_customer.partition) == before
    assert copy_log() == 10
    check_copy(device, acme_customer.partition)


def test_small_batches_make_the_same_copy(
    device: SealedDevice,
    acme_customer: Customer,
    sign: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from portal.audit import services

    copy_log()
    sign(23)
    monkeypatch.setattr(services, "BATCH", 5)
    assert copy_log() == 23
    check_copy(device, acme_customer.partition)


def test_an_entry_is_its_own_tenants_and_the_worlds_are_nobodys(
    acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer
) -> None:
    from portal.audit.models import LogEntry

    copy_log()
    entries = LogEntry.objects.using("provider")
    for organisation, customer in ((acme, acme_customer), (globex, globex_customer)):
        owners = set(entries.filter(partition=customer.partition).values_list("tenant_id", flat=True))
        assert owners == {organisation.tenant.pk}
    assert set(entries.filter(partition="").values_list("tenant_id", flat=True)) == {None}


def test_entries_copied_before_the_partition_was_recorded_find_their_tenant(
    device: SealedDevice, acme: Organisation
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from portal.audit.models import LogEntry
    from strongroom.protocol.credentials import public_credential
    from tenants import services
    from tenants.models import Partition

    owner = public_credential(Ed25519PrivateKey.generate())
    row = services.request_partition(tenant=acme.tenant, label="early", owner=owner, actor="alice")
    # The device has defined it and logged that; the portal has not heard yet.
    partition = device.define_partition(owner)
    copy_log()
    entry = LogEntry.objects.using("provider").get(partition=partition)
    assert entry.tenant_id is None
    Partition.objects.using("provider").filter(pk=row.pk).update(partition_id=partition, status="defined")
    copy_log()
    entry.refresh_from_db(using="provider")
    assert entry.tenant_id == acme.tenant.pk


def test_a_device_that_gives_a_place_to_another_entry_is_noticed(
    acme_customer: Customer, sign: Callable[[int], None]
) -> None:
    """What a device whose state was rolled back looks like: it goes on from an earlier place."""
    from portal.audit.models import LaneCursor
    from strongroom.protocol.errors import Refused

    sign(1)
    copy_log()
    before = copied(acme_customer.partition)
    admin = LaneCursor.objects.using("provider").get(lane="admin")
    LaneCursor.objects.using("provider").filter(pk=admin.pk).update(cursor="0")
    try:
        with pytest.raises(Refused) as refused:
            copy_log()
        assert refused.value.code == "log-inconsistent"
        assert copied(acme_customer.partition) == before
    finally:
        LaneCursor.objects.using("provider").filter(pk=admin.pk).update(cursor=admin.cursor)


def test_a_sealed_or_stopped_device_is_no_failure_of_the_task(device: SealedDevice) -> None:
    from portal.audit.tasks import copy_log as task

    device.stop()
    assert task() == 0
    device.start()
    assert task() == 0
    device.unseal()
    assert task() >= 1  # the unsealing itself


def test_the_lag_is_known(device: SealedDevice) -> None:
    from portal.audit.selectors import copy_lag

    copy_log()
    lag = copy_lag()
    assert lag is not None
    assert 0 <= lag.total_seconds() < 5
