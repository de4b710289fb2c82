"""A log damaged while the device was stopped is noticed; and what cannot be put on record is not done."""

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import code_of, keys_of
from tests.support.lanes import frames, key_of, lane_file, work
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
