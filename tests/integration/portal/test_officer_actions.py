"""GET and POST officer/actions, GET officer/partition-requests: from a customer's request to an open action."""

from typing import Any

import pytest

from strongroom.protocol import jws
from strongroom.protocol.admin_actions import action_digest, read_action
from tests.support.officers import Officer
from tests.support.portal import Organisation, code_of
from tests.support.sealed import SealedDevice

pytestmark = pytest.mark.usefixtures("device")


def test_officers_see_what_customers_ask_for(officers: dict[str, Officer], asked: dict[str, Any]) -> None:
    requests = officers["partition1"].portal.get("officer/partition-requests").json()
    mine = next(one for one in requests if one["request"] == asked["request"])
    assert (mine["tenant"], mine["label"], mine["owner"]) == ("acme", asked["label"], asked["owner"])


def test_the_action_is_kept_exactly_as_the_device_opened_it(
    action: dict[str, Any], officers: dict[str, Officer]
) -> None:
    import base64

    opened = base64.b64decode(action["action"])
    assert action_digest(opened) == action["digest"]
    assert read_action(opened).requester == officers["partition1"].card.fingerprint
    assert (action["state"], action["requested_by"], action["approvals"]) == ("open", "partition1", [])
    assert officers["domain1"].portal.get(f"officer/actions/{action['id']}").json() == action
    assert action in officers["domain1"].portal.get("officer/actions").json()


def test_a_request_signed_with_another_officers_card_is_refused(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    stolen = officers["partition2"].sign_request(device.world, asked)
    body = {"request": stolen, "partition_request": asked["request"]}
    assert code_of(officers["partition1"].portal.post("officer/actions", json=body)) == "officer-unknown"


@pytest.mark.parametrize("change", [{"tenant": "globex"}, {"label": "another"}])
def test_a_request_that_differs_from_the_customers_is_refused(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any], change: dict[str, str]
) -> None:
    assert code_of(officers["partition1"].open(device.world, asked, **change)) == "conflict"


def test_a_request_for_another_owner_than_the_customers_is_refused(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from strongroom.protocol.credentials import public_credential

    own = public_credential(Ed25519PrivateKey.generate())
    assert code_of(officers["partition1"].open(device.world, asked, owner=own)) == "conflict"


def test_the_device_refuses_a_request_whose_signature_does_not_hold(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    officer = officers["partition1"]
    head, payload, signature = officer.sign_request(device.world, asked).split(".")
    other = officer.sign_request(device.world, asked).split(".")[2]
    body = {"request": f"{head}.{payload}.{other}", "partition_request": asked["request"]}
    assert signature != other
    assert code_of(officer.portal.post("officer/actions", json=body)) == "signature-invalid"


def test_a_request_for_another_world_is_refused(officers: dict[str, Officer], asked: dict[str, Any]) -> None:
    assert code_of(officers["partition1"].open("wd_elsewhere", asked)) == "malformed"


def test_one_action_at_a_time_for_a_request(
    action: dict[str, Any], officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    assert code_of(officers["partition2"].open(device.world, asked)) == "conflict"


def test_a_request_whose_answer_was_lost_opens_the_same_action(
    officers: dict[str, Officer], device: SealedDevice, asked: dict[str, Any]
) -> None:
    from strongroom.protocol.commands import OpenAction, OpenActionReply

    officer = officers["partition1"]
    request = officer.sign_request(device.world, asked)
    # The portal died after the device had opened it, before the row was written.
    opened = device.line().call(OpenAction(request=request), OpenActionReply).action
    body = {"request": request, "partition_request": asked["request"]}
    again = officer.portal.post("officer/actions", json=body).json()
    assert again["digest"] == action_digest(opened)


def test_an_unknown_request_or_action_is_not_found(officers: dict[str, Officer], asked: dict[str, Any]) -> None:
    officer = officers["partition1"]
    body = {"request": officer.sign_request("wd_any", asked), "partition_request": "rq_none"}
    assert code_of(officer.portal.post("officer/actions", json=body)) == "not-found"
    assert code_of(officer.portal.get("officer/actions/999999999")) == "not-found"


def test_customers_have_no_business_here(acme: Organisation) -> None:
    for browser in (acme.as_owner(), acme.as_operator(), acme.as_client()):
        assert code_of(browser.get("officer/actions")) == "forbidden"
        assert code_of(browser.get("officer/world")) == "forbidden"


def test_the_world_is_the_devices_own_word(officers: dict[str, Officer], device: SealedDevice) -> None:
    world = officers["security1"].portal.get("officer/world").json()
    assert world["world"] == device.world
    assert world["thresholds"] == {"domain": 2, "security": 2, "partition": 2}
    assert {one["name"] for one in world["officers"]} == set(officers)


def test_a_statement_of_another_kind_is_refused(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    officer = officers["partition2"]
    approval = officer.sign_approval(action)
    assert jws.read_header(approval)["typ"] != "strongroom.action-request"
    body = {"request": approval, "partition_request": action["partition_request"]}
    assert code_of(officer.portal.post("officer/actions", json=body)) == "statement-malformed"
