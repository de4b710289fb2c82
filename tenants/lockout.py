"""How login attempts are slowed down, at the login page and the REST interface together.

Attempts count, not their bodies: one that succeeds is taken off again, so only failures stay. Three counts, of which
any can make an attempt wait: of a name from an address, of an address whatever the names, and of a name from all
addresses together. The last holds for addresses from which nobody has logged in under that name of late, and for no
others: whoever knows somebody's user name cannot lock them out of where they usually are (docs/decisions/0023).
"""

import hashlib
import ipaddress
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from strongroom.protocol.errors import Refused

logger = logging.getLogger(__name__)

MEMORY = 24 * 3600
"""Seconds after which a count begins anew."""
FAMILIAR = 90 * 24 * 3600
"""Seconds for which an address stays familiar after a login."""
LONGEST_WAIT = 15 * 60


@dataclass(frozen=True)
class Limit:
    """After `free` failures each further attempt waits: `wait` seconds, then twice as long each time."""

    name: str
    free: int
    wait: int

    def wait_after(self, attempts: int) -> int:
        return min(LONGEST_WAIT, self.wait << min(attempts - self.free, 10)) if attempts >= self.free else 0


OF_NAME_AND_ADDRESS = Limit("pair", free=5, wait=30)
OF_ADDRESS = Limit("address", free=50, wait=30)
OF_NAME = Limit("name", free=100, wait=60)


class LockedOut(Refused):
    """Too many failures. `until` is when the next attempt is looked at, `retry_after` the seconds until then."""

    def __init__(self, until: float) -> None:
        self.until = datetime.fromtimestamp(until, UTC)
        self.retry_after = max(1, round(until - time.time()))
        detail = f"Attempts from your address wait until {self.until:%H:%M:%S} UTC: try again in {self.retry_after} s."
        super().__init__("throttled", detail)


class Attempt:
    """One attempt to log in, which counts as failed until `succeeded`."""

    def __init__(self, name: str, address: str) -> None:
        """Raises `LockedOut`."""
        self._familiar = _key("familiar", name, address)
        self._counts = [(OF_NAME_AND_ADDRESS, _key("pair", name, address))]
        # Of this machine's own address is whoever comes through a proxy that nothing is known of: that says nothing.
        if not ipaddress.ip_address(address.partition("/")[0]).is_loopback:
            self._counts.append((OF_ADDRESS, _key("address", address)))
        if not cache.get(self._familiar):
            self._counts.append((OF_NAME, _key("name", name)))
        # 1. Whoever waits is not even looked at, and waits no longer for having asked.
        locks = [cache.get(f"{key}-until", 0.0) for _, key in self._counts]
        if max(locks) > time.time():
            raise LockedOut(max(locks))
        # 2. Count before looking, so that many attempts at the same moment are no more than one after the other.
        for limit, key in self._counts:
            cache.add(key, 0, MEMORY)
            wait = limit.wait_after(cache.incr(key))
            if wait:
                cache.set(f"{key}-until", time.time() + wait, wait)
                logger.warning("Login attempts wait %s s after too many failures (%s %s)", wait, limit.name, address)

    def succeeded(self) -> None:
        """Take the attempt off the counts, and know the address from now on."""
        cache.set(self._familiar, 1, FAMILIAR)
        for limit, key in self._counts:
            cache.delete(f"{key}-until")
            if limit is OF_NAME_AND_ADDRESS:
                cache.delete(key)
            elif cache.get(key):
                cache.decr(key)


def address_of(request: HttpRequest) -> str:
    """The caller's address: of IPv6 the network of 64 bits, which is what one caller has.

    Behind a proxy that the installation trusts it is the last one of `X-Forwarded-For`, which that proxy has added.
    """
    told = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER is not None:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or told
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        # Of a unix socket, for instance: all its callers are one.
        return "127.0.0.1"
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _key(kind: str, *parts: str) -> str:
    digest = hashlib.sha256("\x00".join(parts).encode(errors="surrogatepass")).hexdigest()
    return f"login-{kind}-{digest}"
