"""A call out of the device: one request, one answer, to an address that was checked, within a time and a size.

No proxy, no redirect, no system roots. Who the server is, is said by the caller's TLS context and check; where there is
none (plain http), or it proves nothing, the content must.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

from strongroom.protocol.addresses import Reach, may_be_called
from strongroom.protocol.errors import Refused

CALL_SECONDS = 5.0
_PIECE = 65_536


class Call(NamedTuple):
    """What is asked, and how large the answer's body may be. `headers` are written as they are."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    limit: int


class Channel(NamedTuple):
    """How an https server proves itself: by the context's rules, and then by `check` of its certificate in DER."""

    context: ssl.SSLContext
    check: Callable[[bytes], None]


def fetch(call: Call, channel: Channel, *, reach: Reach) -> bytes:
    """The body of a 200 answer. `reach`: which addresses may be called.

    Raises `Refused("unavailable" | "certificate-invalid" | "too-large")`, within about `CALL_SECONDS`.
    """
    deadline = time.monotonic() + CALL_SECONDS
    parts = urlsplit(call.url)
    name = parts.hostname or ""
    secure = parts.scheme == "https"
    try:
        # 1. The name is resolved once, and every address that it has is one that may be called.
        addresses = _resolve(name, parts.port or (443 if secure else 80), reach=reach)
        # 2. A connection to one of exactly these addresses.
        with (
            _connect(addresses, deadline) as plain,
            _secured(plain, name, channel if secure else None, deadline) as sock,
        ):
            # 3. The question, and no more of the answer than is allowed, in no more time.
            _send(sock, _request(call), deadline)
            return _receive(sock, call, deadline)
    except TimeoutError:
        raise Refused("unavailable", "no answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise Refused("certificate-invalid", error.verify_message) from None
    except ssl.SSLError:
        raise Refused("unavailable", "no TLS connection") from None
    except OSError:
        raise Refused("unavailable", "no connection") from None
    except (HTTPException, ValueError):
        raise Refused("unavailable", "not an HTTP answer") from None


def _resolve(name: str, port: int, *, reach: Reach) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise Refused("unavailable", "its name cannot be resolved") from None
    for _, _, _, _, address in found:
        if not may_be_called(str(address[0]), reach):
            raise Refused("unavailable", "its name leads to an address that is not called")
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]


def _connect(addresses: list[tuple[socket.AddressFamily, tuple[str, int]]], deadline: float) -> socket.socket:
    last: OSError = OSError()
    for number, (family, address) in enumerate(addresses):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(deadline) / (len(addresses) - number))
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    raise last


def _secured(plain: socket.socket, name: str, channel: Channel | None, deadline: float) -> socket.socket:
    if channel is None:
        return plain
    plain.settimeout(_left(deadline))
    sock = channel.context.wrap_socket(plain, server_hostname=name)  # the handshake as a whole within that time
    try:
        channel.check(sock.getpeercert(binary_form=True) or b"")
    except BaseException:
        sock.close()
        raise
    return sock


def _request(call: Call) -> bytes:
    parts = urlsplit(call.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{call.method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in call.headers]
    if call.method == "POST":
        lines.append(f"Content-Length: {len(call.body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + call.body


def _send(sock: socket.socket, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        sock.settimeout(_left(deadline))
        rest = rest[sock.send(rest[:_PIECE]) :]


def _receive(sock: socket.socket, call: Call, deadline: float) -> bytes:
    response = HTTPResponse(_Timed(sock, deadline), method=call.method)  # type: ignore[arg-type]
    response.begin()
    if response.status != 200:
        raise Refused("unavailable", f"it answers with status {response.status}")
    body = response.read(call.limit + 1)
    if len(body) > call.limit:
        raise Refused("too-large", "its answer is too long")
    return body


class _Timed(io.RawIOBase):
    """A socket that is read until a moment, however slowly the bytes come."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
