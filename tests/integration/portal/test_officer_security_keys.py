"""Security keys through the portal: registered, approving beside cards, asked again where a counter has moved on."""

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.action_table import ChangeOfficers, OfficerEnrolment
from strongroom.protocol.admin_actions import Withdrawal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, read_json
from tests.support.officers import Officer
from tests.support.pages import Visitor, visitor
from tests.support.portal import Organisation, code_of
from tests.support.sealed import SealedDevice, now
from tests.support.security_keys import SoftwareKey

RULES = {"domain": 2, "security": 2, "partition": 2}
ORIGIN = "http://localhost"


@pytest.fixture(scope="module")
def key(device: SealedDevice, officers: dict[str, Officer]) -> SoftwareKey:
    """The second partition officer's, enrolled."""
    made = SoftwareKey("partition2", origin=ORIGIN)
    enrol(device, officers, ChangeOfficers(enrol=[made.enrolment()], thresholds=RULES))
    return made


@pytest.fixture
def page(officers: dict[str, Officer]) -> Visitor:
    return visitor(officers["partition2"].user)


def enrol(device: SealedDevice, officers: dict[str, Officer], body: ChangeOfficers) -> None:
    action = officers["domain1"].open_rotation(device.world, body).json()
    for name in ("domain2", "domain3"):
        state = officers[name].approve(action).json()["state"]
    assert state == "executed"


