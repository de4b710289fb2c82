"""How much a tenant, and each of its API clients, may ask in a minute: requests, and items of operations.

All web processes count together in the cache (Valkey, Redis), where each leases a block of a limit now and then and
uses it up by itself: so a request costs no round trip, and no limit is exceeded, though up to a block of each other
process may stay unused. Without the cache each process has its share of the limit: then a minute in which the cache
went away may have up to twice the limit, and the following ones no more than the limit.
"""

import time
from functools import cache
from threading import Lock
from typing import NamedTuple

import redis
from django.conf import settings

from strongroom.protocol.errors import Refused
from tenants.models import Membership, Tenant

WINDOW_SECONDS = 60
BLOCKS = 100
"""A process leases a limit's hundredth at once."""
DEFAULT_REQUESTS = 1_200_000
DEFAULT_ITEMS = 24_000_000
"""A tenant's limits in a window where it has none of its own. A client without its own is under its tenant's alone."""
CACHE_SECONDS = 0.25
"""So long the cache may take to answer; and ten times as long it is left alone when it does not."""

Header = tuple[str, str]
Pair = tuple[int | None, int | None]
"""Limits of requests and of items; None where there is none of one's own."""


class QuotaExceeded(Refused):
    """`retry_after`: seconds until the window ends."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__("quota-exceeded", detail)
        self.retry_after = retry_after


class SharedCounts:
    """The counters in the cache; silent for a while after a failure."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(
            url, socket_timeout=CACHE_SECONDS, socket_connect_timeout=CACHE_SECONDS, decode_responses=True
        )
        self._silent_until = float("-inf")

    def read(self, name: str) -> int | None:
        """A counter's value, or None where the cache is away."""
        try:
            return int(self._redis.get(name) or 0)
        except redis.RedisError:
            return None

    def add(self, name: str, count: int) -> int | None:
        """Add to a counter, which is forgotten after two windows. Its new value, or None where the cache is away."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            both = self._redis.pipeline()
            both.incrby(name, count)
            both.expire(name, 2 * WINDOW_SECONDS)
            value, _ = both.execute()
        except redis.RedisError:
            self._silent_until = time.monotonic() + 10 * CACHE_SECONDS
            return None
        return int(value)


@cache
def shared_counts() -> SharedCounts:
    return SharedCounts(str(settings.CACHES["default"]["LOCATION"]))


class Meter:
    """What this process may still use of one limit in the present window. `name` is unique, `label` is for headers."""

    def __init__(self, name: str, label: str, limit: int) -> None:
        self.name = name
        self.label = label
        self.limit = limit
        self._lock = Lock()
        self._begin(0)

    def _begin(self, window: int) -> None:
        self._window = window
        self._left = 0
        self._leased = 0
        self._others = 0
        self._hopeless: int = 2**63
        """So many, and more, were refused in this window."""

    def take(self, count: int, now: float) -> bool:
        """Use `count` of the limit, if there is as much left; `now` is the time of day in seconds."""
        with self._lock:
            window = int(now) // WINDOW_SECONDS
            if window != self._window:
                self._begin(window)
            if self._left < count < self._hopeless:
                self._lease(count - self._left, count)
            if self._left < count:
                return False
            self._left -= count
            return True

    def give_back(self, count: int, now: float) -> None:
        """What was taken at `now` is not used after all."""
        with self._lock:
            if int(now) // WINDOW_SECONDS == self._window:
                self._left += count

    def remaining(self, now: float) -> int:
        """So much of the limit is left, as far as this process knows."""
        if int(now) // WINDOW_SECONDS != self._window:
            return self.limit
        return max(0, self.limit - self._others - self._leased) + self._left

    def _lease(self, needed: int, count: int) -> None:
        wanted = max(needed, self.limit // BLOCKS)
        counter = _counter(self.name, self.limit, self._window)
        total = shared_counts().add(counter, wanted)
        if total is None:
            free = max(1, self.limit // settings.WEB_PROCESSES) - self._leased
        else:
            free = self.limit - (total - wanted)
            self._others = max(0, total - wanted - self._leased)
        if free < needed:
            if total is not None:  # what others may still have use for
                shared_counts().add(counter, -wanted)
                self._hopeless = count
            return
        granted = min(wanted, free)
        self._leased += granted
        self._left += granted


class Quota:
    """The limits that one caller is under. `policy` and `state` are the values of the two headers."""

    def __init__(self, requests: list[Meter], items: list[Meter]) -> None:
        self.requests = requests
        self.items = items
        self._meters = [*requests, *items]
        self.policy = ", ".join(f'"{one.label}";q={one.limit};w={WINDOW_SECONDS}' for one in self._meters)

    def spend(self, *, requests: int = 0, items: int = 0) -> None:
        """Raises `QuotaExceeded`, and `Refused("batch-too-large")` for more items than a limit ever allows."""
        now = time.time()
        for meters, count in ((self.requests, requests), (self.items, items)):
            if count:
                _take_of_all(meters, count, now)

    def headers(self) -> list[Header]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10)."""
        now = time.time()
        reset = _reset(now)
        state = ", ".join([f'"{one.label}";r={one.remaining(now)};t={reset}' for one in self._meters])
        return [("RateLimit-Policy", self.policy), ("RateLimit", state)]

    def usage(self) -> list[dict[str, int | str]]:
        """Each limit with what is left of it, as this process knows it, and when its window ends."""
        now = time.time()
        return [
            {
                "name": one.label,
                "limit": one.limit,
                "window_seconds": WINDOW_SECONDS,
                "remaining": one.remaining(now),
                "reset_seconds": _reset(now),
            }
            for one in self._meters
        ]


