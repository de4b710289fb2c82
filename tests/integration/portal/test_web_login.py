"""The login page: password and one-time code, setting up an authenticator, logging out."""

import re
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.pages import Visitor, give_login, visitor
from tests.support.portal import PASSWORD, Organisation

WRONG = "User name, password or one-time code is wrong."


@pytest.fixture(scope="module")
def frank(acme: Organisation) -> Any:
    """A person of acme who logs in by the page; his authenticator."""
    from tenants.services import add_person

    return give_login(add_person(tenant=acme.tenant, username="frank", password=PASSWORD, role="admin"))


@pytest.fixture
def newcomer(acme: Organisation, fresh_name: str) -> str:
    """Someone with a password and no authenticator yet."""
    from tenants.services import add_person

    return add_person(tenant=acme.tenant, username=fresh_name, password=PASSWORD, role="operator").username


def test_password_and_code_lead_to_the_overview(frank: Any) -> None:
    who = Visitor()
    response = who.log_in("frank", fresh_code(frank))
    assert (response.status_code, response["location"]) == (302, "/")
    assert "Acme" in who.get("/").content.decode()


def test_a_login_leads_to_the_page_that_was_asked_for_and_to_no_other_site(frank: Any) -> None:
    who = Visitor()
    assert who.get("/keys/")["location"] == "/login/?next=/keys/"
    assert who.log_in("frank", fresh_code(frank), next="/keys/")["location"] == "/keys/"
    assert Visitor().log_in("frank", fresh_code(frank), next="https://elsewhere.example/")["location"] == "/"


def test_a_form_that_is_sent_after_the_session_has_ended_leads_back_to_its_page(frank: Any) -> None:
    ended = "Your session ended, and nothing was done. Log in again."
    for path, page in {
        "/members/": "/members/",
        "/members/bob/remove": "/members/bob/",
        "/clients/cl_1/tokens/abc/revoke": "/clients/cl_1/",
        "/devices/abc/remove": "/devices/",
        "/invitations/1/withdraw": "/",
        "/officer/tenants/acme/status": "/officer/tenants/acme/",
    }.items():
        who = Visitor()
        to_login = who.post(path, page="/login/")["location"]
        assert to_login == f"/login/?ended=1&next={page}"
        shown = who.get(to_login).content.decode()
        assert ended in shown
        assert f'name="next" value="{page}"' in shown
    assert ended not in Visitor().get("/login/?next=/keys/").content.decode()


def test_an_address_that_only_forms_are_sent_to_says_so_in_words_of_a_page(frank: Any) -> None:
    who = Visitor()
    who.log_in("frank", fresh_code(frank))
    answer = who.get("/members/frank/remove")
    said = answer.content.decode()
    assert answer.status_code == 405
    assert "Nothing was done: this address is not a page to open, or takes no form." in said
    assert 'href="/members/frank/">To the page above' in said
    assert "/api/schema/" not in said


def test_the_session_changes_its_key_at_login(frank: Any) -> None:
    who = Visitor()
    who.log_in("frank", fresh_code(frank))
    first = who.client.cookies["sessionid"].value
    who.log_in("frank", fresh_code(frank))
    assert who.client.cookies["sessionid"].value != first


def test_wrong_name_password_and_code_read_alike(frank: Any) -> None:
    code = fresh_code(frank)
    wrong = "000000" if code != "000000" else "000001"
    for attempt in (
        Visitor().log_in("nobody", code),
        Visitor().log_in("frank", code, password="not the password"),
        Visitor().log_in("frank", wrong),
        Visitor().log_in("frank", ""),
    ):
        assert attempt.status_code == 200
        assert WRONG in attempt.content.decode()


def test_a_code_serves_once(frank: Any) -> None:
    code = fresh_code(frank)
    assert Visitor().log_in("frank", code).status_code == 302
    assert WRONG in Visitor().log_in("frank", code).content.decode()


def test_a_form_without_its_csrf_token_is_refused(frank: Any) -> None:
    who = Visitor()
    response = who.client.post("/login/", {"username": "frank", "password": PASSWORD, "otp_token": fresh_code(frank)})
    assert response.status_code == 403
    assert "Please try again" in response.content.decode()


