"""Acts that ask for a fresh one-time code: a session alone does none of them."""

import re
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Organisation

CONFIRMED = {"client", "client-remove", "token-revoke", "officer-approve"}


@pytest.fixture(scope="module")
def alice(acme: Organisation) -> Visitor:
    return visitor(acme.owner)


@pytest.fixture
def client(acme: Organisation, fresh_name: str) -> str:
    """An API client that nothing else needs."""
    from tenants.services import create_client

    return create_client(tenant=acme.tenant, name=fresh_name, actor="test").client_id


def tokens(acme: Organisation, client: str) -> int:
    from portal.pages.selectors import client_and_tokens

    return len(client_and_tokens(tenant=acme.tenant, client_id=client)[1])


def wrong(device: Any) -> str:
    right = fresh_code(device)
    return "000000" if right != "000000" else "000001"


def test_these_acts_ask_for_a_code() -> None:
    from portal.pages.roles import PAGES

    assert {name for name, rule in PAGES.items() if rule.fresh_code} >= CONFIRMED


def test_without_a_code_nothing_is_done_and_the_page_asks_for_one_by_name(
    alice: Visitor, acme: Organisation, client: str, fresh_name: str
) -> None:
    page = f"/clients/{client}/"
    asked = alice.ask(page, days=7)
    assert asked.status_code == 200
    assert f"Make a token of the API client {fresh_name}?" in asked.content.decode()
    assert 'name="days" value="7"' in asked.content.decode()
    assert tokens(acme, client) == 0
    asked = alice.ask(f"{page}remove", page=page)
    assert f"Remove the API client {fresh_name} and all its tokens?" in asked.content.decode()
    assert alice.get(page).status_code == 200


def test_the_question_sends_everything_again_with_the_code(alice: Visitor, acme: Organisation, client: str) -> None:
    page = f"/clients/{client}/"
    asked = alice.ask(page, days=7).content.decode()
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked))
    assert set(sent) == {"csrfmiddlewaretoken", "days"}
    answer = alice.client.post(page, sent | {"fresh_code": fresh_code(alice.authenticator)})
    assert 'id="new-token"' in answer.content.decode()
    assert tokens(acme, client) == 1


def test_the_questions_page_can_be_loaded_again_and_a_wrong_code_is_told_once(
    alice: Visitor, acme: Organisation, client: str
) -> None:
    page = f"/clients/{client}/"
    for fields in ({}, {"fresh_code": wrong(alice.authenticator)}):
        asked = alice.ask(page, days=7, **fields).content.decode()
        assert ("wrong or already used" in asked) == bool(fields)
        again = text(alice.get("/confirm/"))
        assert "Make a token of the API client" in again
        assert f'<form method="post" action="{page}"' in again
        assert "wrong or already used" not in again
    # Once it is answered nothing is asked any more; nobody else was ever asked.
    assert "Nothing waits" in text(visitor(acme.operator).get("/confirm/"))
    alice.confirm(page, days=7)
    assert "Nothing waits" in text(alice.get("/confirm/"))
    assert tokens(acme, client) == 1


def test_a_form_that_is_too_long_does_not_wait_for_a_code(alice: Visitor, client: str) -> None:
    assert alice.post(f"/clients/{client}/", days=7, more="x" * 20_000).status_code == 413


def test_the_question_says_what_follows_and_leads_back(alice: Visitor, client: str) -> None:
    page = f"/clients/{client}/"
    removing = alice.ask(f"{page}remove", page=page).content.decode()
    assert "All its tokens are refused within a second." in removing
    assert '<button class="danger">Remove the API client' in removing
    assert f'<a href="{page}">Cancel</a>' in removing
    # After a wrong code, too; and what takes nothing away is not shown as if it did.
    again = alice.ask(f"{page}remove", page=page, fresh_code=wrong(alice.authenticator)).content.decode()
    assert "All its tokens are refused within a second." in again
    assert f'<a href="{page}">Cancel</a>' in again
    assert "<button>Make a token of" in alice.ask(page, days=7).content.decode()


def test_whoever_closes_a_tenant_is_told_that_it_is_for_good(acme: Organisation, fresh_name: str) -> None:
    from tenants.lifecycle import open_tenant

    tenant = open_tenant(slug=fresh_name, name="To be closed", actor="test")
    officer, page = as_role(acme.tenant, "partition"), f"/officer/tenants/{fresh_name}/"
    asked = officer.ask(f"{page}status", page=page, status="closed").content.decode()
    assert "For good: all tokens and invitations end." in asked
    assert '<button class="danger">Close ' in asked
    assert f'<a href="{page}">Cancel</a>' in asked
    tenant.refresh_from_db()
    assert tenant.status == "active"


def test_a_wrong_code_and_one_that_has_served_do_nothing(alice: Visitor, acme: Organisation, client: str) -> None:
    page = f"/clients/{client}/"
    refused = alice.ask(page, days=7, fresh_code=wrong(alice.authenticator))
    assert refused.status_code == 403
    assert "wrong or already used" in refused.content.decode()
    code = fresh_code(alice.authenticator)
    assert alice.post(page, days=7, fresh_code=code).status_code == 200
    assert alice.ask(page, days=7, fresh_code=code).status_code == 403
    assert tokens(acme, client) == 1


def test_after_several_wrong_codes_the_page_says_when_one_is_tried_again(alice: Visitor, client: str) -> None:
    page, code = f"/clients/{client}/", wrong(alice.authenticator)
    answers = [alice.ask(page, days=7, fresh_code=code).content.decode() for _ in range(4)]
    assert re.search(r"none is tried before \d\d:\d\d:\d\d UTC, in \d+ s", answers[-1])


def test_the_code_of_another_person_does_not_serve(alice: Visitor, globex: Organisation, client: str) -> None:
    charlie = visitor(globex.owner)
    assert alice.ask(f"/clients/{client}/", days=7, fresh_code=fresh_code(charlie.authenticator)).status_code == 403


def test_whoever_may_not_do_it_is_not_asked(acme: Organisation, globex: Organisation, client: str) -> None:
    bob, charlie = visitor(acme.operator), visitor(globex.owner)
    assert bob.post(f"/clients/{client}/remove", page="/clients/").status_code == 403
    assert charlie.post(f"/clients/{client}/remove", page="/clients/").status_code == 404
