"""One POST to an address that a customer chose: to public addresses only, without redirects, in bounded time and space.

The name is resolved once, every address that it has is checked, and the connection goes to one of those that were
checked: what the name means a moment later changes nothing.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from strongroom.protocol.errors import Refused

DEADLINE_SECONDS = 10.0
MAX_URL = 1000
_EMBEDDING = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""NAT64, 6to4 and Teredo: the IPv4 address inside could be a private one."""


class Undeliverable(Exception):
    """Nothing was answered; the text says why, for the customer."""


def check_url(url: str, *, allow_private: bool) -> SplitResult:
    """The parts of an address that may be called. Raises `Refused("callback-refused")`.

    `allow_private`: http and addresses of this network too, which is for development.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("callback-refused", "not an address") from None
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise Refused("callback-refused", "an address begins with https://")
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("callback-refused", f"an address has at most {MAX_URL} printable ASCII characters")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise Refused("callback-refused", "an address is scheme, host, port, path and query, and nothing else")
    try:
        literal = ip_address(parts.hostname)
    except ValueError:
        return parts
    if not allow_private and not is_public(literal):
        raise Refused("callback-refused", "the address is in a private, loopback or link-local range")
    return parts


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the internet's, in whatever way it is written."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _EMBEDDING):
            return False
    return address.is_global and not address.is_multicast


def post(url: str, body: bytes, headers: dict[str, str], *, allow_private: bool) -> int:
    """Send, and the status code of the answer, of which nothing else is read. Raises `Undeliverable`."""
    try:
        parts = check_url(url, allow_private=allow_private)
    except Refused as refused:
        raise Undeliverable(refused.detail) from None
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port, allow_private)
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


def _resolve(host: str, port: int, allow_private: bool) -> tuple[str, int]:
    """One of the host's addresses, when it may have all that it has. Raises `Undeliverable`."""
    try:
        found = [entry[4] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise Undeliverable("the name cannot be resolved") from None
    addresses = [str(one[0]) for one in found]
    if not allow_private and not all(is_public(ip_address(one.partition("%")[0])) for one in addresses):
        raise Undeliverable("the name leads to a private, loopback or link-local address")
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
