"""What an independent validator says of provider keys, which it knows from the provider alone."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.encoding import digest
from tests.support.device import Device
from tests.support.watched import PROVIDER, WatchedManufacturer, WatchedProvider, wrapping_key


def test_a_key_in_the_devices_custody_is_in_force(watched: Any, provider: WatchedProvider, device: Device) -> None:
    key = wrapping_key()
    provider.provider_keys = [key]
    watched.look()
    says = watched.ask(key.key_id("pk_"))
    assert (says.subject, says.status, says.device) == ("provider-key", "in-force", device.id)
    assert (says.public_key_digest, says.provider) == (digest(key.raw), PROVIDER)
    assert says.first_seen


def test_a_key_in_the_engines_custody_has_no_device(watched: Any, provider: WatchedProvider) -> None:
    key = wrapping_key()
    provider.engine_keys = [key]
    watched.look()
    says = watched.ask(key.key_id("pk_"))
    assert (says.status, says.device, says.device_status) == ("in-force", "", "in-force")


def test_a_key_that_was_published_a_moment_ago_is_looked_for_at_once(watched: Any, provider: WatchedProvider) -> None:
    watched.look()
    key = wrapping_key()
    provider.provider_keys = [key]
    assert watched.ask(key.key_id("pk_")).status == "in-force"


def test_a_key_that_nobody_published_is_unknown(watched: Any) -> None:
    assert watched.ask(wrapping_key().key_id("pk_")).status == "unknown"


def test_a_key_that_is_published_no_more_is_retired(watched: Any, provider: WatchedProvider) -> None:
    old, new = wrapping_key(), wrapping_key()
    provider.provider_keys = [old]
    watched.look()
    watched.seen_earlier(old.key_id("pk_"), 10)
    provider.provider_keys = [new]
    watched.look()
    assert watched.ask(old.key_id("pk_")).status == "retired"
    assert watched.ask(new.key_id("pk_")).status == "in-force"


@pytest.mark.parametrize("status", ["retired", "revoked"])
def test_a_key_out_of_force_is_said_to_be(watched: Any, provider: WatchedProvider, status: str) -> None:
    key = wrapping_key()
    provider.engine_keys = [key]
    watched.look()
    provider.statuses = {key.key_id("pk_"): status}
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == status


def test_a_keys_validity_is_passed_on(watched: Any, provider: WatchedProvider) -> None:
    key = wrapping_key()
    provider.engine_keys = [key]
    provider.changes = {"not_before": 1_700_000_000, "not_after": 4_000_000_000}
    watched.look()
    says = watched.ask(key.key_id("pk_"))
    assert (says.not_before, says.not_after) == (1_700_000_000, 4_000_000_000)


def test_other_bytes_under_an_engine_keys_id_revoke_it_for_ever(watched: Any, provider: WatchedProvider) -> None:
    key = wrapping_key()
    provider.engine_keys = [key]
    watched.look()

    def swap(request: Any, answer: Any) -> Any:
        if request.url.path == "/api/v1/trust":
            answer["engine_keys"][0]["public_key"] = wrapping_key().text
        return answer

    provider.wire.change = swap
    watched.look()
    provider.wire.change = lambda _request, answer: answer
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "revoked"
    assert watched.events(key.key_id("pk_")) == ["first-seen", "seen-differently"]


def test_a_key_whose_id_is_not_that_of_its_bytes_never_becomes_known(watched: Any, provider: WatchedProvider) -> None:
    key = wrapping_key()
    provider.engine_keys = [key]

    def swap(request: Any, answer: Any) -> Any:
        if request.url.path == "/api/v1/trust":
            answer["engine_keys"][0]["public_key"] = wrapping_key().text
        return answer

    provider.wire.change = swap
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "unknown"


def test_a_devices_key_that_is_shown_as_the_engines_is_a_key_seen_differently(
    watched: Any, provider: WatchedProvider
) -> None:
    key = wrapping_key()
    provider.provider_keys = [key]
    watched.look()
    provider.provider_keys, provider.engine_keys = [], [key]
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "revoked"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "a-nonce-of-another-question-1234"},
        {"key_id": "pk_another"},
        {"subject": "vendor-key"},
        {"provider": "Globex Hosting"},
        {"public_key_digest": "0" * 64},
        {"device": "dev_another"},
        {"issued_at": 1_700_000_000},
        {"device_status": "unknown"},
        {"not_after": 2**62},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_key_that_its_provider_does_not_properly_stand_by_never_becomes_known(
    watched: Any, provider: WatchedProvider, changes: dict[str, Any]
) -> None:
    key = wrapping_key()
    provider.provider_keys = [key]
    provider.changes = changes
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "unknown"


def test_an_answer_that_is_not_signed_by_the_provider_counts_for_nothing(
    watched: Any, provider: WatchedProvider
) -> None:
    key = wrapping_key()
    provider.provider_keys = [key]
    provider.key = Ed25519PrivateKey.generate()
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "unknown"


def test_a_key_that_no_certified_device_endorses_never_becomes_known(
    watched: Any, provider: WatchedProvider, manufacturer: WatchedManufacturer
) -> None:
    key = wrapping_key()
    stranger = manufacturer.device()
    provider.provider_keys = [key]
    genuine = provider.endorse(key)

    def swap(request: Any, answer: Any) -> Any:
        if request.url.path == "/api/v1/trust":
            head, payload, _ = genuine.split(".")
            other = provider.endorse(key, device=stranger.id).split(".")[2]
            answer["devices"][0]["provider_keys"] = [f"{head}.{payload}.{other}", "not a statement"]
        return answer

    provider.wire.change = swap
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "unknown"
