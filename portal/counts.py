"""What this process has answered: counted in memory, and added once a second to what all processes have, in the cache.

A request costs two additions under a lock, and no round trip. Where the cache is away the counts wait here; where it
has lost what it had they begin anew, as a counter of Prometheus may.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from functools import cache

import redis
from django.conf import settings

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Seconds: an operation is in the bucket of the first that is not below it, or in the last, which has none."""
_TELL_SECONDS = 1.0
_HASH = "metrics"

Name = tuple[str, ...]
"""`("operations", operation, code)`, `("buckets", operation, index)`, `("microseconds", operation)`, or
`("requests", status)`."""


class Counts:
    """Of one process."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, decode_responses=True)
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._new: Counter[Name] = Counter()
        self._thread: threading.Thread | None = None

    def operation(self, operation: str, code: str, seconds: float) -> None:
        """One was answered. `code` is empty where it was done."""
        bucket = str(bisect_left(BOUNDS, seconds))
        with self._lock:
            self._new["operations", operation, code or "ok"] += 1
            self._new["buckets", operation, bucket] += 1
            self._new["microseconds", operation] += int(seconds * 1_000_000)
        self._begin()

    def request(self, status: int) -> None:
        """Something other than an operation was answered."""
        with self._lock:
            self._new["requests", str(status)] += 1
        self._begin()

    def tell(self) -> None:
        """Add what is new to what all processes have. Raises `redis.RedisError`; nothing is lost then."""
        with self._telling:
            with self._lock:
                new, self._new = self._new, Counter()
            try:
                together = self._redis.pipeline()
                for name, count in new.items():
                    together.hincrby(_HASH, "|".join(name), count)
                together.execute()
            except redis.RedisError:
                with self._lock:
                    self._new += new
                raise

    def all(self) -> dict[Name, int]:
        """What all processes have told. Raises `redis.RedisError`."""
        return {tuple(str(name).split("|")): int(count) for name, count in self._redis.hgetall(_HASH).items()}

    def _begin(self) -> None:
        """Begin to tell, in the process that serves: never before a fork."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="counts", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(_TELL_SECONDS)
            if self._new:
                try:
                    self.tell()
                except redis.RedisError:
                    continue  # they are told with the next


@cache
def counts() -> Counts:
    return Counts(str(settings.CACHES["default"]["LOCATION"]))
