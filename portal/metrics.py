"""GET /metrics: what Prometheus collects, for whoever has the token of `STRONGROOM_METRICS_TOKEN_FILE`."""

import hmac
from collections.abc import Iterable, Iterator
from itertools import accumulate

import redis
from django.conf import settings
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from portal import problems
from portal.audit.selectors import copy_lag
from portal.callbacks.selectors import deliveries_waiting
from portal.counts import BOUNDS, Name, counts
from portal.jobs.selectors import work_waiting
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tee.selectors import device_state

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[str, dict[str, str], float]
"""What follows the metric's name, labels, value."""


def metrics(request: HttpRequest) -> HttpResponse:
    """The text of all web processes together. There is no such thing where no token is configured."""
    if not settings.METRICS_TOKEN:
        raise Http404
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        refused = Refused("unauthenticated")
        return JsonResponse(
            problems.document(refused),
            status=401,
            headers=problems.headers(refused),
            content_type=problems.CONTENT_TYPE,
        )
    return HttpResponse("".join(_lines()), content_type=CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _lines() -> Iterator[str]:
    try:
        counts().tell()
        counted, answers = counts().all(), True
    except redis.RedisError:
        counted, answers = {}, False
    yield from _metric("cache_up", "gauge", "Whether the cache answers.", [("", {}, answers)])
    yield from _counted(counted)
    # What is only known now.
    try:
        state = device_state()
    except Refused as refused:
        state = refused.code
    yield from _metric("device_state", "gauge", "1 for the device's state, or why it is unknown.",
                       [("", {"state": state}, 1)])  # fmt: skip
    try:
        waiting = work_waiting() | {"deliveries": deliveries_waiting()}
        lag = copy_lag()
    except Error:
        yield from _metric("database_up", "gauge", "Whether the database answers.", [("", {}, 0)])
        return
    yield from _metric("database_up", "gauge", "Whether the database answers.", [("", {}, 1)])
    yield from _metric("waiting", "gauge", "Asynchronous operations, chunks of running jobs, and callbacks to come.",
                       [("", {"of": name}, count) for name, count in waiting.items()])  # fmt: skip
    if lag is not None:
        yield from _metric("log_copy_lag_seconds", "gauge", "How old the copy of the device's log may be.",
                           [("", {}, lag.total_seconds())])  # fmt: skip


def _counted(counted: dict[Name, int]) -> Iterator[str]:
    requests = [("_total", {"status": name[1]}, count) for name, count in _of("requests", counted)]
    yield from _metric("http_requests", "counter", "Answers to all but operations, by status.", requests)
    done = [("_total", {"operation": name[1], "code": name[2]}, count) for name, count in _of("operations", counted)]
    yield from _metric("operations", "counter", "Operations answered, by their error's code or ok.", done)
    yield from _metric("operation_seconds", "histogram", "From the request's head to its answer.",
                       [one for usage in Usage for one in _histogram(usage, counted)])  # fmt: skip


def _of(kind: str, counted: dict[Name, int]) -> list[tuple[Name, int]]:
    return sorted((name, count) for name, count in counted.items() if name[0] == kind)


def _histogram(operation: str, counted: dict[Name, int]) -> Iterator[Sample]:
    buckets = [counted.get(("buckets", operation, str(index)), 0) for index in range(len(BOUNDS) + 1)]
    if not any(buckets):
        return
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), accumulate(buckets), strict=True):
        yield "_bucket", {"operation": operation, "le": bound}, count
    yield "_sum", {"operation": operation}, counted.get(("microseconds", operation), 0) / 1_000_000
    yield "_count", {"operation": operation}, sum(buckets)


def _metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One metric in Prometheus' text format 0.0.4."""
    full = f"strongroom_{name}_total" if kind == "counter" else f"strongroom_{name}"
    yield f"# HELP {full} {text}\n# TYPE {full} {kind}\n"
    for suffix, labels, value in samples:
        told = ",".join(f'{label}="{of}"' for label, of in labels.items())
        yield (
            f"strongroom_{name}{suffix}{{{told}}} {float(value)!r}\n"
            if told
            else f"strongroom_{name}{suffix} {float(value)!r}\n"
        )
