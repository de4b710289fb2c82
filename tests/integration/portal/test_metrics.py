"""GET /metrics: what all web processes have done, what waits, and how the device is, for whoever has the token."""

import base64
import re

import httpx
import pytest
import redis

from tests.support.keys import import_p256
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer

TOKEN = "a token for metrics alone, and of no tenant"
URL = "http://localhost/metrics"
ONE = {"payload": base64.b64encode(b"m").decode()}


@pytest.fixture
def collector(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> Browser:
    from django.conf import settings

    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    return Browser(TOKEN)


def collect(collector: httpx.Client) -> dict[str, float]:
    """Values by name and labels."""
    response = collector.get(URL)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [one for one in response.text.splitlines() if not one.startswith("#")]
    found = {}
    for line in lines:
        assert re.fullmatch(r'strongroom_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+', line), line
        name, _, value = line.rpartition(" ")
        assert name not in found
        found[name] = float(value)
    return found


def test_operations_are_counted_by_their_outcome_with_how_long_they_took(
    acme: Organisation, acme_customer: Customer, collector: Browser, fresh_name: str
) -> None:
    import_p256(acme, acme_customer, fresh_name)
    before = collect(collector)
    client = acme.as_client()
    for _ in range(3):
        assert client.post(f"keys/{fresh_name}/sign", json=ONE).status_code == 200
    assert code_of(client.post(f"keys/{fresh_name}/encrypt", json=ONE)) == "mechanism-unsupported"
    after = collect(collector)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown('strongroom_operations_total{operation="sign",code="ok"}') == 3
    assert grown('strongroom_operations_total{operation="encrypt",code="mechanism-unsupported"}') == 1
    assert grown('strongroom_operation_seconds_count{operation="sign"}') == 3
    assert grown('strongroom_operation_seconds_bucket{operation="sign",le="+Inf"}') == 3
    assert 0 < grown('strongroom_operation_seconds_sum{operation="sign"}') < 30
    buckets = [
        value
        for name, value in after.items()
        if name.startswith('strongroom_operation_seconds_bucket{operation="sign"')
    ]
    assert buckets == sorted(buckets)
    assert grown('strongroom_http_requests_total{status="200"}') >= 1


def test_what_waits_and_how_the_device_is(
    acme: Organisation, acme_customer: Customer, collector: Browser, fresh_name: str
) -> None:
    import_p256(acme, acme_customer, fresh_name)
    before = collect(collector)
    assert acme.as_client().post(f"keys/{fresh_name}/sign?async=1", json=ONE).status_code == 202
    after = collect(collector)
    name = 'strongroom_waiting{of="operations"}'
    assert after[name] - before[name] == 1
    assert after['strongroom_device_state{state="operational"}'] == 1
    assert (after["strongroom_database_up"], after["strongroom_cache_up"]) == (1, 1)
    assert {'strongroom_waiting{of="chunks"}', 'strongroom_waiting{of="deliveries"}'} <= set(after)


def test_processes_are_added_up_and_nothing_is_lost_while_the_cache_is_away(
    acme: Organisation, collector: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal import counts

    first, second = (counts.Counts(str(_cache())) for _ in range(2))
    name = 'strongroom_operations_total{operation="unwrap",code="throttled"}'
    before = collect(collector).get(name, 0)
    for one in (first, second, second):
        one.operation("unwrap", "throttled", 0.01)
    away = counts.Counts("unix:///nowhere/cache")
    away.operation("unwrap", "throttled", 0.01)
    with pytest.raises(redis.RedisError):
        away.tell()
    away._redis = first._redis
    for one in (first, second, away):
        one.tell()
    assert collect(collector)[name] - before == 4


def _cache() -> object:
    from django.conf import settings

    return settings.CACHES["default"]["LOCATION"]


def test_it_is_for_the_token_alone(acme: Organisation, collector: Browser, stranger: Browser) -> None:
    for browser in (stranger, Browser("another token"), acme.as_client(), acme.as_owner()):
        response = browser.get(URL)
        assert (response.status_code, code_of(response)) == (401, "unauthenticated")
    assert Browser(TOKEN).get("whoami").status_code == 401


def test_without_a_token_there_is_no_such_page(acme: Organisation) -> None:
    assert Browser(TOKEN).get(URL).status_code == 404
