"""The validator's HTTP interface, apart from what it says."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.device import Device
from tests.support.watched import WatchedManufacturer

QUESTION = {"nonce": "n" * 32, "subject": "vendor-key", "key_id": "vk_any"}


def assert_refused(result: Any, status: int, code: str) -> None:
    assert (result.status_code, result.json["code"]) == (status, code)
    assert result.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "short"},
        {"nonce": "with a space in the middle"},
        {"nonce": 5},
        {"subject": "partition"},
        {"key_id": ""},
        {"key_id": "vk_../../healthz"},
        {"key_id": "v" * 65},
    ],
    ids=str,
)
def test_a_question_that_is_none_is_refused(watched: Any, changes: dict[str, Any]) -> None:
    assert_refused(watched.http.simulate_post("/v1/validation", json=QUESTION | changes), 400, "malformed")


@pytest.mark.parametrize("body", ["", "{", "[]", "[" * 9000])
def test_a_body_that_is_no_question_is_refused(watched: Any, body: str) -> None:
    assert_refused(watched.http.simulate_post("/v1/validation", body=body), 400, "malformed")


def test_a_body_that_is_too_large_is_refused(watched: Any) -> None:
    assert_refused(watched.http.simulate_post("/v1/validation", body=b" " * 40_000), 413, "too-large")


def test_members_that_other_validators_know_are_passed_over(watched: Any) -> None:
    assert watched.http.simulate_post("/v1/validation", json=QUESTION | {"mode": "production"}).status_code == 200


def test_what_is_not_offered_is_refused(watched: Any) -> None:
    assert_refused(watched.http.simulate_get("/v1/validation"), 405, "method-not-allowed")
    assert_refused(watched.http.simulate_get("/v1/keys"), 404, "not-found")
    assert_refused(watched.http.simulate_get("/v1/history/vk_none"), 404, "not-found")


def test_the_history_of_a_key_is_for_anyone(watched: Any, manufacturer: WatchedManufacturer, device: Device) -> None:
    manufacturer.list_key(device)
    watched.look()
    history = watched.http.simulate_get(f"/v1/history/{device.key_id}").json
    (first,) = history.pop("events")
    assert (first["what"], first["detail"]) == ("first-seen", "in-force")
    assert history == {
        "key_id": device.key_id,
        "subject": "vendor-key",
        "public_key_digest": watched.ask(device.key_id).public_key_digest,
        "device": device.id,
        "provider": "Acme Hosting",
        "single_use": False,
        "status": "in-force",
        "device_status": "in-force",
        "not_before": None,
        "not_after": None,
        "first_seen": first["at"],
        "last_seen": first["at"],
    }


@pytest.mark.parametrize("path", ["/healthz", "/v1/history/vk_any"])
def test_a_store_that_cannot_be_read_is_unavailable_with_retry_advice(watched: Any, path: str) -> None:
    Path(watched.store.history).write_bytes(b"not a database at all" * 300)
    for beside in ("-wal", "-shm"):
        Path(f"{watched.store.history}{beside}").unlink(missing_ok=True)
    result = watched.http.simulate_get(path)
    assert_refused(result, 503, "unavailable")
    assert result.headers["retry-after"]
    assert str(watched.store.folder) not in result.text
