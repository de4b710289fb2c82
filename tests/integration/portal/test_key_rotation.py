"""Rotation of wrapping keys by security officers: what they approve, what customers see, what old envelopes get."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.protocol import jws
from strongroom.protocol.action_table import Body, RotateProviderKey, RotateVendorKey
from strongroom.protocol.commands import PublishKeys, PublishKeysReply
from strongroom.protocol.envelope import Envelope
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.statements import Endorsement
from strongroom.protocol.terms import Terms, new_salt
from tests.support.officers import Officer
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer, SealedDevice
from tests.support.served import Served, run


def read_published(device: SealedDevice) -> PublishKeysReply:
    return device.line().call(PublishKeys(), PublishKeysReply)


@pytest.fixture(autouse=True)
def customers_learn_of_it(device: SealedDevice, acme_customer: Customer, globex_customer: Customer) -> Iterator[None]:
    """The tests that follow wrap to the keys that are in force then."""
    yield
    for customer in (acme_customer, globex_customer):
        customer.published = read_published(device)


@pytest.fixture
def rotation(officers: dict[str, Officer], device: SealedDevice) -> Iterator[Any]:
    """Has an action opened by `security1`; none stays open after the test."""
    from portal.quorum.models import AdminAction

    opened: list[int] = []

    def open_rotation(body: Body) -> dict[str, Any]:
        response = officers["security1"].open_rotation(device.world, body)
        assert response.status_code == 201, response.text
        opened.append(response.json()["id"])
        return response.json()

    yield open_rotation
    AdminAction.objects.using("provider").filter(pk__in=opened, state="open").update(state="refused")


def approve(officers: dict[str, Officer], action: dict[str, Any]) -> dict[str, Any]:
    officers["security2"].approve(action)
    done: dict[str, Any] = officers["security3"].approve(action).json()
    assert done["state"] == "executed", done
    return done


def published(kind: str, suite: str = "HPKE-XWING") -> list[str]:
    """The ids of a kind of key as anyone sees them."""
    tokens = Browser().get("trust").json()["devices"][0][kind]
    keys = [jws.read_unverified(one, Endorsement) for one in tokens]
    return [one.key_id for one in keys if one.suite == suite]


def send(acme: Organisation, customer: Customer, envelope: Envelope) -> Any:
    body = {"partition": customer.partition, "header": envelope.header}
    parts = {"material": envelope.material, "terms": envelope.terms}
    return acme.as_client().post(
        "imports", json=body | {name: base64.b64encode(part).decode() for name, part in parts.items()}
    )


def envelope(customer: Customer, name: str) -> Envelope:
    terms = Terms(salt=new_salt(), key_type="AES-256", usages=[Usage.ENCRYPT])
    return customer.envelope(b"k" * 32, terms.encode(), name)


def test_officers_rotate_the_vendor_key_and_envelopes_in_flight_are_to_be_wrapped_anew(
    officers: dict[str, Officer],
    rotation: Any,
    acme: Organisation,
    acme_customer: Customer,
    fresh_name: str,
) -> None:
    before, in_flight = published("vendor_keys"), envelope(acme_customer, fresh_name)
    # 1. One security officer asks, two others approve.
    action = rotation(RotateVendorKey())
    assert (action["partition_request"], action["officer_class"], action["state"]) == ("", "security", "open")
    assert published("vendor_keys") == before
    done = approve(officers, action)
    # 2. Customers see the new key, at once, and no longer the old one.
    assert published("vendor_keys") == [done["result"]] != before
    # 3. What was wrapped to the old key gets the one answer that helps.
    answer = send(acme, acme_customer, in_flight)
    assert (answer.status_code, code_of(answer)) == (409, "vendor-key-unknown")
    assert "re-wrap" in answer.json()["title"]
    # 4. Wrapped anew, it goes in.
    acme_customer.published = read_published(acme_customer.hsm)
    assert send(acme, acme_customer, envelope(acme_customer, fresh_name)).status_code == 201


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_officers_rotate_the_provider_key_of_one_suite(officers: dict[str, Officer], rotation: Any, suite: Any) -> None:
    other = "RSA-AES-KWP" if suite == "HPKE-XWING" else "HPKE-XWING"
    (before,), untouched = published("provider_keys", suite), published("provider_keys", other)
    done = approve(officers, rotation(RotateProviderKey(suite=suite)))
    assert published("provider_keys", suite) == [done["result"]]
    assert published("provider_keys", other) == untouched
    # The provider's validator no longer stands by the old key, and does by the new one.
    for key, status in ((before, "retired"), (done["result"], "in-force")):
        token = Browser().post("validation", json={"nonce": "n" * 32, "key_id": key}).json()["statement"]
        assert f'"status":"{status}"' in base64.urlsafe_b64decode(token.split(".")[1] + "===").decode()


def test_partition_officers_cannot_approve_a_rotation(officers: dict[str, Officer], rotation: Any) -> None:
    action = rotation(RotateVendorKey())
    assert code_of(officers["partition2"].approve(action)) == "officer-unknown"
    assert code_of(officers["security1"].approve(action)) == "requester-cannot-approve"


def test_one_rotation_of_a_key_at_a_time(officers: dict[str, Officer], rotation: Any, device: SealedDevice) -> None:
    rotation(RotateVendorKey())
    rotation(RotateProviderKey(suite="HPKE-XWING"))
    rotation(RotateProviderKey(suite="RSA-AES-KWP"))
    again = officers["security2"].open_rotation(device.world, RotateProviderKey(suite="HPKE-XWING"))
    assert code_of(again) == "conflict"


def test_a_rotation_answers_no_partition_request_and_a_partition_needs_one(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    officer = officers["security1"]
    body = {"request": officer.sign(device.world, RotateVendorKey()), "partition_request": asked["request"]}
    assert code_of(officer.portal.post("officer/actions", json=body)) == "conflict"
    alone = {"request": officer.sign_request(device.world, asked)}
    assert code_of(officer.portal.post("officer/actions", json=alone)) == "not-found"


def test_its_page_says_in_words_what_it_does(officers: dict[str, Officer], rotation: Any) -> None:
    from django.urls import reverse

    from tests.support.pages import visitor

    action = rotation(RotateProviderKey(suite="RSA-AES-KWP"))
    browser = visitor(officers["security2"].user)
    page = browser.get(reverse("pages:officer-action", args=[action["id"]])).content.decode()
    assert "make a new provider key of suite RSA-AES-KWP in the device and retire the one in force" in page
    assert f"strongroom officer approve {action['id']} --card FILE" in page
    assert "provider-key.rotate" in browser.get(reverse("pages:officer-actions")).content.decode()
    assert "request-action vendor-key.rotate" in browser.get(reverse("pages:officer-devices")).content.decode()


def test_a_rotation_whose_answer_was_lost_is_published_when_it_is_settled(
    officers: dict[str, Officer], rotation: Any, device: SealedDevice
) -> None:
    from portal.quorum.models import Approval, OfficerProfile
    from portal.quorum.tasks import settle_open_actions

    action = rotation(RotateVendorKey())
    approvals = {name: officers[name].sign_approval(action) for name in ("security2", "security3")}
    for name, statement in approvals.items():
        profile = OfficerProfile.objects.using("provider").get(user_id=officers[name].user.pk)
        Approval.objects.using("provider").create(
            action_id=action["id"], officer_id=profile.pk, statement=statement, otp_step=0
        )
    made = device.execute(base64.b64decode(action["action"]), list(approvals.values()))
    assert settle_open_actions() >= 1
    assert published("vendor_keys") == [made]


def test_a_manufacturer_that_is_away_does_not_hold_up_a_rotation(
    officers: dict[str, Officer], rotation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    store = tmp_path / "store"
    assert run("manufacturer", "init", "--store", store).returncode == 0
    monkeypatch.setattr(settings, "MANUFACTURER_URL", "https://localhost:1")
    monkeypatch.setattr(settings, "MANUFACTURER_TLS_FILE", str(store / "public" / "tls.pem"))
    done = approve(officers, rotation(RotateVendorKey()))
    assert published("vendor_keys") == [done["result"]]


def test_a_manufacturer_that_does_not_know_the_device_lists_nothing(
    device: SealedDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from tee.listing import list_vendor_keys

    store = tmp_path / "store"
    assert run("manufacturer", "init", "--store", store).returncode == 0
    manufacturer = Served("manufacturer", store, store / "public" / "tls.pem")
    try:
        monkeypatch.setattr(settings, "MANUFACTURER_URL", manufacturer.url)
        monkeypatch.setattr(settings, "MANUFACTURER_TLS_FILE", str(store / "public" / "tls.pem"))
        with pytest.raises(Refused, match="answers 403"):
            list_vendor_keys()
        assert manufacturer.http.get("/v1/vendor-keys").json() == []
    finally:
        manufacturer.stop()