def test_a_newcomer_can_do_nothing_but_set_up_an_authenticator(newcomer: str) -> None:
    who = Visitor()
    assert who.log_in(newcomer, "").status_code == 302
    for path in ("/", "/keys/", "/clients/", "/officer/"):
        assert who.get(path)["location"] == "/authenticator/"


def test_the_first_code_confirms_the_authenticator(newcomer: str) -> None:
    from portal.authenticators.models import Authenticator

    who = Visitor()
    who.log_in(newcomer, "")
    before = who.client.cookies["sessionid"].value
    page = who.get("/authenticator/").content.decode()
    assert "<svg" in page
    shown = re.search(r"<code>([A-Z2-7]+=*)</code>", page)
    device = Authenticator.objects.get(user__username=newcomer)
    assert shown is not None
    assert not device.confirmed
    wrong = "000000" if fresh_code(device) != "000000" else "000001"
    assert "not the code of now" in who.post("/authenticator/", code=wrong).content.decode()
    assert "shown this once" in who.post("/authenticator/", code=fresh_code(device)).content.decode()
    assert who.client.cookies["sessionid"].value != before
    assert who.get("/").status_code == 200
    # It is set up once: whoever has the password alone sets up no second one.
    assert who.get("/authenticator/")["location"] == "/"
    assert WRONG in Visitor().log_in(newcomer, "").content.decode()


def test_the_secret_stays_the_same_until_it_is_confirmed(newcomer: str) -> None:
    who = Visitor()
    who.log_in(newcomer, "")
    pages = {re.search(r"<code>(\w+)</code>", who.get("/authenticator/").content.decode()).group(1) for _ in range(3)}  # type: ignore[union-attr]
    assert len(pages) == 1


def test_logging_out_ends_the_session_and_takes_a_post(acme: Organisation) -> None:
    who = visitor(acme.owner)
    kept = who.client.cookies["sessionid"].value
    assert who.get("/logout/").status_code == 405
    assert who.post("/logout/", page="/")["location"] == "/login/"
    who.client.cookies["sessionid"] = kept
    assert who.get("/")["location"] == "/login/?next=/"


def test_logins_and_logouts_are_on_record(frank: Any, acme: Organisation) -> None:
    from portal.audit.selectors import events

    who = Visitor()
    who.log_in("frank", fresh_code(frank))
    who.post("/logout/", page="/")
    seen = [(one.tag, one.details["by"]) for one in events(tenant=acme.tenant) if one.actor == "frank"][:2]
    assert seen == [("person:session:closed", "web"), ("person:session:opened", "web")]


def test_an_api_client_cannot_log_in(acme: Organisation) -> None:
    assert WRONG in Visitor().log_in(acme.client_id, "", password="x").content.decode()


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_people_of_a_tenant_that_is_not_active_read_so_and_see_nothing_else(
    frank: Any, acme: Organisation, status: str
) -> None:
    from tenants.models import Tenant

    inside, late = visitor(frank.user), Visitor()
    Tenant.objects.filter(pk=acme.tenant.pk).update(status=status)
    try:
        # Whoever was logged in, and whoever logs in now; nobody else learns of it.
        assert late.log_in("frank", fresh_code(frank)).status_code == 302
        assert WRONG in Visitor().log_in("frank", "").content.decode()
        for who, path in ((inside, "/keys/"), (late, "/"), (late, "/log/export"), (late, "/nowhere/")):
            answer = who.get(path)
            assert answer.status_code == (404 if path == "/nowhere/" else 403), path
            page = answer.content.decode()
            assert (f"Acme is {status}" in page) == (path != "/nowhere/")
            assert "<nav" not in page
        assert (
            inside.client.post("/clients/", HTTP_X_CSRFTOKEN=inside.client.cookies["csrftoken"].value).status_code
            == 403
        )
        assert late.post("/logout/", page="/")["location"] == "/login/"
        assert late.get("/")["location"] == "/login/?next=/"
    finally:
        Tenant.objects.filter(pk=acme.tenant.pk).update(status="active")
    assert inside.get("/keys/").status_code == 200
