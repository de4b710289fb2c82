"""kill -9 at any moment: an import is complete with its receipt or not there, and nothing confirmed is lost."""

import os
import random
import threading
import time
from collections.abc import Callable

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import keys_of
from tests.support.materials import make_terms, rsa_pkcs8
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture
def device(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    made = make_device(workers=2)
    made.bring_up()
    return made


def start_again(device: SealedDevice, customer: Customer) -> None:
    device.start()
    device.unseal()
    customer.operations = device.line("operations")


def find(customer: Customer, import_id: str) -> str:
    try:
        command = c.FindImport(partition=customer.partition, import_id=import_id)
        return customer.hsm.line().call(command, c.ImportKeyReply).receipt
    except Refused as error:
        return error.code


def send_and_kill(customer: Customer, envelope: Envelope, after: float) -> str:
    """Send, and kill the device `after` seconds. The receipt, or empty where no answer came."""
    answers: list[str] = []

    def send() -> None:
        try:
            answers.append(customer.send(envelope))
        except (OSError, EOFError):
            answers.append("")

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(after)
    customer.hsm.kill()
    sender.join()
    return answers[0]


def test_an_import_that_is_killed_is_whole_or_not_there(device: SealedDevice) -> None:
    customer = device.customer()
    begun = time.monotonic()
    customer.import_key(rsa_pkcs8(), make_terms(KeyType.RSA), "timed")
    usual = time.monotonic() - begun
    outcomes = set()
    for n in range(18):
        material, name = rsa_pkcs8(), f"key-{n}"
        import_id = make_id("imp_")
        envelope = customer.envelope(material, make_terms(KeyType.RSA).encode(), name, import_id=import_id)
        answered = send_and_kill(customer, envelope, random.uniform(0, 1.3 * usual))  # noqa: S311
        start_again(device, customer)
        # 1. Complete with its receipt, or not there; what was answered is there.
        found = find(customer, import_id)
        outcomes.add("there" if found != "not-found" else "not there")
        assert found == answered or not answered
        # 2. Sent again it is there, once, and it works.
        receipt = customer.receipt(customer.send(envelope))
        assert found in {"not-found", customer.send(envelope)}
        assert [customer.receipt(one).name for one in keys_of(customer)].count(name) == 1
        assert customer.operate(receipt.key_id, "sign", b"m").code == ""
    # 3. The log is one unbroken chain through all of it, and kills met both sides of the commit.
    events = [one.event for one in device.verified_log(customer.partition)["admin"]]
    assert events.count("key:import") == 19
    assert outcomes == {"there", "not there"}


def test_operations_that_were_answered_are_in_the_log_after_a_kill(device: SealedDevice) -> None:
    customer = device.customer()
    key = customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id
    before = device.checkpoint(customer.partition)
    lines = [device.line("operations") for _ in range(4)]
    answered = sum(line.operate(customer.request(key, "hash", b"m")).code == "" for line in lines for _ in range(50))
    device.kill()
    start_again(device, customer)
    log = device.verified_log(customer.partition, since=before)
    events = [one.event for lane in log.values() for one in lane]
    assert answered == 200
    assert events.count("key:hash") == 200


def test_a_killed_worker_is_started_again_and_goes_on_with_its_chain(device: SealedDevice) -> None:
    customer = device.customer()
    key = customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id
    request = customer.request(key, "hash", b"m")
    for round_ in range(1, 4):
        before = device.checkpoint(customer.partition)
        lines = [device.line("operations") for _ in range(2)]
        assert [line.operate(request).code for line in lines] == ["", ""]
        pids = device.status().workers
        for pid in pids:
            os.kill(pid, 9)
        deadline = time.monotonic() + 10
        while len(set(device.status().workers) - set(pids)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        lanes = device.verified_log(customer.partition, since=before)
        assert {lane: len(entries) for lane, entries in lanes.items() if lane != "admin"} == {
            "w0": round_,
            "w1": round_,
        }
    with pytest.raises((EOFError, ConnectionError)):
        lines[0].operate(request)


def test_workers_die_with_their_parent_even_while_they_are_stopped(device: SealedDevice) -> None:
    pids = device.status().workers
    os.kill(pids[0], 19)  # SIGSTOP: a provider keeps a worker with rights and nonces as they are now
    device.kill()
    deadline = time.monotonic() + 5
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_second_process_cannot_serve_the_same_state(device: SealedDevice) -> None:
    twin = SealedDevice(device.folder.parent, workers=1)
    twin.socket = device.folder.parent / "twin.sock"
    with pytest.raises(TimeoutError, match="another process serves"):
        twin.start()
    assert device.status().state == "operational"


def test_a_stopped_worker_costs_no_wrong_checkpoint(device: SealedDevice) -> None:
    customer = device.customer()
    key = customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id
    for line in [device.line("operations") for _ in range(2)]:
        assert line.operate(customer.request(key, "hash", b"m")).code == ""
    pid = device.status().workers[0]
    os.kill(pid, 19)
    threading.Timer(0.3, os.kill, (pid, 18)).start()
    assert {lane: head.count for lane, head in device.checkpoint(customer.partition).lanes.items()}["w0"] == 1
