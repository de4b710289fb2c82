"""`Idempotency-Key`: what changes something is done once, whatever is repeated and by whom."""

import threading
from datetime import timedelta

import httpx
import pytest

from strongroom.protocol.encoding import make_id
from tests.support.portal import Browser, Organisation, code_of
from tests.support.refusals import refused


def post(browser: Browser, path: str, key: str, **body: object) -> httpx.Response:
    return browser.post(path, json=body, headers={"Idempotency-Key": key})


def test_the_same_request_again_is_answered_the_same_and_not_done_again(acme: Organisation, fresh_name: str) -> None:
    alice, key = acme.as_owner(), make_id("")
    first = post(alice, "clients", key, name=fresh_name)
    assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
    again = post(alice, "clients", key, name=fresh_name)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["cache-control"] == "no-store"
    # Without the key it is another request, for which the name is taken.
    assert code_of(alice.post("clients", json={"name": fresh_name})) == "conflict"


def test_another_request_under_the_same_key_is_refused(acme: Organisation, fresh_name: str) -> None:
    alice, key = acme.as_owner(), make_id("")
    assert post(alice, "clients", key, name=fresh_name).status_code == 201
    other = post(alice, "clients", key, name=f"{fresh_name}-b")
    assert (other.status_code, code_of(other)) == (422, "idempotency-mismatch")
    assert code_of(post(alice, "partitions", key, name=fresh_name)) == "idempotency-mismatch"
    assert code_of(post(alice, "clients?a=1", key, name=fresh_name)) == "idempotency-mismatch"


def test_keys_are_each_callers_own(acme: Organisation, globex: Organisation, fresh_name: str) -> None:
    key = make_id("")
    mine = post(acme.as_owner(), "clients", key, name=fresh_name).json()
    charlies = post(globex.as_owner(), "clients", key, name=fresh_name)
    assert (charlies.status_code, "idempotency-replayed" in charlies.headers) == (201, False)
    assert charlies.json()["id"] != mine["id"]
    # Bob may not make clients, and a key that Alice used gets him no answer either.
    assert code_of(post(acme.as_operator(), "clients", key, name=fresh_name)) == "forbidden"


def test_a_token_that_was_shown_once_is_not_kept_and_not_shown_again(acme: Organisation) -> None:
    from tenants.models import IdempotentRequest

    alice, key = acme.as_owner(), make_id("")
    token = post(alice, f"clients/{acme.client_id}/tokens", key, days=1).json()["token"]
    again = post(alice, f"clients/{acme.client_id}/tokens", key, days=1)
    assert (again.status_code, code_of(again)) == (409, "idempotency-secret")
    rows = list(IdempotentRequest.objects.using("provider").filter(tenant=acme.tenant).values())
    assert token not in str(rows)
    assert key not in str(rows)


def test_a_refused_request_leaves_its_key_free(acme: Organisation, fresh_name: str) -> None:
    alice, key = acme.as_owner(), make_id("")
    assert code_of(post(alice, "clients", key)) == "malformed"
    assert post(alice, "clients", key, name=fresh_name).status_code == 201


def test_of_requests_at_the_same_time_one_is_carried_out(acme: Organisation, fresh_name: str) -> None:
    key = make_id("")
    browsers = [acme.as_owner() for _ in range(4)]
    answers: list[httpx.Response] = []
    together = threading.Barrier(4)

    def ask(browser: Browser) -> None:
        together.wait(10)
        answers.append(post(browser, "clients", key, name=fresh_name))

    threads = [threading.Thread(target=ask, args=[one]) for one in browsers]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    done = [one for one in answers if one.status_code == 201]
    assert len({one.json()["id"] for one in done}) == 1
    assert sum("idempotency-replayed" not in one.headers for one in done) == 1
    assert all(code_of(one) == "idempotency-in-progress" for one in answers if one not in done)


def test_a_request_that_is_under_way_refuses_its_repetition(acme: Organisation) -> None:
    from tenants import idempotency

    asked = {"tenant": acme.tenant, "principal": "alice", "key": make_id("")}
    claim = idempotency.claim(**asked, request=b"one")
    assert isinstance(claim, idempotency.Claim)
    with refused("idempotency-in-progress"):
        idempotency.claim(**asked, request=b"one")
    claim.release()
    assert isinstance(idempotency.claim(**asked, request=b"one"), idempotency.Claim)


def test_after_a_day_a_key_is_forgotten(acme: Organisation, fresh_name: str) -> None:
    from django.utils import timezone

    from tenants.models import IdempotentRequest
    from tenants.scoping import tenant_scope
    from tenants.tasks import forget_idempotent_requests

    alice = acme.as_owner()
    keys = [make_id(""), make_id("")]
    for one in keys:
        assert post(alice, "clients", one, name=f"{fresh_name}-{one[:4]}").status_code == 201
    with tenant_scope(acme.tenant):
        IdempotentRequest.objects.update(created=timezone.now() - timedelta(hours=24, seconds=1))
    assert post(alice, "clients", keys[0], name=f"{fresh_name}-c").status_code == 201
    forget_idempotent_requests()
    with tenant_scope(acme.tenant):
        assert IdempotentRequest.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", "k" * 256])
def test_a_key_of_no_use_is_malformed(acme: Organisation, key: str) -> None:
    assert code_of(post(acme.as_owner(), "clients", key, name="never")) == "malformed"
