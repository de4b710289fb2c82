"""Operations that come together on one connection: each has its own answer, in order, and its own entry in the log."""

import itertools
import os
import signal
import time
from collections.abc import Callable

import msgspec
import pytest

from strongroom.protocol.frames import FrameBuffer, pack, read_frame
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support import outside
from tests.support.hardware import Line
from tests.support.imports import Imported
from tests.support.sealed import Customer, SealedDevice

SLOW = 400  # RSA signatures: many slices


@pytest.fixture(scope="module")
def customer(make_device: Callable[..., SealedDevice]) -> Customer:
    device = make_device(workers=1)
    device.bring_up()
    return device.customer()


@pytest.fixture
def key(customer: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(customer, KeyType.EC_P256)


@pytest.fixture
def rsa_key(customer: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(customer, KeyType.RSA)


def send(line: Line, requests: list[OperationRequest]) -> None:
    line.sock.sendall(b"".join(pack(msgspec.msgpack.encode(one)) for one in requests))


def receive(line: Line) -> OperationReply:
    return msgspec.msgpack.decode(read_frame(line.sock.recv), type=OperationReply)


def until_it_ends(line: Line) -> int:
    """So many more answers came before the device closed."""
    for count in itertools.count():
        try:
            assert receive(line).code == ""
        except (EOFError, ConnectionError):
            return count
    raise AssertionError


def test_one_that_is_refused_in_the_middle_harms_no_other(customer: Customer, key: Imported) -> None:
    line = customer.hsm.line("operations")
    send(
        line,
        [
            customer.request(key.id, "sign", b"first"),
            customer.request(key.id, "sign", b"no digest", parameters=Parameters(prehashed=True)),
            customer.request(key.id, "encrypt", b"third"),
            customer.request(key.id, "sign", b"last"),
        ],
    )
    replies = [receive(line) for _ in range(4)]
    assert [one.code for one in replies] == ["", "payload-invalid", "mechanism-unsupported", ""]
    outside.verify("ECDSA-SHA256", key.material, replies[0].result, b"first")
    outside.verify("ECDSA-SHA256", key.material, replies[3].result, b"last")
    entries = customer.hsm.verified_log(customer.partition)["w0"][-4:]
    assert [(one.event, one.result) for one in entries] == [
        ("key:sign", "ok"),
        ("key:sign", "payload-invalid"),
        ("key:encrypt", "mechanism-unsupported"),
        ("key:sign", "ok"),
    ]


def test_slow_ones_leave_room_for_others_of_the_same_worker(
    customer: Customer, key: Imported, rsa_key: Imported
) -> None:
    assert customer.operate(key.id, "sign", b"m").code == ""
    crowd, other = customer.hsm.line("operations"), customer.hsm.line("operations")
    send(crowd, [customer.request(rsa_key.id, "sign", b"m")] * SLOW)
    assert other.operate(customer.request(key.id, "sign", b"m")).code == ""
    arrived, buffer = crowd.sock.recv(1024 * 1024), FrameBuffer()
    replies = [msgspec.msgpack.decode(one, type=OperationReply) for one in buffer.feed(arrived)]
    assert len(replies) < SLOW
    while len(replies) < SLOW:
        replies += [msgspec.msgpack.decode(one, type=OperationReply) for one in buffer.feed(crowd.sock.recv(65_536))]
    assert {one.code for one in replies} == {""}


def test_what_was_answered_before_the_worker_was_killed_is_on_record_and_the_rest_at_most_once(
    customer: Customer, rsa_key: Imported
) -> None:
    def entries() -> int:
        return len([one for one in customer.hsm.verified_log(customer.partition)["w0"] if one.key == rsa_key.id])

    (worker,) = customer.hsm.status().workers
    line = customer.hsm.line("operations")
    send(line, [customer.request(rsa_key.id, "sign", b"m")] * SLOW)
    assert receive(line).code == ""
    os.kill(worker, signal.SIGKILL)
    answered = 1 + until_it_ends(line)
    deadline = time.monotonic() + 30
    while customer.hsm.status().workers in ([], [worker]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 1 <= answered <= entries() < SLOW


def test_a_caller_that_leaves_before_its_answers_harms_nobody(customer: Customer, rsa_key: Imported) -> None:
    line = customer.hsm.line("operations")
    send(line, [customer.request(rsa_key.id, "sign", b"m")] * SLOW)
    line.sock.close()
    assert customer.hsm.line("operations").operate(customer.request(rsa_key.id, "sign", b"m")).code == ""
    assert len(customer.hsm.status().workers) == 1
