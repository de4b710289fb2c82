"""Login attempts that fail are slowed down; whose name is known is not locked out by others."""

import re
import secrets
from typing import Any

import pytest

from tests.support.otp import fresh_code
from tests.support.pages import Visitor, give_login
from tests.support.portal import PASSWORD, Browser, Organisation, code_of

FREE = 5


@pytest.fixture
def grace(acme: Organisation, fresh_name: str) -> Any:
    """A person of acme whose user name everybody knows; her authenticator."""
    from tenants.services import add_person

    return give_login(add_person(tenant=acme.tenant, username=fresh_name, password=PASSWORD, role="admin"))


@pytest.fixture
def home() -> str:
    return address()


def address() -> str:
    """One that nobody else comes from."""
    return f"100.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


def log_in(where: str, name: str, code: str, password: str = PASSWORD) -> Any:
    return Browser(address=where).post("login", json={"username": name, "password": password, "otp": code})


def fail(where: str, name: str, times: int = FREE) -> None:
    """Failures with nothing of a login right but perhaps the name."""
    for _ in range(times):
        assert code_of(log_in(where, name, "123456", "not the password")) == "login-refused"


def test_after_five_failures_even_the_right_login_waits_and_is_told_how_long(grace: Any, home: str) -> None:
    fail(home, grace.user.username)
    locked = log_in(home, grace.user.username, fresh_code(grace))
    assert code_of(locked) == "throttled"
    seconds = int(locked.headers["retry-after"])
    assert 0 < seconds <= 30
    assert re.search(r"until \d\d:\d\d:\d\d UTC: try again in \d+ s", locked.json()["detail"])


def test_the_page_counts_with_the_interface_and_says_when_to_try_again(grace: Any, home: str) -> None:
    fail(home, grace.user.username)
    who = Visitor()
    who.client.defaults["REMOTE_ADDR"] = home
    locked = who.log_in(grace.user.username, fresh_code(grace))
    assert locked.status_code == 429
    assert int(locked["retry-after"]) > 0
    assert "Try again at" in locked.content.decode()
    assert '<time class="when"' in locked.content.decode()


def test_a_wrong_code_counts_as_a_wrong_password_does(grace: Any, home: str) -> None:
    right = fresh_code(grace)
    for _ in range(FREE):
        assert (
            code_of(log_in(home, grace.user.username, "000000" if right != "000000" else "000001")) == "login-refused"
        )
    assert code_of(log_in(home, grace.user.username, fresh_code(grace))) == "throttled"


def test_who_knows_a_user_name_locks_nobody_out_but_themselves(grace: Any, home: str) -> None:
    assert log_in(home, grace.user.username, fresh_code(grace)).status_code == 200
    stranger = address()
    fail(stranger, grace.user.username)
    assert code_of(log_in(stranger, grace.user.username, "123456")) == "throttled"
    assert log_in(home, grace.user.username, fresh_code(grace)).status_code == 200


def test_many_strangers_together_are_slowed_down_and_familiar_addresses_are_not(
    grace: Any, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenants import lockout

    monkeypatch.setattr(lockout, "OF_NAME", lockout.Limit("name", free=8, wait=60))
    assert log_in(home, grace.user.username, fresh_code(grace)).status_code == 200
    refused = [code_of(log_in(address(), grace.user.username, "123456", "not the password")) for _ in range(9)]
    assert refused[-1] == "throttled"
    assert code_of(log_in(address(), grace.user.username, fresh_code(grace))) == "throttled"
    assert log_in(home, grace.user.username, fresh_code(grace)).status_code == 200


def test_an_address_that_tries_many_names_waits_for_all_of_them(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants import lockout

    monkeypatch.setattr(lockout, "OF_ADDRESS", lockout.Limit("address", free=6, wait=30))
    for number in range(6):
        fail(home, f"name-to-try-{number}", times=1)
    assert code_of(log_in(home, "name-to-try-7", "123456")) == "throttled"


def test_a_login_ends_what_was_counted_before_it(grace: Any, home: str) -> None:
    for _ in range(2):
        fail(home, grace.user.username, times=FREE - 1)
        assert log_in(home, grace.user.username, fresh_code(grace)).status_code == 200


def test_waits_grow_and_end_at_a_quarter_of_an_hour() -> None:
    from tenants.lockout import OF_NAME_AND_ADDRESS

    waits = [OF_NAME_AND_ADDRESS.wait_after(attempts) for attempts in (4, 5, 6, 7, 10, 50)]
    assert waits == [0, 30, 60, 120, 900, 900]


@pytest.mark.parametrize(
    ("told", "proxied", "found"),
    [
        ({"REMOTE_ADDR": "192.0.2.7"}, False, "192.0.2.7"),
        ({"REMOTE_ADDR": "2001:db8:1:2:3::4"}, False, "2001:db8:1:2::/64"),
        ({"REMOTE_ADDR": "::ffff:192.0.2.7"}, False, "192.0.2.7"),
        ({"REMOTE_ADDR": ""}, False, "127.0.0.1"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.9"}, False, "10.0.0.1"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.8, 192.0.2.9"}, True, "192.0.2.9"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "no address"}, True, "127.0.0.1"),
    ],
)
def test_the_address_is_the_proxys_word_only_where_the_installation_trusts_it(
    told: dict[str, str], proxied: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings
    from django.test import RequestFactory

    from tenants.lockout import address_of

    header = ("HTTP_X_FORWARDED_PROTO", "https") if proxied else None
    monkeypatch.setattr(settings, "SECURE_PROXY_SSL_HEADER", header)
    request = RequestFactory().get("/login/")
    request.META.update(told)
    assert address_of(request) == found
