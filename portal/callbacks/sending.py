"""One POST to an address that a customer chose: within reach, without redirects, in bounded time and space.

The name is resolved once, every address that it has is checked, and the connection goes to one of those that were
checked: what the name means a moment later changes nothing.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from strongroom.protocol.addresses import Reach, may_be_called
from strongroom.protocol.errors import Refused

DEADLINE_SECONDS = 10.0
MAX_URL = 1000


class Undeliverable(Exception):
    """Nothing was answered; the text says why, for the customer."""


def check_url(url: str, *, reach: Reach) -> SplitResult:
    """The parts of an address that may be called. Raises `Refused("callback-refused")`.

    Plain http only where calls may go further than the open internet.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("callback-refused", "not an address") from None
    if parts.scheme not in (("https",) if reach == "public" else ("https", "http")):
        raise Refused("callback-refused", "an address begins with https://")
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("callback-refused", f"an address has at most {MAX_URL} printable ASCII characters")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise Refused("callback-refused", "an address is scheme, host, port, path and query, and nothing else")
    try:
        allowed = may_be_called(parts.hostname, reach)
    except ValueError:
        return parts
    if not allowed:
        raise Refused("callback-refused", "the address is in a private, link-local or other range that is not called")
    return parts


def post(url: str, body: bytes, headers: dict[str, str], *, reach: Reach) -> int:
    """Send, and the status code of the answer, of which nothing else is read. Raises `Undeliverable`."""
    try:
        parts = check_url(url, reach=reach)
    except Refused as refused:
        raise Undeliverable(refused.detail) from None
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port, reach)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = _Tls(address, host, port)
    else:
        connection = _Plain(address, host, port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    watch = threading.Timer(DEADLINE_SECONDS, _hang_up(connection))
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except ssl.SSLError as error:
        raise Undeliverable(f"TLS failed: {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Undeliverable(f"no answer within {DEADLINE_SECONDS:.0f} s: {type(error).__name__}") from None
    finally:
        watch.cancel()
        connection.close()


def _resolve(host: str, port: int, reach: Reach) -> tuple[str, int]:
    """One of the host's addresses, when it may have all that it has. Raises `Undeliverable`."""
    try:
        found = [entry[4] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise Undeliverable("the name cannot be resolved") from None
    addresses = [str(one[0]) for one in found]
    if not all(may_be_called(one, reach) for one in addresses):
        raise Undeliverable("the name leads to a private, link-local or other address that is not called")
    return addresses[0], port


def _hang_up(connection: http.client.HTTPConnection) -> Callable[[], None]:
    """A socket's own timeout begins anew with every byte: this one does not."""

    def hang_up() -> None:
        sock = connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                sock.close()

    return hang_up


class _Plain(http.client.HTTPConnection):
    """To an address that was resolved before; the host's name is for the Host header."""

    def __init__(self, address: tuple[str, int], host: str, port: int) -> None:
        super().__init__(host, port, timeout=DEADLINE_SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, timeout=DEADLINE_SECONDS)


class _Tls(_Plain):
    """The same, with the certificate checked for the host's name."""

    default_port = 443

    def connect(self) -> None:
        plain = socket.create_connection(self._address, timeout=DEADLINE_SECONDS)
        self.sock = plain
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
