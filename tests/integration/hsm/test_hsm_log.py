"""The log as a customer checks it: what was altered, dropped, moved or cut is found, and unlogged nothing is done."""

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.log import check_extends, check_lane
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import code_of, keys_of
from tests.support.materials import make_terms
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


def key_of(customer: Customer) -> str:
    """The customer's one key, imported where there is none yet."""
    kept = keys_of(customer)
    if kept:
        return customer.receipt(kept[0]).key_id
    return customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id


def work(customer: Customer, times: int) -> None:
    operations, key = customer.hsm.line("operations"), key_of(customer)
    for _ in range(times):
        assert operations.operate(customer.request(key, "hash", b"m")).code == ""


def lane_file(device: SealedDevice, lane: str = "w0") -> Path:
    return sorted((device.folder / "lanes").glob(f"{lane}-*.log"))[-1]


def frames(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        size = 20 + int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


@pytest.fixture
def tamper(device: SealedDevice, customer: Customer) -> Iterator[Callable[[Callable[[list[bytes]], bytes]], None]]:
    """Stops the device, changes the frames of its lane's file, and starts it again."""

    def change(how: Callable[[list[bytes]], bytes]) -> None:
        device.stop()
        path = lane_file(device)
        path.write_bytes(how(frames(path)))
        device.start()
        device.unseal()

    return change


def gaps(device: SealedDevice) -> list[dict[str, object]]:
    return [one.details for one in device.verified_log("")["admin"] if one.event == "lane:recover"]


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


# --- files changed while the device was stopped ---


def test_a_torn_end_is_left_behind_and_put_on_record(
    customer: Customer, tamper: Callable[[Callable[[list[bytes]], bytes]], None]
) -> None:
    seen = customer.hsm.checkpoint(customer.partition)
    tamper(lambda all_: b"".join(all_)[:-5])
    [gap] = gaps(customer.hsm)
    assert (gap["lane"], int(str(gap["bytes"])) > 0) == ("w0", True)
    # The log is sound again, but whoever saw the lost entry knows that it is missing.
    work(customer, 2)
    assert len(customer.hsm.verified_log(customer.partition)["w0"]) == 11
    with refused("log-inconsistent"):
        customer.hsm.verified_log(customer.partition, since=seen)
    # It is recorded once.
    customer.hsm.restart()
    assert gaps(customer.hsm) == [gap]


def altered(all_: list[bytes]) -> bytes:
    return b"".join([*all_[:5], all_[5][:-1] + bytes([all_[5][-1] ^ 1]), *all_[6:]])


TAMPERED: dict[str, tuple[Callable[[list[bytes]], bytes], bool]] = {
    # how, and whether what is left in the file is a sound chain up to where it ends
    "altered": (altered, True),
    "a second snapshot": (lambda all_: b"".join([*all_, all_[0]]), True),
    "zeros behind": (lambda all_: b"".join([*all_, bytes(1000)]), True),
    "first byte": (lambda all_: bytes([all_[0][0] ^ 1]) + b"".join(all_)[1:], True),
    "garbage": (lambda _: b"\xff" * 30, True),
    "dropped": (lambda all_: b"".join([*all_[:5], *all_[6:]]), False),
    "exchanged": (lambda all_: b"".join([*all_[:5], all_[6], all_[5], *all_[7:]]), False),
    "repeated": (lambda all_: b"".join([*all_, all_[-1]]), False),
    "replayed": (lambda all_: b"".join([*all_, all_[1]]), False),
    "without its snapshot": (lambda all_: b"".join(all_[1:]), False),
}


@pytest.mark.parametrize(("how", "sound"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_lane_altered_on_the_disk_is_noticed_by_the_device(
    customer: Customer,
    tamper: Callable[[Callable[[list[bytes]], bytes]], None],
    how: Callable[[list[bytes]], bytes],
    sound: bool,
) -> None:
    tamper(how)
    assert len(gaps(customer.hsm)) == 1
    # What cannot be read is still there, for whoever investigates, and is not written behind.
    first, second = sorted((customer.hsm.folder / "lanes").glob("w0-*.log"))
    work(customer, 1)
    assert first.stat().st_mtime <= second.stat().st_mtime
    assert len(frames(second)) == 2
    # Entries out of their chain are never vouched for.
    if sound:
        assert customer.hsm.verified_log(customer.partition)["w0"]
    else:
        with refused("log-inconsistent"):
            customer.hsm.verified_log(customer.partition)


def test_entries_cut_off_whole_are_missed_by_whoever_saw_them(
    customer: Customer, tamper: Callable[[Callable[[list[bytes]], bytes]], None]
) -> None:
    seen = customer.hsm.checkpoint(customer.partition)
    tamper(lambda all_: b"".join(all_[:-3]))
    work(customer, 5)
    with refused("log-inconsistent"):
        customer.hsm.verified_log(customer.partition, since=seen)


def test_state_put_back_to_an_earlier_copy_is_found_by_whoever_saw_more(
    device: SealedDevice, customer: Customer, tmp_path: Path
) -> None:
    device.stop()
    shutil.copytree(device.folder, tmp_path / "copy")
    device.start()
    device.unseal()
    customer.allow(customer.client_entry([]))
    seen = device.checkpoint(customer.partition)
    device.stop()
    shutil.rmtree(device.folder)
    shutil.copytree(tmp_path / "copy", device.folder)
    device.start()
    device.unseal()
    with refused("log-inconsistent"):
        device.verified_log(customer.partition, since=seen)


# --- unwritable ---


def limit(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_worker_that_cannot_write_its_lane_refuses_to_work(device: SealedDevice, customer: Customer) -> None:
    [pid] = device.status().workers
    limit(pid, lane_file(device).stat().st_size + 100)  # room for a part of an entry
    operations = device.line("operations")
    for _ in range(3):
        reply = operations.operate(customer.request(key_of(customer), "encrypt", b"m"))
        assert (reply.code, reply.result) == ("log-unwritable", b"")
    # A device that can write again works again, with the torn entry on record.
    limit(pid, resource.RLIM_INFINITY)
    device.restart()
    work(customer, 1)
    assert len(gaps(device)) == 1
    assert len(device.verified_log(customer.partition)["w0"]) == 11


def test_what_cannot_be_put_on_record_is_not_done(device: SealedDevice, customer: Customer) -> None:
    envelope = customer.envelope(os.urandom(32), make_terms(KeyType.AES_256).encode(), "unlogged")
    before, document, version = keys_of(customer), customer.document, customer.version
    limit(device.pid, 1)
    assert code_of(customer, envelope) == "log-unwritable"
    with refused("log-unwritable"):
        customer.allow(customer.client_entry([]))
    with refused("log-unwritable"):
        device.checkpoint(customer.partition)
    assert (customer.document, customer.version) == (document, version)
    assert keys_of(customer) == before
    limit(device.pid, resource.RLIM_INFINITY)
    assert code_of(customer, envelope) == "ok"
    device.verified_log(customer.partition)


def test_an_unsealing_that_cannot_be_put_on_record_leaves_the_device_sealed(device: SealedDevice) -> None:
    device.stop()
    device.start()
    first, second, _ = device.of("security")
    device.give_part(first)
    limit(device.pid, 1)
    with refused("log-unwritable"):
        device.give_part(second)
    assert device.status().state == "sealed"
    limit(device.pid, resource.RLIM_INFINITY)
    device.give_part(second)
    assert device.status().state == "operational"


def test_without_a_folder_for_lanes_nothing_is_operated(device: SealedDevice, customer: Customer) -> None:
    device.stop()
    shutil.rmtree(device.folder / "lanes")
    (device.folder / "lanes").write_text("in the way")
    with pytest.raises(TimeoutError):
        device.start()


def test_refusals_too_are_in_the_log_of_the_partition(customer: Customer, charlie: Customer) -> None:
    request = customer.request(key_of(customer), "hash", b"m", principal=charlie.client)
    assert customer.hsm.line("operations").operate(request).code == "access-denied"
    entry = customer.hsm.verified_log(customer.partition)["w0"][-1]
    assert (entry.result, entry.principal) == ("access-denied", charlie.client)
