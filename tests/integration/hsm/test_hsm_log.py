"""The log as a customer checks it: what was altered, dropped, moved or cut is found, and unlogged nothing is done."""

from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.log import check_extends, check_lane
from tests.support.lanes import key_of, lane_file, work
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=1)
    made.bring_up()
    return made


@pytest.fixture
def customer(device: SealedDevice) -> Customer:
    """A customer with one key and ten operations in lane w0."""
    made = device.customer()
    work(made, 10)
    return made


# --- what a customer sees in what it is shown ---


def test_a_partitions_log_holds_its_whole_life(customer: Customer) -> None:
    log = customer.hsm.verified_log(customer.partition)
    assert [one.event for one in log["admin"]] == ["action:execute", "access:update", "key:import"]
    assert [one.event for one in log["w0"]] == ["key:hash"] * 10
    assert {one.principal for one in log["w0"]} == {customer.client}


@pytest.mark.parametrize("lane", ["admin", "w0"])
def test_an_entry_altered_dropped_moved_or_added_is_found(customer: Customer, lane: str) -> None:
    entries = customer.hsm.entries(customer.partition)[lane]
    head = customer.hsm.checkpoint(customer.partition).lanes[lane]
    assert len(check_lane(lane, entries, customer.partition, head)) == len(entries)
    for spoilt in (
        [entries[0].replace(b'"time":1', b'"time":2'), *entries[1:]],
        [entries[0] + b" ", *entries[1:]],
        entries[1:],
        entries[:-1],
        [*entries[:1], *entries[2:]],
        [entries[1], entries[0], *entries[2:]],
        [*entries, entries[-1]],
        [],
    ):
        with refused("log-inconsistent"):
            check_lane(lane, spoilt, customer.partition, head)
    with refused("log-inconsistent"):
        check_lane(lane, entries, "pt_other", head)


def test_a_later_checkpoint_extends_an_earlier_one(customer: Customer) -> None:
    older = customer.hsm.checkpoint(customer.partition)
    work(customer, 3)
    newer, entries = customer.hsm.checkpoint(customer.partition), customer.hsm.entries(customer.partition)
    check_extends(older, newer, entries)
    with refused("log-inconsistent"):
        check_extends(newer, older, entries)
    for spoilt in ({}, {"admin": entries["admin"]}, entries | {"w0": entries["w0"][1:]}):
        with refused("log-inconsistent"):
            check_extends(older, newer, spoilt)


def test_the_log_of_one_partition_is_not_shown_as_anothers(customer: Customer) -> None:
    other = customer.hsm.customer("globex")
    assert customer.hsm.verified_log(other.partition).keys() == {"admin"}
    mine, theirs = customer.hsm.checkpoint(customer.partition), customer.hsm.checkpoint(other.partition)
    with refused("log-inconsistent"):
        check_extends(mine, theirs, customer.hsm.entries(other.partition))


def test_an_attestation_names_the_newest_checkpoint_and_no_partition_is_invented(customer: Customer) -> None:
    for partition in ("pt_none", f"{customer.partition}/log-head"):
        with refused("not-found"):
            customer.hsm.checkpoint(partition)
    for bad in ("", "n" * 15, "n" * 129):
        with refused("malformed"):
            command = c.MakeCheckpoint(partition=customer.partition, nonce=bad)
            customer.hsm.line().call(command, c.MakeCheckpointReply)


# --- lanes ---


def test_lanes_are_read_page_by_page_without_loss(customer: Customer) -> None:
    line = customer.hsm.line()
    for lane in ("admin", "w0"):
        whole = line.call(c.ReadLane(lane=lane), c.ReadLaneReply)
        assert not whole.more
        cursor, pages = "", []
        while True:
            page = line.call(c.ReadLane(lane=lane, cursor=cursor, limit=2), c.ReadLaneReply)
            pages += page.entries
            cursor = page.cursor
            if not page.more:
                break
        assert pages == whole.entries
        assert line.call(c.ReadLane(lane=lane, cursor=cursor), c.ReadLaneReply).entries == []


def test_large_entries_do_not_outgrow_an_answer(device: SealedDevice) -> None:
    customer = device.customer()
    for n in range(6):
        entry = customer.client_entry(["sign"])
        label = f"{n}" + "x" * 900_000
        customer.allow(type(entry)(principal=entry.principal, rights=entry.rights, label=label))
    assert [one.event for one in device.verified_log(customer.partition)["admin"]].count("access:update") == 7


@pytest.mark.parametrize("cursor", ["x", "-1", "1:-5", "1:" + "9" * 30, "9" * 30, "1:1:1", "٣", "1:٣"])
def test_a_cursor_that_is_none_is_refused(customer: Customer, cursor: str) -> None:
    for lane in ("admin", "w0"):
        with refused("malformed"):
            customer.hsm.line().call(c.ReadLane(lane=lane, cursor=cursor), c.ReadLaneReply)


@pytest.mark.parametrize("cursor", ["1:7", "1:999999999999", "9:0", "99999999:0"])
def test_a_cursor_to_nowhere_reads_nothing(customer: Customer, cursor: str) -> None:
    assert customer.hsm.line().call(c.ReadLane(lane="w0", cursor=cursor), c.ReadLaneReply).entries == []


@pytest.mark.parametrize("lane", ["", "w9", "../store", "w0-00000001"])
def test_an_unknown_lane_is_not_found(customer: Customer, lane: str) -> None:
    with refused("not-found"):
        customer.hsm.line().call(c.ReadLane(lane=lane), c.ReadLaneReply)


def test_a_lane_that_no_worker_has_any_more_stays_in_every_checkpoint(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=2)
    device.bring_up()
    customer = device.customer()
    key_of(customer)
    before = device.checkpoint(customer.partition)
    for line in [device.line("operations") for _ in range(2)]:
        assert line.operate(customer.request(key_of(customer), "hash", b"m")).code == ""
    device.workers = 1  # the provider's way to have the operations in w1 forgotten
    device.restart()
    log = device.verified_log(customer.partition, since=before)
    assert [len(log[lane]) for lane in ("w0", "w1")] == [1, 1]
    # And where the provider hides the lane's file as well, whoever saw its entries knows.
    seen = device.checkpoint(customer.partition)
    device.stop()
    lane_file(device, "w1").unlink()
    device.start()
    device.unseal()
    with refused("log-inconsistent"):
        device.verified_log(customer.partition, since=seen)
