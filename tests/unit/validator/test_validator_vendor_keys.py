"""What an independent validator says of vendor keys, which it knows from the manufacturer's list."""

import time
from dataclasses import replace
from typing import Any

import pytest

from manufacturer import services
from strongroom.protocol.encoding import digest
from strongroom.protocol.statements import ValidationStatement
from tests.support.device import Device
from tests.support.watched import PROVIDER, WatchedManufacturer, WatchedProvider, wrapping_key


def test_a_listed_key_is_in_force_since_it_was_first_seen(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    watched.seen_earlier(device.key_id, 1000)
    watched.look()
    says = watched.ask(device.key_id)
    assert says == ValidationStatement(
        validator="watchful",
        subject="vendor-key",
        key_id=device.key_id,
        public_key_digest=digest(device.vendor_key.raw),
        device=device.id,
        device_status="in-force",
        provider=PROVIDER,
        status="in-force",
        not_before=None,
        not_after=None,
        nonce=says.nonce,
        issued_at=says.issued_at,
        expires_at=says.issued_at + 300,
        first_seen=says.first_seen,
    )
    assert 1000 <= says.issued_at - (says.first_seen or 0) < 1010
    assert watched.events(device.key_id) == ["first-seen"]


def test_a_key_that_nobody_listed_is_unknown(watched: Any, device: Device) -> None:
    says = watched.ask(device.key_id)
    assert (says.status, says.device, says.first_seen) == ("unknown", "", None)
    assert watched.http.simulate_get(f"/v1/history/{device.key_id}").status_code == 404


def test_a_key_that_was_listed_a_moment_ago_is_looked_for_at_once(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    watched.look()
    manufacturer.list_key(device)
    says = watched.ask(device.key_id)
    assert says.status == "in-force"
    assert abs(time.time() - says.first_seen) < 10


def test_a_rotated_key_is_retired_and_its_successor_in_force(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    successor = replace(device, vendor_key=wrapping_key())
    manufacturer.list_key(successor)
    watched.look()
    assert watched.ask(device.key_id).status == "retired"
    assert watched.ask(successor.key_id).status == "in-force"
    assert watched.events(device.key_id) == ["first-seen", "status"]


def test_what_the_manufacturer_revokes_stays_revoked_here(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    services.set_vendor_key_status(store=manufacturer.store, key_id=device.key_id, status="revoked")
    watched.look()
    with manufacturer.store.transaction() as register:
        register.execute("UPDATE vendor_keys SET status = 'in-force'")
    watched.look()
    assert watched.ask(device.key_id).status == "revoked"


def test_a_device_out_of_force_is_said_to_be(watched: Any, manufacturer: WatchedManufacturer, device: Device) -> None:
    manufacturer.list_key(device)
    watched.look()
    services.set_device_status(store=manufacturer.store, device=device.id, status="retired")
    watched.look()
    says = watched.ask(device.key_id)
    assert (says.status, says.device_status) == ("retired", "retired")


def test_a_key_that_is_no_longer_listed_is_retired_until_it_is_listed_again(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    watched.seen_earlier(device.key_id, 10)
    manufacturer.wire.change = lambda request, answer: [] if request.url.path == "/v1/vendor-keys" else answer
    watched.look()
    assert watched.ask(device.key_id).status == "retired"
    manufacturer.wire.change = lambda _request, answer: answer
    watched.look()
    assert watched.ask(device.key_id).status == "in-force"
    assert watched.events(device.key_id) == ["first-seen", "unlisted", "status"]


def test_a_key_that_was_seen_by_its_id_while_a_list_was_under_way_is_not_retired_by_that_list(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    # The list was read before the key was in it, and the key is asked about before the list is entered.
    def while_listing(request: Any, answer: Any) -> Any:
        if request.url.path == "/v1/vendor-keys":
            manufacturer.list_key(device)
            watched.ask(device.key_id)
        return answer

    manufacturer.wire.change = while_listing
    watched.look()
    manufacturer.wire.change = lambda _request, answer: answer
    assert watched.ask(device.key_id).status == "in-force"
    assert watched.events(device.key_id) == ["first-seen"]


def test_a_single_use_key_is_seen_by_its_id_until_it_expires(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    expires = int(time.time()) + 3600
    manufacturer.list_key(device, purpose="single-use-vendor-key", import_id="imp_any", expires_at=expires)
    watched.look()
    says = watched.ask(device.key_id)
    assert (says.status, says.not_after) == ("in-force", expires)
    # That the list does not hold it retires it not; the manufacturer's clock does.
    watched.look()
    assert watched.ask(device.key_id).status == "in-force"
    with manufacturer.store.transaction() as register:
        register.execute("UPDATE vendor_keys SET expires_at = expires_at - 3600")
    assert watched.ask(device.key_id).status == "retired"


def test_the_same_key_of_another_device_is_a_key_seen_differently(
    watched: Any, manufacturer: WatchedManufacturer, device: Device
) -> None:
    manufacturer.list_key(device)
    watched.look()
    thief = replace(manufacturer.device(), vendor_key=device.vendor_key)
    with manufacturer.store.transaction() as register:
        register.execute("UPDATE vendor_keys SET device = ?, endorsement = ?", (thief.id, thief.endorse()))
    watched.look()
    watched.look()
    assert watched.ask(device.key_id).status == "revoked"
    assert watched.events(device.key_id) == ["first-seen", "seen-differently"]


def test_the_provider_is_a_witness_to_other_bytes_under_a_vendor_keys_id(
    watched: Any, manufacturer: WatchedManufacturer, provider: WatchedProvider, device: Device
) -> None:
    manufacturer.list_key(device)
    provider.vendor_keys = [device.endorse()]
    watched.look()
    assert watched.ask(device.key_id).status == "in-force"
    provider.vendor_keys = [device.endorse(public_key=wrapping_key().text)]
    watched.look()
    assert watched.ask(device.key_id).status == "revoked"
    provider.vendor_keys = [device.endorse()]
    watched.look()
    assert watched.ask(device.key_id).status == "revoked"


def test_a_vendor_key_that_the_provider_alone_shows_is_unknown(
    watched: Any, provider: WatchedProvider, device: Device
) -> None:
    provider.vendor_keys = [device.endorse()]
    watched.look()
    assert watched.ask(device.key_id).status == "unknown"


def test_another_providers_key_is_said_to_be_anothers(watched: Any, manufacturer: WatchedManufacturer) -> None:
    other = manufacturer.device("Globex Hosting")
    manufacturer.list_key(other)
    watched.look()
    assert watched.ask(other.key_id).provider == "Globex Hosting"


@pytest.mark.parametrize("subject", ["vendor-key", "provider-key"])
def test_a_key_is_known_under_its_own_subject_only(
    watched: Any, manufacturer: WatchedManufacturer, device: Device, subject: str
) -> None:
    manufacturer.list_key(device)
    watched.look()
    answer = watched.post(subject=subject, key_id=device.key_id)
    status = "in-force" if subject == "vendor-key" else "unknown"
    assert f'"status":"{status}"' in _payload(answer.json["statement"])


def _payload(token: str) -> str:
    import base64

    middle = token.split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)).decode()
