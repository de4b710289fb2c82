"""What may come in: both planes of the API read bodies and headers with the same strictness."""

from typing import Any

import pytest

from tests.support.keys import import_p256
from tests.support.pages import Visitor
from tests.support.portal import PASSWORD, Browser, Organisation, code_of
from tests.support.sealed import Customer

JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_p256(acme, acme_customer, "strict-requests")


@pytest.fixture(params=["clients", "keys/strict-requests/sign"])
def plane(request: pytest.FixtureRequest, acme: Organisation, key: dict[str, Any]) -> tuple[Browser, str, bytes]:
    """Django's plane and the data plane: who calls, where, and a body that is right but for its last bracket."""
    path = str(request.param)
    if path == "clients":
        return acme.as_owner(), path, b'{"name": "strict"'
    return acme.as_client(), path, b'{"payload": "YQ=="'


@pytest.mark.parametrize(
    "rest",
    [
        b', "extra": 1}',
        b', "e\\ud800": 1}',
        b', "extra": ' + DEEP,
        b', "extra": ' + DEEP + b"]" * 100_000 + b"}",
        b"\xff}",
    ],
)
def test_a_body_with_anything_more_in_it_is_malformed(plane: tuple[Browser, str, bytes], rest: bytes) -> None:
    browser, path, body = plane
    assert code_of(browser.post(path, content=body + rest, headers=JSON)) == "malformed"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json-seq"])
def test_a_body_of_another_type_is_unsupported(plane: tuple[Browser, str, bytes], content_type: str) -> None:
    browser, path, body = plane
    response = browser.post(path, content=body + b"}", headers={"Content-Type": content_type})
    assert (code_of(response), response.status_code) == ("media-type-unsupported", 415)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "Application/JSON; charset=utf-8"}, {"Accept": "text/html"}])
def test_a_type_that_is_not_told_and_any_accept_are_taken_for_json(
    plane: tuple[Browser, str, bytes], headers: dict[str, str], fresh_name: str
) -> None:
    browser, path, body = plane
    response = browser.post(path, content=body.replace(b"strict", fresh_name.encode()) + b"}", headers=JSON | headers)
    assert response.is_success, response.text
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost.elsewhere.example", "not a host", ""])
def test_a_host_that_is_not_ours_is_a_problem(plane: tuple[Browser, str, bytes], host: str) -> None:
    browser, path, body = plane
    response = browser.post(path, content=body + b"}", headers=JSON | {"Host": host})
    assert (code_of(response), response.status_code) == ("malformed", 400)
    assert "Host" in response.json()["detail"]


@pytest.mark.parametrize("length", ["-1", "many"])
def test_a_length_that_is_none_is_malformed(plane: tuple[Browser, str, bytes], length: str) -> None:
    browser, path, body = plane
    headers = JSON | {"Content-Length": length}
    assert code_of(browser.post(path, content=body + b"}", headers=headers)) == "malformed"


@pytest.mark.parametrize(
    "body",
    [DEEP, b'{"username":' + DEEP, b'{"username": "\\ud800", "password": "x", "otp": "123456"}', b"null", b'"alice"'],
)
def test_a_login_that_cannot_be_read_is_malformed(stranger: Browser, body: bytes) -> None:
    assert code_of(stranger.post("login", content=body, headers=JSON)) == "malformed"


@pytest.mark.parametrize("version", [18446744073709551616, 18446744073709551615, 2**31, -1, "1"])
def test_a_version_that_no_key_can_have_is_malformed(
    acme: Organisation, key: dict[str, Any], version: int | str
) -> None:
    body = {"payload": "YQ==", "version": version}
    assert code_of(acme.as_client().post("keys/strict-requests/sign", json=body)) == "malformed"


def test_a_target_that_no_key_can_have_is_malformed(acme: Organisation, key: dict[str, Any]) -> None:
    body = {"payload": "YQ==", "parameters": {"target": "\0"}}
    assert code_of(acme.as_client().post("keys/strict-requests/translate", json=body)) == "malformed"


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [("a\0", PASSWORD, "123456"), ("alice", "\0", "123456"), ("alice", PASSWORD, "\0")],
)
def test_a_zero_byte_in_the_login_form_is_refused(acme: Organisation, username: str, password: str, code: str) -> None:
    response = Visitor().log_in(username, code, password)
    assert response.status_code == 200
    assert 'class="errors' in response.content.decode()


def test_the_login_page_takes_a_form_only() -> None:
    who = Visitor()
    who.get("/login/")
    token = who.client.cookies["csrftoken"].value
    for content_type in ("application/json", "text/plain"):
        response = who.client.post("/login/", "{}", content_type=content_type, headers={"X-CSRFToken": token})
        assert response.status_code == 200
        assert 'class="errors' in response.content.decode()
