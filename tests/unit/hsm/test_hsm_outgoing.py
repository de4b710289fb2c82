"""A call out goes to the address that was checked, and to no other."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from hsm import outgoing
from hsm.outgoing import Call, fetch
from strongroom.protocol.errors import Refused

CALL = Call("GET", "http://names.example:8080/", [], b"", 100)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, int]]]:
    """Says what the name's addresses are at each question; returns where connections were made to."""

    def resolve(*answers: list[str]) -> list[tuple[str, int]]:
        connected: list[tuple[str, int]] = []
        left = list(answers)

        def getaddrinfo(_name: str, port: int, **_options: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in left.pop(0)]

        class Socket:
            def __init__(self, *_kind: object) -> None: ...
            def settimeout(self, _seconds: float) -> None: ...
            def close(self) -> None: ...
            def connect(self, address: tuple[str, int]) -> None:
                connected.append(address)
                raise ConnectionRefusedError

        monkeypatch.setattr(outgoing.socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(outgoing.socket, "socket", Socket)
        return connected

    return resolve


def test_the_name_is_resolved_once_and_what_was_checked_is_called(names: Callable[..., Any]) -> None:
    connected = names(["192.0.43.8"], ["127.0.0.1"])  # what the name is changed to meanwhile
    with pytest.raises(Refused, match="no connection"):
        fetch(CALL, outgoing.Channel(None, lambda _: None), reach="public")  # type: ignore[arg-type]
    assert connected == [("192.0.43.8", 8080)]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "224.0.0.1"])
def test_one_private_address_among_others_refuses_the_call(names: Callable[..., Any], address: str) -> None:
    connected = names(["192.0.43.8", address])
    with pytest.raises(Refused, match="not called"):
        fetch(CALL, outgoing.Channel(None, lambda _: None), reach="public")  # type: ignore[arg-type]
    assert connected == []


@pytest.mark.parametrize("address", ["10.1.2.3", "169.254.169.254", "fe80::1%eth0", "0.0.0.0"])  # noqa: S104
def test_a_development_device_calls_this_machine_and_nothing_beside_it(names: Callable[..., Any], address: str) -> None:
    connected = names(["127.0.0.1"], ["127.0.0.1", address])
    with pytest.raises(Refused, match="no connection"):
        fetch(CALL, outgoing.Channel(None, lambda _: None), reach="loopback")  # type: ignore[arg-type]
    with pytest.raises(Refused, match="not called"):
        fetch(CALL, outgoing.Channel(None, lambda _: None), reach="loopback")  # type: ignore[arg-type]
    assert connected == [("127.0.0.1", 8080)]


def test_a_name_that_leads_nowhere_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(outgoing.socket, "getaddrinfo", fail)
    with pytest.raises(Refused, match="resolved"):
        fetch(CALL, outgoing.Channel(None, lambda _: None), reach="public")  # type: ignore[arg-type]