@pytest.fixture
def open_action(
    acme: Organisation, device: SealedDevice, officers: dict[str, Officer]
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Opens an action that defines a partition of Acme's, as the first officer asks, and leaves none open."""
    requester, made = officers["partition1"], []

    def make() -> dict[str, Any]:
        owner = msgspec.to_builtins(public_credential(Ed25519PrivateKey.generate()))
        asked = acme.as_owner().post("partitions", json={"label": "any", "owner": owner}).json()
        response = requester.open(device.world, asked)
        assert response.status_code == 201, response.text
        made.append(response.json())
        return made[-1]

    yield make
    for action in made:
        said = Withdrawal(action_digest=action["digest"], withdrawn_at=now())
        body = {"withdrawal": jws.sign(said, requester.card.signing)}
        requester.portal.post(f"officer/actions/{action['id']}/withdrawal", json=body)


def members(key: SoftwareKey, action: dict[str, Any]) -> dict[str, str]:
    return json.loads(key.approve(base64.b64decode(action["action"])))


def approve(page: Visitor, officer: Officer, key: SoftwareKey, action: dict[str, Any], **changes: str) -> Any:
    """Send the form that the page's script fills in; `changes` spoil it."""
    signed = members(key, action)
    fields = {name: signed[name] for name in ("authenticator_data", "client_data", "signature")}
    fields |= {"credential_id": b64u(key.identifier), "otp": officer.code(), "decision": "approve"}
    where = f"/officer/actions/{action['id']}/"
    return page.post(f"{where}approve", where, **(fields | changes))


def registration(new: SoftwareKey, flags: int = 0x45) -> dict[str, str]:
    """The form that the page's script fills in where a key registers."""
    identifier = len(new.identifier).to_bytes(2) + new.identifier
    return {
        "credential_id": b64u(new.identifier),
        "public_key": b64u(new.public),
        "authenticator_data": b64u(new.authenticator_data(flags=flags) + bytes(16) + identifier),
        "client_data": b64u(new.client_data("webauthn.create", bytes(32))),
    }


def seen(officer: Officer, action: dict[str, Any]) -> dict[str, Any]:
    return officer.portal.get(f"officer/actions/{action['id']}").json()


def test_the_script_for_security_keys_is_the_portals_own(
    page: Visitor, key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    for path in ("/officer/security-keys/", f"/officer/actions/{open_action()['id']}/"):
        response = page.get(path)
        assert "unsafe" not in response["content-security-policy"]
        assert re.search('<script src="/static/portal/security-key.js"[^>]*>', response.content.decode())
        assert b64u(key.identifier) in response.content.decode()


def test_a_security_key_and_a_card_carry_an_action_out(
    page: Visitor, officers: dict[str, Officer], key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    action = open_action()
    assert approve(page, officers["partition2"], key, action).status_code == 302
    assert [one["card"] for one in seen(officers["partition1"], action)["approvals"]] == [key.credential.fingerprint]
    assert officers["partition3"].approve(action).json()["state"] == "executed"


def test_the_api_takes_it_as_well(
    officers: dict[str, Officer], key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    action = open_action()
    response = officers["partition2"].approve(action, approval=json.dumps(members(key, action)))
    assert response.status_code == 201, response.text
    # Another officer's key is not the own one.
    approval = json.dumps(members(key, action))
    assert code_of(officers["partition3"].approve(action, approval=approval)) == "officer-unknown"


def test_a_security_key_declines_with_its_reason_and_that_never_counts(
    page: Visitor, officers: dict[str, Officer], key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    action = open_action()
    second, no = officers["partition2"], json.loads(key.decline(base64.b64decode(action["action"]), "who asked?"))
    # What was signed as a refusal is no approval, and has no other reason.
    names = ("authenticator_data", "client_data", "signature")
    signed = {name: no[name] for name in names}
    for changes in ({}, {"decision": "decline"}, {"decision": "decline", "reason": "a mistake"}):
        assert approve(page, second, key, action, **(signed | changes)).status_code in (400, 403, 409), changes
    assert approve(page, second, key, action, **signed, decision="decline", reason="who asked?").status_code == 302
    [answer] = seen(second, action)["approvals"]
    assert (answer["decision"], answer["reason"]) == ("decline", "who asked?")
    assert officers["partition3"].approve(action).json()["state"] == "open"


def test_what_does_not_count_is_not_kept(
    page: Visitor, officers: dict[str, Officer], key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    action, other = open_action(), open_action()
    second = officers["partition2"]
    for changes in (
        {"signature": members(key, other)["signature"]},
        {name: members(key, other)[name] for name in ("authenticator_data", "client_data", "signature")},
        {"credential_id": b64u(bytes(32))},
        {"client_data": "%"},
        {"signature": ""},
        {"otp": "000000"},
    ):
        assert approve(page, second, key, action, **changes).status_code in (400, 403, 409), changes
    assert seen(second, action)["approvals"] == []


def test_approvals_in_another_order_than_the_executions_are_asked_for_again(
    page: Visitor, officers: dict[str, Officer], key: SoftwareKey, open_action: Callable[[], dict[str, Any]]
) -> None:
    first, later = open_action(), open_action()
    for action in (first, later):
        assert approve(page, officers["partition2"], key, action).status_code == 302
    assert officers["partition3"].approve(later).json()["state"] == "executed"
    waiting = officers["partition3"].approve(first).json()
    assert waiting["state"] == "open"
    assert [one["officer"] for one in waiting["approvals"]] == ["partition3"]
    assert approve(page, officers["partition2"], key, first).status_code == 302
    assert seen(officers["partition1"], first)["state"] == "executed"


def test_a_registration_gives_what_domain_officers_enrol(page: Visitor) -> None:
    new = SoftwareKey("anything", origin=ORIGIN)
    fields = registration(new)
    shown = html.unescape(page.post("/officer/security-keys/", **fields).content.decode())
    enrolment = read_json(re.findall("<code>({.*})</code>", shown)[0], OfficerEnrolment)
    assert enrolment == SoftwareKey("partition2", new.private, new.identifier, origin=ORIGIN).enrolment()
    assert new.credential.fingerprint in shown
    assert page.post("/officer/security-keys/", **registration(new, flags=0x4D)).status_code == 403


def test_officers_of_other_classes_see_their_cards_and_register_none(officers: dict[str, Officer]) -> None:
    for name in ("domain1", "security1"):
        reader = visitor(officers[name].user)
        shown = reader.get("/officer/security-keys/").content.decode()
        assert officers[name].card.fingerprint in shown
        assert "Register a security key" not in shown
        new = SoftwareKey(name, origin=ORIGIN)
        assert reader.post("/officer/security-keys/", **registration(new)).status_code == 403
