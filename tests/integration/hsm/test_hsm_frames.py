"""Whatever comes through the socket, the device answers or closes, and goes on serving everybody else."""

import itertools
import random
import socket
import struct
import time
from collections.abc import Iterator

import msgspec
import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.frames import MAX_FRAME, pack, read_frame
from tests.support.imports import Imported
from tests.support.refusals import refused
from tests.support.sealed import Customer, Line, SealedDevice

LANES = ("admin", "operations")
GARBAGE = [
    b"",
    b"\xc1",
    b"\xc0",
    b"\x00" * 1000,
    b"\xff" * 1000,
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x82\xa7command\xa2\xff\xfe\xa4body\xc0",
    b"\x82\xa7command\xa6status\xa4body" + b"\x91" * 100_000 + b"\xc0",
    b"\x91" * 1_000_000,
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\x99\xa2\xff\xfe" + b"\xa0" * 8,
    b"\x99" + b"\xa0" * 3 + b"\xcf" + b"\xff" * 8 + b"\xa0" * 5,
]


@pytest.fixture(autouse=True)
def _unharmed(hsm: SealedDevice, alice: Customer, ec_key: Imported) -> object:
    """After each test the device is what it was: same process, same workers, working."""
    before = hsm.status()
    yield
    assert hsm.status() == before
    for line in [hsm.line("operations") for _ in range(2)]:
        assert line.operate(alice.request(ec_key.id, "sign", b"m")).code == ""


def answer(line: Line) -> bytes:
    """The answer's frame, or empty where the device closed."""
    try:
        return read_frame(line.sock.recv)
    except (EOFError, ConnectionError):
        return b""


def raw(hsm: SealedDevice) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    sock.connect(str(hsm.socket))
    return sock


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_frame_of_garbage_is_malformed_and_the_connection_stays(hsm: SealedDevice, lane: str, garbage: bytes) -> None:
    line = hsm.line(lane)
    for _ in range(2):
        line.send(garbage)
        assert b"malformed" in answer(line)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_connection_that_begins_with_garbage_is_closed(hsm: SealedDevice, garbage: bytes) -> None:
    sock = raw(hsm)
    sock.sendall(pack(garbage))
    assert b"malformed" in read_frame(sock.recv)
    with pytest.raises((EOFError, ConnectionError)):
        read_frame(sock.recv)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("length", [MAX_FRAME + 1, 2**31, 2**32 - 1])
def test_an_oversize_frame_closes_the_connection(hsm: SealedDevice, lane: str, length: int) -> None:
    line = hsm.line(lane)
    line.sock.sendall(struct.pack(">I", length) + b"x" * 100)
    assert answer(line) == b""


@pytest.mark.parametrize("lane", LANES)
def test_a_frame_may_come_byte_by_byte_and_many_at_once(
    hsm: SealedDevice, alice: Customer, ec_key: Imported, lane: str
) -> None:
    line = hsm.line(lane)
    body = c.encode_request(c.Status())
    if lane == "operations":
        body = msgspec.msgpack.encode(alice.request(ec_key.id, "sign", b"m"))
    for byte in pack(body):
        line.sock.sendall(bytes([byte]))
    assert answer(line)
    line.sock.sendall(pack(body) * 5)
    assert all(answer(line) for _ in range(5))


def test_a_request_before_the_welcome_closes_rather_than_hangs(
    hsm: SealedDevice, alice: Customer, ec_key: Imported
) -> None:
    sock = raw(hsm)
    hello = pack(msgspec.msgpack.encode(c.Hello("operations", "portal")))
    sock.sendall(hello + pack(msgspec.msgpack.encode(alice.request(ec_key.id, "sign", b"m"))))
    assert read_frame(sock.recv)
    with pytest.raises((EOFError, ConnectionError)):
        read_frame(sock.recv)


@pytest.mark.parametrize("hello", [c.Hello("admin", "root"), c.Hello("other", "portal")])  # type: ignore[arg-type]
def test_an_unknown_lane_or_caller_is_refused(hsm: SealedDevice, hello: c.Hello) -> None:
    sock = raw(hsm)
    sock.sendall(pack(msgspec.msgpack.encode(hello)))
    with refused("malformed"):
        c.decode_reply(read_frame(sock.recv), type(None))


def test_an_unknown_command_or_member_is_malformed(hsm: SealedDevice) -> None:
    line = hsm.line()
    for command, body in (("export.key", {}), ("", {}), ("status", {"x": 1}), ("attest", {}), ("attest", {"nonce": 1})):
        request = c.Request(command, msgspec.Raw(msgspec.msgpack.encode(body)))
        line.send(msgspec.msgpack.encode(request))
        with refused("malformed"):
            line.receive(msgspec.Raw)


def test_half_a_frame_and_a_farewell_do_no_harm(hsm: SealedDevice) -> None:
    for lane in LANES:
        for size in (0, 1, 3, 4, 10):
            line = hsm.line(lane)
            line.sock.sendall(pack(b"x" * 100)[:size])
            line.sock.close()


def test_a_caller_who_does_not_read_does_not_stop_the_others_for_long(hsm: SealedDevice, alice: Customer) -> None:
    deaf = hsm.line()
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    deaf.sock.settimeout(0.2)
    questions = pack(c.encode_request(c.ShowAccess(partition=alice.partition))) * 10_000
    with pytest.raises((TimeoutError, ConnectionError)):
        deaf.sock.sendall(questions)
    assert hsm.status().state == "operational"


def open_lines(hsm: SealedDevice) -> Iterator[Line]:
    """One connection after the other, until one is turned away."""
    try:
        while True:
            yield hsm.line()
    except (OSError, EOFError):
        return


def test_many_connections_at_once_are_turned_away_and_not_fatal(hsm: SealedDevice) -> None:
    kept = list(itertools.islice(open_lines(hsm), 2000))
    assert 100 < len(kept) < 300
    for line in kept:
        line.sock.close()
    # The device sees the farewells one after the other.
    for _ in range(100):
        if list(itertools.islice(open_lines(hsm), 1)):
            break
        time.sleep(0.02)


def test_random_frames_never_end_the_device(hsm: SealedDevice, alice: Customer, ec_key: Imported) -> None:
    dice = random.Random(20260101)  # noqa: S311
    samples = [
        msgspec.msgpack.encode(alice.request(ec_key.id, "sign", b"m")),
        c.encode_request(c.Attest(nonce="n" * 20, partition=alice.partition)),
        c.encode_request(c.ReadLane(lane="admin", cursor="1", limit=2)),
        c.encode_request(c.MakeCheckpoint(partition=alice.partition, nonce="n" * 20)),
    ]
    for lane in LANES:
        line = hsm.line(lane)
        for _ in range(400):
            body = bytearray(dice.choice(samples))
            for _ in range(dice.randint(1, 6)):
                body[dice.randrange(len(body))] = dice.randrange(256)
            line.send(bytes(body))
            if not answer(line):
                line = hsm.line(lane)
