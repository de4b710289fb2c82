"""What a tenant and its API clients may ask in a minute, and what the answers' headers say of it."""

import base64
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType
from tests.support.keys import aes_terms, import_material, import_p256
from tests.support.materials import material_of
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall, operations_key

MESSAGE = base64.b64encode(b"m").decode()
ONE = {"payload": MESSAGE}


@pytest.fixture(scope="module")
def path(acme: Organisation, acme_customer: Customer) -> str:
    return f"keys/{import_p256(acme, acme_customer, 'quotas')['name']}/sign"


@pytest.fixture(scope="module")
def aes(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_material(acme, acme_customer, "quotas-aes", material_of(KeyType.AES_256), aes_terms())


@pytest.fixture
def window() -> None:
    """Enough of the present minute is left for a test."""
    left = 60 - time.time() % 60
    if left < 8:
        time.sleep(left)


@pytest.fixture
def limit_tenant(acme: Organisation) -> Iterator[Callable[..., None]]:
    from django.core.management import call_command

    def limit(**limits: int) -> None:
        call_command("set_quota", "acme", **limits)
        heard()

    yield limit
    limit()


@pytest.fixture
def limit_client(acme: Organisation) -> Iterator[Callable[..., None]]:
    def limit(requests: int | None = None, items: int | None = None) -> None:
        response = acme.as_owner().put(f"clients/{acme.client_id}/quota", json={"requests": requests, "items": items})
        assert response.status_code == 204, response.text
        heard()

    yield limit
    limit()


def heard() -> None:
    """The data plane hears of a change within a second."""
    time.sleep(0.5)


def batch(count: int) -> dict[str, Any]:
    return {"items": [ONE] * count}


def state_of(response: httpx.Response) -> dict[str, tuple[int, int]]:
    """What is left, and the seconds until the window ends, by the limit's name."""
    found = re.findall(r'"([a-z-]+)";r=(\d+);t=(\d+)', response.headers["ratelimit"])
    assert response.headers["ratelimit"] == ", ".join(f'"{name}";r={left};t={reset}' for name, left, reset in found)
    return {name: (int(left), int(reset)) for name, left, reset in found}


@pytest.mark.usefixtures("window")
def test_a_clients_requests_end_with_its_limit(
    acme: Organisation, path: str, limit_client: Callable[..., None]
) -> None:
    limit_client(requests=4)
    client = acme.as_client()
    for left in (3, 2, 1, 0):
        response = client.post(path, json=ONE)
        assert response.status_code == 200
        assert '"client-requests";q=4;w=60' in response.headers["ratelimit-policy"]
        assert state_of(response)["client-requests"][0] == left
    response = client.post(path, json=ONE)
    assert (response.status_code, code_of(response)) == (429, "quota-exceeded")
    left, reset = state_of(response)["client-requests"]
    assert (left, int(response.headers["retry-after"])) == (0, reset)
    assert 0 < reset <= 60
    # One concept: what is ordinary Django counts with it, in either order.
    assert code_of(client.get("keys")) == "quota-exceeded"
    assert client.get("keys").headers["retry-after"]
    # Its tenant's others are under limits of their own.
    assert acme.as_owner().get("keys").status_code == 200


@pytest.mark.usefixtures("window")
def test_a_batch_counts_for_its_items(acme: Organisation, path: str, limit_client: Callable[..., None]) -> None:
    limit_client(items=10)
    client = acme.as_client()
    assert client.post(path, json=batch(7)).status_code == 200
    assert code_of(client.post(path, json=batch(4))) == "quota-exceeded"
    # What it would have needed is still there for less.
    response = client.post(path, json=ONE)
    assert (response.status_code, state_of(response)["client-items"][0]) == (200, 2)
    # Ordinary requests have no items.
    assert client.get("keys").status_code == 200


@pytest.mark.usefixtures("window")
@pytest.mark.parametrize("how", ["", "?async=1"], ids=["now", "asynchronous"])
def test_a_sealed_batch_counts_for_its_items(
    acme: Organisation, acme_customer: Customer, aes: dict[str, Any], limit_client: Callable[..., None], how: str
) -> None:
    limit = 21 + len(how)  # another limit is counted anew
    limit_client(items=limit)
    client, path = acme.as_client(), f"keys/{aes['name']}/encrypt{how}"

    def sealed(count: int) -> httpx.Response:
        call = SealedCall(acme_customer, aes["key_id"], "encrypt", "AES-GCM", items=[Item(b"m")] * count)
        body = {"sealed": base64.b64encode(call.sealed).decode(), "operations_key": call.binding.operations_key,
                "version": 1, "mechanism": "AES-GCM", "count": count}  # fmt: skip
        return client.post(path, json=body)

    assert sealed(limit - 3).is_success
    assert code_of(sealed(4)) == "quota-exceeded"
    assert code_of(sealed(limit + 1)) == "batch-too-large"
    response = sealed(3)
    assert response.is_success
    assert state_of(response)["client-items"][0] == 0


@pytest.mark.usefixtures("window")
def test_a_jobs_chunk_counts_for_its_items_once(
    acme: Organisation, acme_customer: Customer, aes: dict[str, Any], limit_client: Callable[..., None]
) -> None:
    limit_client(items=23)
    client = acme.as_client()
    body = {"key": aes["name"], "operation": "encrypt", "version": 1, "mechanism": "AES-GCM", "chunks": 2,
            "operations_key": operations_key(acme_customer).key_id}  # fmt: skip
    job = client.post("jobs", json=body).json()["id"]

    def put(number: int, items: int) -> httpx.Response:
        return client.put(f"jobs/{job}/chunks/{number}", json={"sealed": "YQ==", "items": items})

    assert put(0, 20).status_code == 201
    assert put(0, 20).status_code == 200
    assert code_of(put(1, 4)) == "quota-exceeded"
    assert put(1, 3).status_code == 201
    acme.as_owner().post(f"jobs/{job}/cancel")


@pytest.mark.usefixtures("window")
def test_an_asynchronous_call_counts_as_one_request(
    acme: Organisation, path: str, limit_client: Callable[..., None]
) -> None:
    limit_client(requests=10)
    client = acme.as_client()
    first = client.post(f"{path}?async=1", json=ONE)
    again = client.post(f"{path}?async=1", json=ONE)
    assert state_of(first)["client-requests"][0] - state_of(again)["client-requests"][0] == 1


@pytest.mark.usefixtures("window")
def test_what_a_client_is_refused_costs_its_tenant_nothing(
    acme: Organisation, path: str, limit_client: Callable[..., None]
) -> None:
    limit_client(items=500)
    client = acme.as_client()
    first = client.post(path, json=batch(400))
    assert code_of(client.post(path, json=batch(400))) == "quota-exceeded"
    left = state_of(client.post(path, json=ONE))["tenant-items"][0]
    assert state_of(first)["tenant-items"][0] - left < 10
    # What no window has room for is not to be tried again later.
    assert code_of(client.post(path, json=batch(600))) == "batch-too-large"


@pytest.mark.usefixtures("window")
def test_a_tenants_limit_is_for_all_its_callers_and_no_other_tenant(
    acme: Organisation, globex: Organisation, path: str, limit_tenant: Callable[..., None]
) -> None:
    limit_tenant(requests=6)
    for _ in range(3):
        assert acme.as_client().post(path, json=ONE).status_code == 200
        assert acme.as_operator().get("keys").status_code == 200
    for caller in (acme.as_client(), acme.as_owner(), acme.as_operator()):
        assert code_of(caller.get("keys")) == "quota-exceeded"
    assert code_of(acme.as_client().post(path, json=ONE)) == "quota-exceeded"
    assert globex.as_client().get("keys").status_code == 200
    limit_tenant()
    assert acme.as_client().post(path, json=ONE).status_code == 200


def test_usage_says_what_is_left(acme: Organisation, path: str, limit_client: Callable[..., None]) -> None:
    limit_client(requests=1000)
    client = acme.as_client()
    client.post(path, json=ONE)
    used = {one["name"]: one for one in client.get("usage").json()}
    assert set(used) == {"tenant-requests", "tenant-items", "client-requests"}
    assert used["client-requests"]["limit"] == 1000
    assert 0 < used["client-requests"]["remaining"] < 1000
    assert used["tenant-requests"]["window_seconds"] == 60
    assert "client-requests" not in {one["name"] for one in acme.as_auditor().get("usage").json()}


@pytest.mark.usefixtures("window")
def test_usage_is_told_also_where_nothing_is_left(acme: Organisation, limit_client: Callable[..., None]) -> None:
    limit_client(requests=5)
    client = acme.as_client()
    for _ in range(6):
        last = client.get("keys")
    assert code_of(last) == "quota-exceeded"
    for _ in range(2):
        used = client.get("usage")
        assert used.status_code == 200
        assert {one["name"]: one["remaining"] for one in used.json()}["client-requests"] == 0


def test_only_admins_limit_clients_and_only_their_own(acme: Organisation, globex: Organisation) -> None:
    body = {"requests": 1, "items": None}
    assert code_of(acme.as_operator().put(f"clients/{acme.client_id}/quota", json=body)) == "forbidden"
    assert code_of(acme.as_client().put(f"clients/{acme.client_id}/quota", json=body)) == "forbidden"
    assert code_of(globex.as_owner().put(f"clients/{acme.client_id}/quota", json=body)) == "not-found"
    for wrong in (0, -1, 2**31, "x"):
        answer = acme.as_owner().put(f"clients/{acme.client_id}/quota", json={"requests": wrong, "items": None})
        assert code_of(answer) == "malformed"


def test_a_stranger_has_no_limits_in_the_answer(stranger: Browser, path: str) -> None:
    assert "ratelimit" not in stranger.post(path, json=ONE).headers
    assert "ratelimit" not in stranger.get("keys").headers


def test_processes_share_a_limit_and_never_exceed_it(acme: Organisation) -> None:
    from tenants.quotas import Meter

    processes = [Meter("shared", "shared", 1000) for _ in range(3)]
    now, allowed = time.time(), 0
    for n in range(3000):
        allowed += processes[n % 3].take(1, now)
    assert 1000 - 2 * 10 <= allowed <= 1000
    assert all(one.remaining(now) <= 20 for one in processes)
    assert processes[0].take(1, now + 60)


def test_without_the_cache_each_process_has_its_share(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants import quotas

    away = quotas.SharedCounts("unix:///nowhere/cache")
    monkeypatch.setattr(quotas, "shared_counts", lambda: away)
    processes = [quotas.Meter("alone", "alone", 100) for _ in range(4)]
    now = time.time()
    assert [sum(one.take(1, now) for _ in range(200)) for one in processes] == [25] * 4
    assert quotas.Meter("small", "small", 2).take(1, now)
