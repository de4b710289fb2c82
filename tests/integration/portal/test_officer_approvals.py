"""POST officer/actions/{id}/approvals: what counts, what does not, and what becomes of an action between failures."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.officers import Officer
from tests.support.portal import Organisation, code_of
from tests.support.sealed import SealedDevice


def settle() -> int:
    from portal.quorum.tasks import settle_open_actions

    return settle_open_actions()


def look(officers: dict[str, Officer], action: dict[str, Any]) -> dict[str, Any]:
    return officers["domain3"].portal.get(f"officer/actions/{action['id']}").json()


def test_two_of_three_define_the_partition(
    officers: dict[str, Officer], action: dict[str, Any], acme: Organisation, globex: Organisation
) -> None:
    first = officers["partition2"].approve(action).json()
    assert (first["state"], [one["officer"] for one in first["approvals"]]) == ("open", ["partition2"])
    second = officers["partition3"].approve(action).json()
    assert second["state"] == "executed"
    partition = acme.as_operator().get(f"partitions/{second['result']}").json()
    assert (partition["status"], partition["request"]) == ("defined", action["partition_request"])
    assert partition["device"].startswith("dev_")
    # The request is answered, and the partition is nobody else's.
    waiting = officers["partition1"].portal.get("officer/partition-requests").json()
    assert action["partition_request"] not in [one["request"] for one in waiting]
    assert code_of(globex.as_owner().get(f"partitions/{second['result']}")) == "not-found"


def test_the_requester_cannot_approve(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    assert code_of(officers["partition1"].approve(action)) == "requester-cannot-approve"


def test_an_officer_of_another_class_cannot_approve(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    assert code_of(officers["security1"].approve(action)) == "officer-unknown"


def test_an_approval_by_another_officers_card_is_refused(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    stolen = officers["partition3"].sign_approval(action)
    assert code_of(officers["partition2"].approve(action, approval=stolen)) == "officer-unknown"


def test_an_approval_of_another_action_is_refused(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    officer = officers["partition2"]
    other = officer.sign_approval(action, action_digest="0" * 64)
    assert code_of(officer.approve(action, approval=other)) == "action-altered"


def test_an_approval_whose_signature_does_not_hold_is_refused(
    officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    officer = officers["partition2"]
    head, payload, _ = officer.sign_approval(action).split(".")
    foreign = officer.sign_approval(action, approved_at=1).split(".")[2]
    assert code_of(officer.approve(action, approval=f"{head}.{payload}.{foreign}")) == "signature-invalid"


def test_a_code_serves_one_approval(
    officers: dict[str, Officer], action: dict[str, Any], device: SealedDevice, asked: dict[str, Any]
) -> None:
    officer = officers["partition2"]
    code = officer.code()
    body = {"approval": officer.sign_approval(action), "otp": code}
    path = f"officer/actions/{action['id']}/approvals"
    assert officer.portal.post(path, json=body).status_code == 201
    assert code_of(officer.portal.post(path, json=body)) == "otp-refused"


def test_a_code_of_the_login_serves_no_approval(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    from tenants.sessions import open_session
    from tests.support.portal import PASSWORD, Browser

    officer = officers["partition2"]
    officer.user.set_password(PASSWORD)
    officer.user.save()
    code = officer.code()
    token = open_session(username=officer.user.username, password=PASSWORD, otp=code)[1]
    body = {"approval": officer.sign_approval(action), "otp": code}
    response = Browser(token).post(f"officer/actions/{action['id']}/approvals", json=body)
    assert code_of(response) == "otp-refused"


def test_guessing_codes_is_slowed_down_and_leaves_no_approval(
    officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    officer = officers["partition2"]
    right = officer.code()
    wrong = "000000" if right != "000000" else "000001"
    assert code_of(officer.approve(action, otp=wrong)) == "otp-refused"
    # Right after a wrong code even the right one is not tried.
    body = {"approval": officer.sign_approval(action), "otp": right}
    # (`approve` would clear the memory of the wrong one.)
    assert code_of(officer.portal.post(f"officer/actions/{action['id']}/approvals", json=body)) == "otp-refused"
    assert look(officers, action)["approvals"] == []


def test_an_officer_without_an_authenticator_cannot_approve(
    officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    officer = officers["partition2"]
    body = {"approval": officer.sign_approval(action), "otp": "123456"}
    type(officer.authenticator).objects.filter(pk=officer.authenticator.pk).update(confirmed=False)
    try:
        response = officer.portal.post(f"officer/actions/{action['id']}/approvals", json=body)
    finally:
        type(officer.authenticator).objects.filter(pk=officer.authenticator.pk).update(confirmed=True)
    assert code_of(response) == "otp-required"


def test_one_officer_counts_once(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    officers["partition2"].approve(action)
    again = officers["partition2"].approve(action).json()
    assert (again["state"], len(again["approvals"])) == ("open", 1)


def test_a_settled_action_takes_no_more_approvals(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    officers["partition2"].approve(action)
    assert officers["partition3"].approve(action).json()["state"] == "executed"
    assert code_of(officers["partition3"].approve(action)) == "action-unknown"


def test_an_answer_that_was_lost_is_asked_for_again(
    officers: dict[str, Officer], action: dict[str, Any], device: SealedDevice, acme: Organisation
) -> None:
    import base64

    from portal.quorum.models import Approval, OfficerProfile

    # The portal stored both approvals and died while the device carried the action out.
    approvals = {name: officers[name].sign_approval(action) for name in ("partition2", "partition3")}
    for name, statement in approvals.items():
        profile = OfficerProfile.objects.using("provider").get(user_id=officers[name].user.pk)
        Approval.objects.using("provider").create(
            action_id=action["id"], officer_id=profile.pk, statement=statement, otp_step=0
        )
    partition = device.execute(base64.b64decode(action["action"]), list(approvals.values()))
    assert look(officers, action)["state"] == "open"
    assert settle() == 1
    assert (look(officers, action)["state"], look(officers, action)["result"]) == ("executed", partition)
    assert acme.as_client().get(f"partitions/{partition}").json()["status"] == "defined"


def test_approvals_wait_for_a_device_that_is_away(
    officers: dict[str, Officer], action: dict[str, Any], device: SealedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.quorum import services

    officers["partition2"].approve(action)
    # The device is stopped just when the last approval has been stored.
    give = services.use_code

    def stop_after_code(*arguments: Any) -> int:
        step = give(*arguments)
        device.stop()
        return step

    with monkeypatch.context() as patch:
        patch.setattr(services, "use_code", stop_after_code)
        waiting = officers["partition3"].approve(action)
    try:
        assert (waiting.status_code, waiting.json()["state"]) == (201, "open")
        assert len(waiting.json()["approvals"]) == 2
        assert settle() == 0
    finally:
        device.start()
        device.unseal()
    assert settle() == 1
    assert look(officers, action)["state"] == "executed"


def test_an_action_that_too_few_approved_expires(officers: dict[str, Officer], action: dict[str, Any]) -> None:
    from portal.quorum.models import AdminAction

    row = AdminAction.objects.using("provider").get(pk=action["id"])
    AdminAction.objects.using("provider").filter(pk=row.pk).update(expires=row.opened - timedelta(seconds=1))
    assert settle() == 1
    assert look(officers, action)["state"] == "expired"
    assert code_of(officers["partition2"].approve(action)) == "action-expired"


def test_a_hostile_portal_cannot_put_approvals_into_the_database(
    officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    from portal.quorum.models import Approval, OfficerProfile

    # One approval is real; the other is forged with the portal's own key under an officer's name.
    officers["partition2"].approve(action)
    forger = Officer(type(officers["partition3"].card)("partition3", "partition"), None, None)
    profile = OfficerProfile.objects.using("provider").get(user_id=officers["partition3"].user.pk)
    Approval.objects.using("provider").create(
        action_id=action["id"], officer_id=profile.pk, statement=forger.sign_approval(action), otp_step=0
    )
    assert settle() == 1
    assert (look(officers, action)["state"], look(officers, action)["result"]) == ("refused", "officer-unknown")


def test_a_hostile_portal_cannot_put_its_own_owner_into_an_action(
    officers: dict[str, Officer], action: dict[str, Any]
) -> None:
    import base64

    import msgspec
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from portal.quorum.models import AdminAction
    from strongroom.protocol.admin_actions import read_action
    from strongroom.protocol.credentials import public_credential
    from strongroom.protocol.encoding import canonical_json

    opened = read_action(base64.b64decode(action["action"]))
    body = msgspec.structs.replace(opened.body, owner=public_credential(Ed25519PrivateKey.generate()))
    altered = canonical_json(msgspec.structs.replace(opened, body=body))
    AdminAction.objects.using("provider").filter(pk=action["id"]).update(action=altered)
    # Officers sign what they were shown; their signatures do not fit, and the device never opened these bytes.
    assert code_of(officers["partition2"].approve(action)) == "action-altered"


def test_every_approval_is_in_the_devices_log(
    officers: dict[str, Officer], action: dict[str, Any], acme: Organisation
) -> None:
    import base64
    import json

    approvals = [officers[name].approve(action).json() for name in ("partition2", "partition3")]
    partition = approvals[-1]["result"]
    acme.as_owner().post(f"partitions/{partition}/checkpoint", json={"nonce": "n" * 24})
    entries = acme.as_owner().get(f"partitions/{partition}/log").json()["entries"]
    executed = json.loads(base64.b64decode(entries[0]["entry"]))
    assert executed["event"] == "action:execute"
    assert executed["details"]["approvers"] == sorted(
        officers[name].card.fingerprint for name in ("partition2", "partition3")
    )
