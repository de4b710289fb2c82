"""Who may ask for an asynchronous operation, still have it done, and have its result."""

from tests.support.asynchronous import SECRET, b64, finished, submit, work
from tests.support.portal import Browser, Organisation, code_of


def test_another_token_of_the_same_tenant_gets_it_sealed_and_is_told_why(acme: Organisation, async_key: object) -> None:
    from tenants import services

    app = acme.as_client()
    response = submit(app, "async-aes/encrypt", payload=b64(SECRET))
    where = response.headers["location"].removeprefix("/api/v1/")
    finished(app, response)
    _, other = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    for browser in (Browser(other), acme.as_auditor()):
        seen = browser.get(where).json()
        assert (seen["status"], "answer" in seen) == ("done", False)
        assert "only that token" in seen["note"]
        assert seen["sealed"]


def test_a_client_that_was_removed_meanwhile_gets_nothing_done(acme: Organisation, async_key: object) -> None:
    from tenants import services

    client = services.create_client(tenant=acme.tenant, name="async-gone", actor="test")
    _, token = services.create_token(tenant=acme.tenant, client_id=client.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    services.revoke_client(tenant=acme.tenant, client_id=client.client_id, actor="test")
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")


def test_what_a_revoked_token_asked_for_is_not_done(acme: Organisation, async_key: object) -> None:
    from tenants import services

    row, token = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    services.revoke_token(tenant=acme.tenant, client_id=acme.client_id, token_key=row.token_key, actor="test")
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "token that asked for it was revoked" in done["error"]["detail"]


def test_what_an_expired_token_asked_for_is_not_done(acme: Organisation, async_key: object) -> None:
    from datetime import timedelta

    from django.utils import timezone
    from knox.models import AuthToken

    from tenants import services

    row, token = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    response = submit(Browser(token), "async-aes/encrypt", payload=b64(SECRET))
    AuthToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    done = finished(acme.as_client(), response)
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "has expired" in done["error"]["detail"]


def test_what_a_suspended_tenant_asked_for_is_not_done(acme: Organisation, async_key: object) -> None:
    from tenants.models import Tenant

    response = submit(acme.as_client(), "async-aes/encrypt", payload=b64(SECRET))
    Tenant.objects.filter(pk=acme.tenant.pk).update(status=Tenant.Status.SUSPENDED)
    try:
        work(response.json())
    finally:
        Tenant.objects.filter(pk=acme.tenant.pk).update(status=Tenant.Status.ACTIVE)
    done = acme.as_client().get(response.headers["location"].removeprefix("/api/v1/")).json()
    assert (done["status"], done["error"]["code"]) == ("failed", "forbidden")
    assert "suspended" in done["error"]["detail"]


def test_charlie_sees_nothing_of_it(acme: Organisation, globex: Organisation, async_key: object) -> None:
    response = submit(acme.as_client(), "async-aes/encrypt", payload=b64(SECRET))
    where = response.headers["location"].removeprefix("/api/v1/")
    assert code_of(globex.as_client().get(where)) == "not-found"
    assert response.json()["id"] not in globex.as_owner().get("operations").text
    assert response.json()["id"] in acme.as_owner().get("operations").text
    # Nor can Charlie's callback be told of it, or his token use the key.
    callback = globex.as_owner().post("callbacks", json={"url": "http://127.0.0.1:1/"}).json()["id"]
    assert code_of(submit(acme.as_client(), "async-aes/encrypt", payload="YQ==", callback=callback)) == "not-found"
    assert code_of(submit(globex.as_client(), "async-aes/encrypt", payload="YQ==")) == "not-found"


def test_only_api_clients_ask(acme: Organisation, async_key: object) -> None:
    assert code_of(submit(acme.as_owner(), "async-aes/encrypt", payload="YQ==")) == "forbidden"
    assert code_of(submit(Browser(), "async-aes/encrypt", payload="YQ==")) == "unauthenticated"
