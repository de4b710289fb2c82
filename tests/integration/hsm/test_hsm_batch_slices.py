"""A long batch and others of the same worker: they do not wait for it, and what they withdraw serves it no longer."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import pytest

from strongroom.protocol.frames import pack, read_frame
from strongroom.protocol.instructions import MAX_ITEMS, Item
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.operations import OperationReply
from tests.support import outside
from tests.support.imports import Imported
from tests.support.sealed import Customer, SealedDevice

RSA_ITEMS = 1500  # more than a second's work


@pytest.fixture(scope="module")
def customer(make_device: Callable[..., SealedDevice]) -> Customer:
    device = make_device(workers=1)
    device.bring_up()
    return device.customer()


@pytest.fixture
def key(customer: Customer, import_key: Callable[..., Imported]) -> Imported:
    return import_key(customer, KeyType.RSA)


@pytest.fixture
def begin(customer: Customer) -> Iterator[Callable[..., Future[OperationReply]]]:
    """Sends a request on a line of its own, and waits until it must have begun."""
    with ThreadPoolExecutor() as pool:

        def make(*arguments: object, **changes: object) -> Future[OperationReply]:
            line, request = customer.hsm.line("operations"), customer.request(*arguments, **changes)  # type: ignore[arg-type]
            answer = pool.submit(line.operate, request)
            time.sleep(0.1)
            return answer

        yield make


def test_a_single_operation_is_answered_while_a_batch_of_ten_thousand_runs(
    customer: Customer, key: Imported, import_key: Callable[..., Imported], begin: Callable[..., Future[OperationReply]]
) -> None:
    ec_key = import_key(customer, KeyType.EC_P256)
    batch = begin(ec_key.id, "sign", b"", items=[Item(b"%d" % n) for n in range(MAX_ITEMS)])
    singles = 0
    while not batch.done():
        assert customer.operate(key.id, "sign", b"m").code == ""
        singles += 1
    reply = batch.result()
    assert singles > 3
    assert (reply.code, reply.errors, len(set(reply.results))) == ("", {}, MAX_ITEMS)
    for index in (0, 5000, MAX_ITEMS - 1):
        outside.verify("ECDSA-SHA256", ec_key.material, reply.results[index], b"%d" % index)


def check_cut_off(reply: OperationReply, code: str) -> None:
    """The first items are done, all others have `code`."""
    done = RSA_ITEMS - len(reply.errors)
    assert 0 < done < RSA_ITEMS
    assert all(reply.results[:done])
    assert set(reply.results[done:]) == {b""}
    assert {index: one for index, (one, _) in reply.errors.items()} == dict.fromkeys(range(done, RSA_ITEMS), code)


def test_a_key_destroyed_meanwhile_serves_no_further_item(
    customer: Customer, key: Imported, begin: Callable[..., Future[OperationReply]]
) -> None:
    batch = begin(key.id, "sign", b"", items=[Item(b"m")] * RSA_ITEMS)
    assert not batch.done()
    customer.order(key.id)
    check_cut_off(batch.result(), "key-not-active")
    assert customer.hsm.verified_log(customer.partition)["w0"][-1].details["items"] == RSA_ITEMS


def test_a_right_that_is_withdrawn_meanwhile_ends_a_batch(
    customer: Customer, key: Imported, begin: Callable[..., Future[OperationReply]]
) -> None:
    batch = begin(key.id, "sign", b"", items=[Item(b"m")] * RSA_ITEMS)
    assert not batch.done()
    customer.allow(customer.device_entry(["import", "sign"]), customer.client_entry(["hash"]))
    check_cut_off(batch.result(), "access-denied")
    customer.allow(customer.device_entry(["import", "sign"]), customer.client_entry(["sign", "hash"]))


def test_requests_behind_a_batch_are_answered_in_order_and_a_caller_that_leaves_harms_nobody(
    customer: Customer, key: Imported
) -> None:
    line = customer.hsm.line("operations")
    requests = [
        customer.request(key.id, "sign", b"", items=[Item(b"m")] * 50),
        customer.request(key.id, "hash", b"m"),
        customer.request(key.id, "sign", b"", items=[Item(b"m")] * 30),
        customer.request("key_none", "sign", b"m"),
    ]
    line.sock.sendall(b"".join(pack(msgspec.msgpack.encode(one)) for one in requests))
    replies = [msgspec.msgpack.decode(read_frame(line.sock.recv), type=OperationReply) for _ in requests]
    assert [(one.code, len(one.results)) for one in replies] == [
        ("", 50),
        ("usage-not-permitted", 0),
        ("", 30),
        ("not-found", 0),
    ]
    leaver = customer.hsm.line("operations")
    leaver.send(msgspec.msgpack.encode(requests[0]))
    leaver.sock.close()
    assert customer.operate(key.id, "sign", b"m").code == ""
