"""A portal that speaks to the device's socket as it likes: out of order, as somebody else, or garbage."""

import random
import socket
import struct
from collections.abc import Iterator

import msgspec
import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.frames import MAX_FRAME, pack, read_frame
from strongroom.protocol.log import WORLD_LOG
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply, OperationRequest
from tests.support.client import CLIENT, Client
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice

NOBODY = 65534
SEED = 20260101


def raw(device: SealedDevice) -> socket.socket:
    """A connection that has said nothing yet."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(device.socket))
    sock.settimeout(10)
    return sock


def hello(lane: str = "admin", caller: str = "portal") -> bytes:
    return msgspec.msgpack.encode(c.Hello(lane, caller))  # type: ignore[arg-type]


def is_closed(sock: socket.socket) -> bool:
    try:
        sock.sendall(pack(c.encode_request(c.Status())))
        return not sock.recv(4)
    except OSError:
        return True


def first_answer(device: SealedDevice, frame: bytes) -> tuple[str, bool]:
    """(code of the answer to a connection's first frame, whether the connection was closed then)."""
    with raw(device) as sock:
        sock.sendall(pack(frame))
        code = msgspec.msgpack.decode(read_frame(sock.recv), type=c.Reply).code
        return code, is_closed(sock)


@pytest.fixture(autouse=True)
def _unharmed(device: SealedDevice) -> Iterator[None]:
    """After every attack the device is as it was: the same workers, operational, and its log goes on from before."""
    workers, before = device.status().workers, device.entries(WORLD_LOG)["admin"]
    pid = device.pid
    yield
    status = device.status()
    assert status.state == "operational"
    assert (device.pid, status.workers) == (pid, workers) or device.pid != pid
    assert device.entries(WORLD_LOG)["admin"][: len(before)] == before


# --- as somebody else ---


@pytest.mark.parametrize(("option", "caller"), [("--console-uid", "console"), ("--portal-uid", "portal")])
def test_where_their_user_ids_differ_neither_is_taken_for_the_other(
    device: SealedDevice, option: str, caller: str
) -> None:
    other = {"console": "portal", "portal": "console"}[caller]
    try:
        device.stop()
        device.options = [option, str(NOBODY)]
        device.start(greet_as=other)
        assert first_answer(device, hello(caller=caller)) == ("caller-refused", True)
        assert first_answer(device, hello(caller=other)) == ("", False)
    finally:
        device.options = []
        device.kill()
        device.start()
        device.unseal()


def test_there_is_no_other_kind_of_caller_or_lane(device: SealedDevice) -> None:
    for lane, caller in (("admin", "officer"), ("admin", ""), ("root", "portal"), ("operations", "console")):
        code, closed = first_answer(device, hello(lane, caller))
        assert code == ("caller-refused" if caller == "console" else "malformed")
        assert closed


# --- out of order ---


def test_nothing_is_answered_before_a_hello(device: SealedDevice) -> None:
    assert first_answer(device, c.encode_request(c.Status())) == ("malformed", True)
    assert first_answer(device, c.encode_request(c.ListLanes())) == ("malformed", True)


def test_a_second_hello_makes_nobody_else_of_a_caller(device: SealedDevice) -> None:
    line = device.line()
    line.send(hello(caller="console"))
    with refused("malformed"):
        line.receive(type(None))
    with refused("caller-refused"):
        line.call(c.Initialise(officers=[], thresholds={}), c.InitialiseReply)


def test_a_world_is_not_made_again_nor_a_device_certified_again(device: SealedDevice) -> None:
    for command in (
        device.initialise(),
        c.MakeIdentity(),
        c.InstallCertificate(certificate=device.factory.root_pem, root=device.factory.root_pem),
    ):
        with refused("caller-refused"):
            device.line().call(command, c.Done)
        with refused("hsm-wrong-state"):
            device.console().call(command, c.Done)


def test_an_operational_device_takes_no_parts(device: SealedDevice) -> None:
    with refused("hsm-wrong-state"):
        device.line().call(c.BeginUnseal(nonce="n" * 32), c.BeginUnsealReply)
    with refused("hsm-wrong-state"):
        device.line().call(c.GiveUnsealPart(key_id="uk_", card="", part=b""), c.GiveUnsealPartReply)


@pytest.mark.parametrize(
    "name",
    [
        "key.export",
        "access.replace",
        "partition.define",
        "log.delete",
        "officers.replace",
        "",
        "__class__",
    ],
)
def test_what_is_no_command_is_not_done(device: SealedDevice, name: str) -> None:
    line = device.line()
    line.send(msgspec.msgpack.encode(c.Request(name, msgspec.Raw(msgspec.msgpack.encode({"partition": "any"})))))
    with refused("malformed"):
        line.receive(c.Done)


def test_a_command_with_more_in_it_than_it_has_is_not_done(device: SealedDevice, alice: Client) -> None:
    document = alice.home.kept("access", alice.partition)
    body = {"partition": alice.partition, "document": document, "owner": "portal", "force": True}
    line = device.line()
    line.send(msgspec.msgpack.encode({"command": "access.update", "body": body}))
    with refused("malformed"):
        line.receive(c.UpdateAccessReply)


@pytest.mark.parametrize(
    "path",
    ["{}/", "{}/keys/{}", "{}/names/payments", "{}/log-head", "{}/../{}", "", ".", "../world", "{}\x00", "x" * 10_000],
)
def test_a_path_is_no_partition(device: SealedDevice, alice: Client, path: str) -> None:
    key = alice.import_key("payments", authorisation="token").key_id
    partition = path.replace("{}", alice.partition, 1).replace("{}", key)
    line = device.line()
    for command, reply in (
        (c.ShowAccess(partition=partition), c.ShowAccessReply),
        (c.UpdateAccess(partition=partition, document="a.b.c"), c.UpdateAccessReply),
        (c.ListKeys(partition=partition), c.ListKeysReply),
        (c.FindImport(partition=partition, import_id="imp_"), c.ImportKeyReply),
    ):
        with refused("not-found"):
            line.call(command, reply)  # type: ignore[arg-type]
    request = OperationRequest(f"client:{CLIENT}", partition, key, 0, "hash", "", b"hello")
    assert device.line("operations").operate(request).code == "not-found"


@pytest.mark.parametrize("key", ["", "payments", "../keys/{}", "{}/", "../../world/officers", "key_" + "a" * 32])
def test_a_path_is_no_key(device: SealedDevice, alice: Client, key: str) -> None:
    made = alice.import_key("payments", authorisation="token").key_id
    request = OperationRequest(f"client:{CLIENT}", alice.partition, key.replace("{}", made), 0, "hash", "", b"hello")
    assert device.line("operations").operate(request).code == "not-found"


# --- garbage ---


def test_a_frame_that_says_it_is_too_large_ends_the_connection(device: SealedDevice) -> None:
    for lane in ("admin", "operations"):
        line = device.line(lane)
        line.sock.sendall(struct.pack(">I", MAX_FRAME + 1))
        assert is_closed(line.sock)


def test_half_a_frame_keeps_nobody_else_waiting(device: SealedDevice) -> None:
    with raw(device) as silent, raw(device) as slow:
        slow.sendall(pack(hello())[:-1])
        admin, operations = device.line(), device.line("operations")
        admin.sock.sendall(struct.pack(">I", 1000) + b"x")
        operations.sock.sendall(struct.pack(">I", 1000) + b"x")
        assert device.status().state == "operational"
        assert silent.fileno() > 0


def test_many_callers_who_say_nothing_keep_the_device_from_nobody_once_they_are_gone(
    device: SealedDevice, alice: Client
) -> None:
    alice.import_key("payments")
    crowd = [raw(device) for _ in range(300)]
    for one in crowd:
        one.close()
    assert alice.operate(Usage.HASH, "payments", b"hello").result


def garbage(chance: random.Random, device: SealedDevice, alice: Client) -> bytes:
    """Random bytes, or a sound frame with some bytes changed, or sound MessagePack that means nothing."""
    sound = [
        c.encode_request(c.ShowAccess(partition=alice.partition)),
        c.encode_request(device.initialise()),
        c.encode_request(c.ImportKey(partition=alice.partition, tenant="", header="a.b.c", material=b"", terms=b"")),
        c.encode_request(c.ExecuteAction(action=b"{}", approvals=["a.b.c"])),
        msgspec.msgpack.encode(OperationRequest("a", alice.partition, "key", 0, "sign", "", b"", instruction="a")),
    ]
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        return b"\x91" * chance.randrange(2000)
    if kind == 2:
        body: object = chance.choice([None, [], 1, {"nonce": "n" * 32}, "x" * 70_000])
        return msgspec.msgpack.encode({"command": chance.choice(["status", "attest", "session"]), "body": body})
    frame = bytearray(chance.choice(sound))
    for _ in range(chance.randrange(1, 4)):
        frame[chance.randrange(len(frame))] = chance.randrange(256)
    return bytes(frame)


@pytest.mark.parametrize("lane", ["admin", "operations"])
def test_garbage_is_answered_with_a_refusal_and_harms_nothing(device: SealedDevice, alice: Client, lane: str) -> None:
    chance = random.Random(SEED)  # noqa: S311
    alice.import_key("payments")
    kept, line = alice.verify_log(), device.line(lane)
    reply: type[c.Reply | OperationReply] = c.Reply if lane == "admin" else OperationReply
    codes = set()
    for _ in range(400):
        line.send(garbage(chance, device, alice))
        answer = msgspec.msgpack.decode(read_frame(line.sock.recv), type=reply)
        codes.add(answer.code)
    assert "malformed" in codes
    # A byte changed may leave a sound question; whatever it is, it meets no defect.
    assert not codes & {"internal", "unavailable", "log-unwritable"}
    assert alice.operate(Usage.HASH, "payments", b"hello").result
    assert alice.verify_log().extends == kept.checkpoint
