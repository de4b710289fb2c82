"""A source that is silent, or that answers rubbish: the validator says so instead of repeating old news."""

from typing import Any

import pytest

from tests.support.device import Device
from tests.support.watched import WatchedManufacturer, WatchedProvider, wrapping_key


def refused(result: Any) -> tuple[int, str]:
    assert result.headers["content-type"] == "application/problem+json"
    return result.status_code, result.json["code"]


def ask(watched: Any, key_id: str) -> Any:
    return watched.post(subject="vendor-key" if key_id.startswith("vk_") else "provider-key", key_id=key_id)


def test_the_last_word_of_a_silent_source_holds_for_a_minute(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    manufacturer.wire.down = True
    watched.look()
    assert watched.ask(device.key_id).status == "in-force"
    watched.seen_earlier(device.key_id, 61)
    answer = ask(watched, device.key_id)
    assert refused(answer) == (503, "unavailable")
    assert answer.headers["retry-after"]
    manufacturer.wire.down = False
    assert watched.ask(device.key_id).status == "in-force"


def test_a_silent_provider_does_not_stop_answers_on_vendor_keys(
    watched: Any, manufacturer: WatchedManufacturer, provider: WatchedProvider, device: Device
) -> None:
    provider.wire.down = True
    manufacturer.list_key(device)
    watched.look()
    assert watched.ask(device.key_id).status == "in-force"
    assert refused(ask(watched, wrapping_key().key_id("pk_"))) == (503, "unavailable")


def test_an_unknown_key_of_a_silent_source_is_not_called_unknown(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.wire.down = True
    assert refused(ask(watched, device.key_id)) == (503, "unavailable")


@pytest.mark.parametrize("rubbish", [{}, [], {"devices": 5}, None, {"devices": [{"provider_keys": [1]}]}])
def test_rubbish_is_as_good_as_silence(watched: Any, provider: WatchedProvider, rubbish: Any) -> None:
    key = wrapping_key()
    provider.provider_keys = [key]
    watched.look()
    provider.wire.change = lambda request, answer: rubbish if request.url.path.endswith("trust") else answer
    watched.look()
    assert watched.ask(key.key_id("pk_")).status == "in-force"
    watched.seen_earlier(key.key_id("pk_"), 61)
    assert refused(ask(watched, key.key_id("pk_"))) == (503, "unavailable")


def test_an_answer_without_an_end_is_cut_off(watched: Any, provider: WatchedProvider) -> None:
    from validator import sources

    key = wrapping_key()
    provider.provider_keys = [key]
    provider.wire.change = lambda _request, answer: {"padding": "x" * sources.MAX_ANSWER} | answer
    assert refused(ask(watched, key.key_id("pk_"))) == (503, "unavailable")


def test_a_replayed_word_of_the_manufacturer_counts_for_nothing(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    heard: list[Any] = []

    def replay(request: Any, answer: Any) -> Any:
        if request.url.path == "/v1/validation":
            heard.append(answer)
            return heard[0]
        return answer

    manufacturer.wire.change = replay
    watched.look()
    watched.seen_earlier(device.key_id, 10)
    # The manufacturer revokes the key, and the answer of before is played again.
    watched.look()
    assert watched.ask(device.key_id).status == "retired"
