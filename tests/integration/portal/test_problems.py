"""Errors at the edge: one document, whatever went wrong."""

import httpx
import pytest

from tests.support.portal import Browser, Organisation, code_of


def test_an_unknown_path_under_api_is_a_problem_document(stranger: Browser) -> None:
    assert code_of(stranger.get("no/such/thing")) == "not-found"
    assert code_of(stranger.get("http://localhost/api/v2/")) == "not-found"


def test_an_unknown_method_is_told_so(acme: Organisation) -> None:
    response = acme.as_owner().patch("devices", json={})
    assert (code_of(response), response.status_code) == ("method-not-allowed", 405)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"not json", "application/json"),
        (b"[1]", "application/json"),
        (b"{}", "text/plain"),
        (b"\xff", "application/json"),
    ],
)
def test_a_body_that_cannot_be_read_is_malformed(acme: Organisation, content: bytes, content_type: str) -> None:
    response = acme.as_owner().post("clients", content=content, headers={"Content-Type": content_type})
    assert (code_of(response), response.status_code) == ("malformed", 400)


def test_a_malformed_body_is_told_which_field(acme: Organisation) -> None:
    response = acme.as_owner().post("clients", json={"name": ""})
    assert code_of(response) == "malformed"
    assert "name" in response.json()["detail"]


def test_a_large_body_is_not_read(acme: Organisation) -> None:
    response = acme.as_owner().post("clients", json={"name": "x" * 600_000})
    assert (code_of(response), response.status_code) == ("too-large", 413)


def test_a_name_that_no_row_can_have_is_malformed(acme: Organisation) -> None:
    for path in ("keys/%00", "keys/x%00y/versions", "imports/%00", "partitions/%00"):
        assert code_of(acme.as_owner().get(path)) == "malformed"
    assert code_of(acme.as_client().post("keys/%00/sign", json={"payload": ""})) == "malformed"


def test_a_host_that_is_not_ours_is_refused(stranger: Browser) -> None:
    response = stranger.get("trust", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400


def test_with_the_database_away_the_api_answers_503(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connections
    from django.db.utils import OperationalError

    alice = acme.as_owner()
    connection = connections["default"]
    connection.close()

    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "connect", refuse)
    response = alice.get("devices")
    assert code_of(response) == "unavailable"
    assert int(response.headers["retry-after"]) > 0


def test_a_fault_of_ours_tells_nothing_of_the_inside(acme: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants import selectors

    def fail(**_: object) -> None:
        raise RuntimeError("a detail of the inside")

    monkeypatch.setattr(selectors, "devices", fail)
    response = acme.as_owner().get("devices")
    assert (code_of(response), response.status_code) == ("internal", 500)
    assert "inside" not in response.text


def test_health_and_readiness(stranger: Browser, device: object) -> None:
    assert stranger.get("http://localhost/healthz").json() == {"status": "ok"}
    ready = stranger.get("http://localhost/readyz")
    assert (ready.status_code, ready.json()) == (200, {"database": "ok", "device": "operational"})


def test_the_description_names_every_path_of_the_contract(stranger: Browser) -> None:
    from pathlib import Path

    import yaml

    described = yaml.safe_load(stranger.get("http://localhost/api/schema/").text)
    paths = {_plain(path.removeprefix("/api/v1/")) for path in described["paths"]}
    contract = Path(__file__).parents[3] / "docs" / "spec" / "rest.md"
    for line in contract.read_text().splitlines():
        if line.startswith(("| GET", "| POST", "| PUT", "| DELETE")):
            for name in line.split("|")[1].split("`")[1::2]:
                assert _plain(name.partition("?")[0]) in paths, name


def _plain(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.strip("/").split("/"))


def test_the_description_page_is_there(stranger: Browser) -> None:
    response: httpx.Response = stranger.get("http://localhost/api/docs/")
    assert response.status_code == 200
