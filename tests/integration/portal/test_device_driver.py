"""The emulator's driver on a bad line: what is sent again and what never is. The peer is a script."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from strongroom.protocol import commands
from strongroom.protocol.errors import Refused
from strongroom.protocol.frames import pack, read_frame
from strongroom.protocol.operations import OperationReply, OperationRequest

STATUS = commands.StatusReply(
    state="operational",
    mode="development",
    device="dev",
    world="w",
    boot_epoch=1,
    unseal_progress=0,
    unseal_threshold=0,
    workers=[],
    version="1",
)
REQUEST = OperationRequest("client:c", "pt", "k", 0, "sign", "", b"m")


class Peer:
    """Answers the first `answers` requests of each connection, then hangs up on receiving the next, or is `silent`.

    `pause`: seconds before each answer but the first.
    """

    def __init__(self, path: Path, answers: list[int], *, silent: bool = False, pause: int = 0) -> None:
        self.received: list[str] = []
        self._silent, self._pause = silent, pause
        self._answers = iter(answers)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for answers in self._answers:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._converse, args=(connection, answers), daemon=True).start()
        self._listener.close()

    def _converse(self, connection: socket.socket, answers: int) -> None:
        # The driver may hang up first: the conversation is over then.
        with connection, contextlib.suppress(EOFError):
            hello = msgspec.msgpack.decode(read_frame(connection.recv), type=commands.Hello)
            connection.sendall(pack(msgspec.msgpack.encode(commands.Reply())))
            for number in range(answers):
                read_frame(connection.recv)
                self.received.append(hello.lane)
                time.sleep(self._pause if number else 0)
                connection.sendall(pack(self._answer(hello.lane)))
            read_frame(connection.recv)
            self.received.append(hello.lane)
            if self._silent:
                read_frame(connection.recv)

    def _answer(self, lane: str) -> bytes:
        if lane == "operations":
            return msgspec.msgpack.encode(OperationReply(result=b"signature"))
        return msgspec.msgpack.encode(commands.Reply(body=msgspec.Raw(msgspec.msgpack.encode(STATUS))))


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Callable[..., tuple[Peer, object]]]:
    def make(*answers: int) -> tuple[Peer, object]:
        from tee.drivers.emulator import Emulator

        return Peer(tmp_path / "s", list(answers)), Emulator(str(tmp_path / "s"))

    return make


def test_connections_are_kept(behind: Callable) -> None:
    peer, driver = behind(2, 1)
    assert driver.operate(REQUEST).result == b"signature"
    assert driver.call(commands.Status(), commands.StatusReply) == STATUS
    assert driver.operate(REQUEST).result == b"signature"
    assert peer.received == ["operations", "admin", "operations"]


def test_a_reading_command_is_sent_again_where_its_answer_is_lost(behind: Callable) -> None:
    peer, driver = behind(1, 1)
    for _ in range(2):
        assert driver.call(commands.Status(), commands.StatusReply) == STATUS
    assert peer.received == ["admin"] * 3


def test_a_page_does_not_wait_long_for_a_device_that_takes_questions_and_answers_none(tmp_path: Path) -> None:
    from tee.drivers import emulator

    driver = emulator.Emulator(str(tmp_path / "s"))
    Peer(tmp_path / "s", [1], silent=True)
    driver.call(commands.Status(), commands.StatusReply)
    begun = time.monotonic()
    with pytest.raises(Refused, match="hsm-unreachable"):
        driver.call(commands.Status(), commands.StatusReply)
    assert time.monotonic() - begun < emulator.ANSWER_SECONDS / 2


def test_what_takes_long_is_waited_for_on_a_connection_that_had_a_short_question(tmp_path: Path) -> None:
    from tee.drivers import emulator

    driver = emulator.Emulator(str(tmp_path / "s"))
    Peer(tmp_path / "s", [2], pause=emulator.PROMPT_SECONDS + 1)
    driver.call(commands.Status(), commands.StatusReply)
    assert driver.call(commands.PublishKeys(), commands.StatusReply) == STATUS


def test_an_operation_is_never_sent_twice(behind: Callable) -> None:
    peer, driver = behind(1, 1)
    assert driver.operate(REQUEST).result == b"signature"
    with pytest.raises(Refused, match="hsm-unreachable"):
        driver.operate(REQUEST)
    assert peer.received == ["operations"] * 2
    # The line was lost, not the driver.
    assert driver.operate(REQUEST).result == b"signature"


def test_a_changing_command_is_never_sent_twice(behind: Callable) -> None:
    peer, driver = behind(1, 1)
    driver.call(commands.Status(), commands.StatusReply)
    with pytest.raises(Refused, match="hsm-unreachable"):
        driver.call(commands.UpdateAccess(partition="pt", document="d"), commands.UpdateAccessReply)
    assert peer.received == ["admin"] * 2


def test_where_nobody_listens_the_device_is_unreachable(tmp_path: Path) -> None:
    from tee.drivers.emulator import Emulator

    driver = Emulator(str(tmp_path / "nothing"))
    with pytest.raises(Refused, match="hsm-unreachable"):
        driver.operate(REQUEST)


def test_operations_that_go_together_are_answered_in_order_on_a_connection_that_is_kept(behind: Callable) -> None:
    peer, driver = behind(6)
    for _ in range(2):
        assert [one.result for one in driver.operate_together([REQUEST] * 3)] == [b"signature"] * 3
    assert peer.received == ["operations"] * 6


def test_of_operations_that_went_together_none_is_sent_again_where_the_line_is_lost(behind: Callable) -> None:
    peer, driver = behind(3, 2)
    assert driver.operate(REQUEST).result == b"signature"
    replies = driver.operate_together([REQUEST] * 4)
    assert [next(replies).result for _ in range(2)] == [b"signature"] * 2
    with pytest.raises(Refused, match="hsm-unreachable"):
        next(replies)
    assert peer.received == ["operations"] * 4  # the fourth was received and not answered
    assert len(list(driver.operate_together([REQUEST] * 2))) == 2


def test_an_exchange_that_is_given_up_halfway_leaves_no_answer_to_the_next(behind: Callable) -> None:
    _, driver = behind(3, 1)
    replies = driver.operate_together([REQUEST] * 3)
    next(replies)
    replies.close()
    assert driver.operate(REQUEST).result == b"signature"
