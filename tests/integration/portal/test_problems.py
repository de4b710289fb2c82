"""Errors at the edge: one document, whatever went wrong."""

import re
from typing import Any

import httpx
import pytest

from tests.support.portal import Browser, Organisation, code_of

CODES = re.compile(r"^- `([a-z-]+)`:", re.MULTILINE)


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


def described(stranger: Browser) -> dict[str, Any]:
    return stranger.get("http://localhost/api/schema/?format=json").json()


def test_every_operation_is_described_for_whoever_calls_it(stranger: Browser) -> None:
    operations = [one for path in described(stranger)["paths"].values() for one in path.values()]
    summaries = [one["summary"] for one in operations]
    assert len(set(summaries)) == len(summaries) > 35
    assert all("\n" not in one and len(one) < 80 and not one.endswith(".") for one in summaries)
    # For whom it is, and nothing of the inside.
    assert all("For " in one["description"].splitlines()[-1] for one in operations)
    assert not any("tenants." in one["description"] for one in operations)


def test_every_operation_and_mechanism_of_the_registry_is_described(stranger: Browser) -> None:
    from strongroom.protocol.mechanisms import REGISTRY, Mechanism, Usage

    document = described(stranger)
    schemas, told = document["components"]["schemas"], set()
    for operation in Usage:
        one = document["paths"][f"/api/v1/keys/{{reference}}/{operation}"]["post"]
        body = schemas[one["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
        wanted = {mechanism for mechanism, row in REGISTRY.items() if operation in row.operations}
        named = body["properties"]["mechanism"]
        if "enum" not in named:
            named = schemas[(named.get("$ref") or named["allOf"][0]["$ref"]).rpartition("/")[2]]
        assert set(named["enum"]) == wanted == {row["mechanism"] for row in one["x-mechanisms"]}
        for row in one["x-mechanisms"]:
            assert set(row["key_types"]) == REGISTRY[Mechanism(row["mechanism"])].key_types
            assert set(row["parameters"]) <= set(_properties(document, body, "parameters"))
            told.add(row["mechanism"])
        assert set(_properties(document, body, "items")) >= {"payload"}
    assert told == set(Mechanism)


def test_the_description_is_valid_openapi(stranger: Browser) -> None:
    from drf_spectacular.validation import validate_schema

    validate_schema(described(stranger))


def _properties(document: dict[str, Any], body: dict[str, Any], name: str) -> dict[str, Any]:
    """The properties of an object (or of a list's objects) inside a body; none where it has no such member."""
    found = body["properties"].get(name, {"properties": {}})
    found = found.get("items", found)
    reference = found.get("$ref") or (found["allOf"][0]["$ref"] if "allOf" in found else "")
    return (document["components"]["schemas"][reference.rpartition("/")[2]] if reference else found)["properties"]


def test_every_operation_names_its_problems(stranger: Browser) -> None:
    from strongroom.protocol.errors import CATALOGUE

    document = described(stranger)
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            statuses = {status for status in one["responses"] if status >= "400"}
            expected = {"400", "500", "503"}
            if "security" in one and {} not in one["security"]:
                expected |= {"401", "403", "404", "409", "429"} | ({"422"} if method == "post" else set())
            if "requestBody" in one:
                expected |= {"413", "415"}
            if path.endswith("/login"):
                expected |= {"401", "429"}
            assert statuses == expected, (method, path)
    told = {
        code for status in document["components"]["responses"].values() for code in CODES.findall(status["description"])
    }
    assert told == set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(CATALOGUE)


def _plain(path: str) -> str:
    """A path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.strip("/").split("/"))


def test_the_description_page_is_there(stranger: Browser) -> None:
    response: httpx.Response = stranger.get("http://localhost/api/docs/")
    assert response.status_code == 200
    assert "Development installation." in response.text
