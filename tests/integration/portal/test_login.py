"""POST login, POST logout, GET whoami."""

import secrets
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.portal import PASSWORD, Browser, Organisation, code_of


@pytest.fixture(scope="module")
def erin(acme: Organisation) -> Any:
    """A person of acme who logs in as people do; her authenticator."""
    from portal.authenticators.models import Authenticator
    from tenants.services import add_person

    user = add_person(tenant=acme.tenant, username="erin", password=PASSWORD, role="admin")
    return Authenticator.objects.create(user=user, name="default")


def login(password: str, otp: str, username: str = "erin") -> Any:
    """From an address of its own: nobody waits for others' failures."""
    return Browser(address=f"10.1.{secrets.randbelow(256)}.{secrets.randbelow(256)}").post(
        "login", json={"username": username, "password": password, "otp": otp}
    )


def test_password_and_code_give_a_token_of_fifteen_minutes(erin: Any) -> None:
    from datetime import datetime, timedelta

    from django.utils import timezone

    answer = login(PASSWORD, fresh_code(erin)).json()
    assert (answer["username"], answer["tenant"], answer["officer_class"]) == ("erin", "acme", None)
    lifetime = datetime.fromisoformat(answer["expiry"]) - timezone.now()
    assert timedelta(minutes=14) < lifetime <= timedelta(minutes=15)
    whoami = Browser(answer["token"]).get("whoami").json()
    assert whoami == {
        "kind": "person",
        "name": "erin",
        "client_id": None,
        "tenant": "acme",
        "tenant_name": "Acme",
        "role": "admin",
        "officer_class": None,
    }


def test_a_code_serves_once(erin: Any) -> None:
    code = fresh_code(erin)
    assert login(PASSWORD, code).status_code == 200
    assert code_of(login(PASSWORD, code)) == "login-refused"


def test_wrong_name_password_and_code_are_refused_alike(erin: Any) -> None:
    code = fresh_code(erin)
    answers = [
        login("wrong password entirely", code),
        login(PASSWORD, code, username="nobody"),
        login(PASSWORD, "000000" if code != "000000" else "000001"),
    ]
    assert {code_of(answer) for answer in answers} == {"login-refused"}
    assert len({answer.content for answer in answers}) == 1


def test_nobody_logs_in_without_an_authenticator(acme: Organisation) -> None:
    from tenants.services import add_person

    add_person(tenant=acme.tenant, username="no-authenticator", password=PASSWORD, role="admin")
    assert code_of(login(PASSWORD, "123456", username="no-authenticator")) == "login-refused"


def test_guessing_codes_is_slowed_down(erin: Any) -> None:
    code = fresh_code(erin)
    assert code_of(login(PASSWORD, "000000" if code != "000000" else "000001")) == "login-refused"
    # Right after a wrong code even the right one is not tried.
    assert code_of(login(PASSWORD, code)) == "login-refused"


def test_logging_out_ends_the_token(acme: Organisation) -> None:
    alice = acme.as_owner()
    assert alice.post("logout").status_code == 204
    assert code_of(alice.get("whoami")) == "unauthenticated"


def test_an_api_client_is_told_who_it_is(acme: Organisation) -> None:
    whoami = acme.as_client().get("whoami").json()
    assert (whoami["kind"], whoami["name"], whoami["client_id"]) == ("client", "app", acme.client_id)
    assert (whoami["tenant"], whoami["role"], whoami["officer_class"]) == ("acme", "client", None)


def test_a_tenant_that_is_suspended_is_let_in_no_more(erin: Any, acme: Organisation) -> None:
    from tenants.models import Tenant

    alice = acme.as_owner()
    Tenant.objects.filter(pk=acme.tenant.pk).update(status="suspended")
    try:
        refused = alice.get("whoami")
        assert code_of(refused) == "unauthenticated"
        assert "organisation is suspended" in refused.json()["detail"]
        assert code_of(login(PASSWORD, fresh_code(erin))) == "login-refused"
    finally:
        Tenant.objects.filter(pk=acme.tenant.pk).update(status="active")
    assert alice.get("whoami").status_code == 200