def _take_of_all(meters: list[Meter], count: int, now: float) -> None:
    """Of every limit or of none, so that a refusal costs neither the tenant nor its other clients anything."""
    for meter in meters:
        if count > meter.limit:
            raise Refused("batch-too-large", f"{meter.label} is {meter.limit} in {WINDOW_SECONDS} seconds")
    for place, meter in enumerate(meters):
        if not meter.take(count, now):
            for taken in meters[:place]:
                taken.give_back(count, now)
            raise _exceeded(meter, now)


def _reset(now: float) -> int:
    return WINDOW_SECONDS - int(now) % WINDOW_SECONDS


def _exceeded(meter: Meter, now: float) -> QuotaExceeded:
    detail = f"{meter.label}: {meter.limit} in {WINDOW_SECONDS} seconds"
    return QuotaExceeded(detail, _reset(now))


_meters: dict[str, Meter] = {}
_REMEMBERED = 100_000


def quota_of(*, tenant: int, tenant_limits: Pair, client: str, client_limits: Pair) -> Quota:
    """The quota of an API client or person (`client` is the user's name), with what this process has leased of it."""
    if len(_meters) > _REMEMBERED:
        _meters.clear()
    of_tenant = (tenant_limits[0] or DEFAULT_REQUESTS, tenant_limits[1] or DEFAULT_ITEMS)
    requests, items = (
        [_meter(f"tenant:{tenant}:{kind}", f"tenant-{kind}", limit)]
        + ([_meter(f"client:{client}:{kind}", f"client-{kind}", own)] if own else [])
        for kind, limit, own in zip(("requests", "items"), of_tenant, client_limits, strict=True)
    )
    return Quota(requests, items)


def quota_of_member(membership: Membership) -> Quota:
    """As `quota_of`."""
    tenant = membership.tenant
    return quota_of(
        tenant=tenant.pk,
        tenant_limits=(tenant.requests_a_minute, tenant.items_a_minute),
        client=membership.user.username,
        client_limits=(membership.requests_a_minute, membership.items_a_minute),
    )


def _meter(name: str, label: str, limit: int) -> Meter:
    meter = _meters.get(name)
    if meter is None or meter.limit != limit:
        meter = _meters[name] = Meter(name, label, limit)
    return meter


class Used(NamedTuple):
    """What of a tenant's limit is used in the present window. None: the cache, which counts, does not answer.

    Web processes take a hundredth of a limit at once, so that it may be a little less in truth.
    """

    label: str
    limit: int
    taken: int | None


def used_of_tenant(tenant: Tenant) -> list[Used]:
    """Of the tenant's requests and items; all web processes together."""
    limits = (
        ("requests", tenant.requests_a_minute or DEFAULT_REQUESTS),
        ("items", tenant.items_a_minute or DEFAULT_ITEMS),
    )
    window = int(time.time()) // WINDOW_SECONDS
    return [
        Used(kind, limit, shared_counts().read(_counter(f"tenant:{tenant.pk}:{kind}", limit, window)))
        for kind, limit in limits
    ]


def _counter(name: str, limit: int, window: int) -> str:
    # A limit that was changed is counted anew.
    return f"quota:{name}:{limit}:{window}"
