"""Every action of the table through the portal: collected, declined, withdrawn, carried out, and shown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from strongroom.protocol import commands, jws
from strongroom.protocol.action_table import (
    Body,
    ChangeOfficers,
    DestroyPartition,
    KeepPartition,
    RetireProviderKey,
    RotateProviderKey,
    RotateVendorKey,
    SealDevice,
    SetRevocationBounds,
    UpdateLimits,
)
from strongroom.protocol.admin_actions import Withdrawal
from strongroom.protocol.owner_orders import PartitionOrder
from tests.support.officers import Officer
from tests.support.pages import visitor
from tests.support.portal import Organisation, code_of, make_customer
from tests.support.sealed import Card, Customer, SealedDevice, now

RULES = {"domain": 2, "security": 2, "partition": 2}


def settle() -> int:
    from portal.quorum.tasks import settle_open_actions

    return settle_open_actions()


def opened(officers: dict[str, Officer], device: SealedDevice, who: str, body: Body) -> dict[str, Any]:
    response = officers[who].open_rotation(device.world, body)
    assert response.status_code == 201, response.text
    return response.json()


def carried_out(officers: dict[str, Officer], device: SealedDevice, who: str, body: Body) -> dict[str, Any]:
    action = opened(officers, device, f"{who}1", body)
    officers[f"{who}2"].approve(action)
    done = officers[f"{who}3"].approve(action).json()
    assert done["state"] == "executed", done
    return done


def withdrawal(officer: Officer, action: dict[str, Any]) -> dict[str, str]:
    said = Withdrawal(action_digest=action["digest"], withdrawn_at=now())
    return {"withdrawal": jws.sign(said, officer.card.signing)}


def order(customer: Customer, what: str) -> str:
    said = PartitionOrder(order=what, partition=customer.partition, issued_at=now())  # type: ignore[arg-type]
    return jws.sign(said, customer.owner)


@pytest.fixture
def doomed(acme: Organisation, device: SealedDevice) -> Customer:
    """A partition of Alice's of its own, beside the one that other tests use."""
    return make_customer(acme, device)


@pytest.fixture
def limits(officers: dict[str, Officer], device: SealedDevice) -> Iterator[dict[str, Any]]:
    """An open action that changes nothing that matters here."""
    action = opened(officers, device, "security1", UpdateLimits(action_hours=100, destruction_hours=168))
    yield action
    path = f"officer/actions/{action['id']}/withdrawal"
    officers["security1"].portal.post(path, json=withdrawal(officers["security1"], action))


def test_a_refusal_is_for_others_to_read_and_never_counts(officers: dict[str, Officer], limits: dict[str, Any]) -> None:
    no = officers["security2"].sign_approval(limits, decision="decline", reason="too long")
    answered = officers["security2"].approve(limits, approval=no).json()
    assert [(one["decision"], one["reason"]) for one in answered["approvals"]] == [("decline", "too long")]
    # One answer for an officer: the first stands.
    assert officers["security2"].approve(limits).json()["approvals"] == answered["approvals"]
    assert officers["security3"].approve(limits).json()["state"] == "open"
    assert settle() == 0


def test_only_the_requester_takes_an_action_back_and_then_it_is_over(
    officers: dict[str, Officer], device: SealedDevice, limits: dict[str, Any]
) -> None:
    officers["security2"].approve(limits)
    path = f"officer/actions/{limits['id']}/withdrawal"
    other, requester = officers["security2"], officers["security1"]
    assert code_of(other.portal.post(path, json=withdrawal(other, limits))) == "officer-unknown"
    assert code_of(other.portal.post(path, json=withdrawal(requester, limits))) == "officer-unknown"
    assert requester.portal.post(path, json=withdrawal(requester, limits)).json()["state"] == "withdrawn"
    assert code_of(officers["security3"].approve(limits)) == "action-unknown"
    # Nor does the device carry it out for whoever goes past the portal.
    import base64

    from strongroom.protocol.errors import Refused

    approvals = [officers[name].sign_approval(limits) for name in ("security2", "security3")]
    with pytest.raises(Refused, match="action-unknown"):
        device.execute(base64.b64decode(limits["action"]), approvals)


def test_approvals_given_at_the_same_moment_carry_it_out_once(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer
) -> None:
    from portal.audit.models import PortalEvent

    body = DestroyPartition(partition=doomed.partition, reason="unpaid")
    action = opened(officers, device, "partition1", body)
    with ThreadPoolExecutor(2) as pool:
        states = list(
            pool.map(lambda name: officers[name].approve(action).json()["state"], ["partition2", "partition3"])
        )
    assert "executed" in states
    settle()
    log = device.verified_log(doomed.partition)["admin"]
    assert [one.digest for one in log if one.event == "action:execute"].count(action["digest"]) == 1
    told = PortalEvent.objects.using("provider").filter(tag="device:action:executed", details__digest=action["digest"])
    assert told.count() == 1


def test_a_destruction_waits_in_sight_of_its_tenant_who_cancels_it(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer, acme: Organisation, globex: Organisation
) -> None:
    carried_out(officers, device, "partition", DestroyPartition(partition=doomed.partition, reason="unpaid"))
    path = f"partitions/{doomed.partition}"
    shown = acme.as_operator().get(path).json()
    assert (shown["status"], bool(shown["destroy_at"])) == ("defined", True)
    keep = {"order": order(doomed, "keep")}
    assert code_of(globex.as_owner().post(f"{path}/keep", json=keep)) == "not-found"
    wrong = {"order": order(doomed, "destroy")}
    assert code_of(acme.as_owner().post(f"{path}/keep", json=wrong)) == "not-the-owner"
    kept = acme.as_owner().post(f"{path}/keep", json=keep).json()
    assert (kept["status"], kept["destroy_at"]) == ("defined", None)


def test_officers_cancel_a_destruction_too(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer, acme: Organisation
) -> None:
    carried_out(officers, device, "partition", DestroyPartition(partition=doomed.partition, reason="unpaid"))
    assert carried_out(officers, device, "partition", KeepPartition(partition=doomed.partition))["result"] == "kept"
    assert acme.as_owner().get(f"partitions/{doomed.partition}").json()["destroy_at"] is None


def test_with_the_owners_consent_it_is_gone_and_its_log_stays_readable(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer, acme: Organisation
) -> None:
    body = DestroyPartition(partition=doomed.partition, reason="over", consent=order(doomed, "destroy"))
    assert carried_out(officers, device, "partition", body)["result"] == "destroyed"
    owner = acme.as_owner()
    assert owner.get(f"partitions/{doomed.partition}").json()["status"] == "destroyed"
    asked = owner.post(f"partitions/{doomed.partition}/checkpoint", json={"nonce": "n" * 24})
    assert asked.status_code == 200, asked.text
    assert owner.get(f"partitions/{doomed.partition}/log").json()["entries"]


def test_a_destruction_whose_time_has_come_is_learnt_from_the_device(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer, acme: Organisation
) -> None:
    from tee.tasks import follow_destructions

    body = DestroyPartition(partition=doomed.partition, reason="over", consent=order(doomed, "destroy"))
    carried_out(officers, device, "partition", body)
    # As the row was before the device destroyed it.
    from tenants.models import Partition

    row = Partition.objects.using("provider").get(partition_id=doomed.partition)
    Partition.objects.using("provider").filter(pk=row.pk).update(
        status="defined", destroy_at=row.requested + timedelta(days=7)
    )
    follow_destructions()
    shown = acme.as_owner().get(f"partitions/{doomed.partition}").json()
    assert (shown["status"], shown["destroy_at"]) == ("destroyed", None)


def test_a_retired_provider_key_is_not_published_any_more(
    officers: dict[str, Officer], device: SealedDevice, acme_customer: Customer, globex_customer: Customer
) -> None:
    key = carried_out(officers, device, "security", RotateProviderKey(suite="HPKE-XWING"))["result"]

    def in_trust() -> bool:
        from tests.support.portal import Browser

        published = [one for device in Browser().get("trust").json()["devices"] for one in device["provider_keys"]]
        return any(jws.read_unverified(one, _endorsement()).key_id == key for one in published)

    assert in_trust()
    carried_out(officers, device, "security", RetireProviderKey(key=key))
    assert not in_trust()
    carried_out(officers, device, "security", RotateProviderKey(suite="HPKE-XWING"))
    for customer in (acme_customer, globex_customer):
        customer.published = device.line().call(commands.PublishKeys(), commands.PublishKeysReply)


def _endorsement() -> Any:
    from strongroom.protocol.statements import Endorsement

    return Endorsement


def test_a_sealed_device_answers_once_it_is_unsealed_again(
    officers: dict[str, Officer], device: SealedDevice, acme_customer: Customer, globex_customer: Customer
) -> None:
    done = carried_out(officers, device, "security", SealDevice())
    assert done["result"] == "sealed"
    assert device.status().state == "sealed"
    device.unseal()
    assert device.status().state == "operational"
    for customer in (acme_customer, globex_customer):  # their connections ended with the workers
        customer.operations = device.line("operations")


@pytest.mark.parametrize(
    ("who", "body", "now"),
    [
        ("security", UpdateLimits(action_hours=50, destruction_hours=60), "let actions be approved for 168 hours"),
        ("security", SetRevocationBounds(shortest=60, longest=90), "have revocation intervals of 1 to 604800 seconds"),
        ("security", SealDevice(), "2 of 3 security officers"),
        ("security", RotateVendorKey(), "vk_"),
        ("security", RotateProviderKey(suite="RSA-AES-KWP"), "pk_"),
        ("domain", ChangeOfficers(thresholds=RULES | {"partition": 3}), "now 2 of 3, then 3 of 3"),
    ],
)
def test_an_open_actions_page_says_what_is_in_force_now(
    officers: dict[str, Officer], device: SealedDevice, who: str, body: Body, now: str
) -> None:
    requester = officers[f"{who}1"]
    action = opened(officers, device, f"{who}1", body)
    page = f"/officer/actions/{action['id']}/"
    try:
        assert now in visitor(officers[f"{who}2"].user).get(page).content.decode()
    finally:
        path = f"officer/actions/{action['id']}/withdrawal"
        assert requester.portal.post(path, json=withdrawal(requester, action)).status_code == 200


def test_a_destruction_is_compared_with_how_its_partition_stands(
    officers: dict[str, Officer], device: SealedDevice, doomed: Customer
) -> None:
    body = DestroyPartition(partition=doomed.partition, reason="unpaid")
    action = opened(officers, device, "partition1", body)
    page = f"/officer/actions/{action['id']}/"
    reader = visitor(officers["partition2"].user)
    assert "of acme, defined" in reader.get(page).content.decode()
    path = f"officer/actions/{action['id']}/withdrawal"
    officers["partition1"].portal.post(path, json=withdrawal(officers["partition1"], action))
    # What is over is compared with nothing.
    assert "of acme, defined" not in reader.get(page).content.decode()


def test_officers_see_a_tenants_partitions(officers: dict[str, Officer], doomed: Customer, acme: Organisation) -> None:
    portal = officers["partition2"].portal
    [shown] = portal.get("officer/partitions", params={"partition": doomed.partition}).json()
    assert (shown["tenant"], shown["status"], shown["destroy_at"]) == ("acme", "defined", None)
    assert shown in portal.get("officer/partitions", params={"tenant": "acme"}).json()
    assert shown not in portal.get("officer/partitions", params={"tenant": "globex"}).json()
    assert code_of(acme.as_owner().get("officer/partitions")) == "forbidden"


def test_a_login_is_linked_to_no_card_that_the_device_does_not_know(officers: dict[str, Officer]) -> None:
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match="not enrolled"):
        call_command("link_officer", "stranger", card=Card("x", "domain").fingerprint)


def test_the_worlds_log_with_its_approvals_is_every_officers_to_check(
    officers: dict[str, Officer], device: SealedDevice, acme: Organisation
) -> None:
    import base64

    import msgspec

    from strongroom.client.approvals import check_actions, check_succession
    from strongroom.protocol.certificates import verify_statement
    from strongroom.protocol.log import Entry, check_lane
    from strongroom.protocol.statements import Checkpoint

    portal = officers["domain1"].portal
    token = portal.post("officer/world/checkpoint", json={"nonce": "n" * 24}).json()["checkpoint"]
    checkpoint = verify_statement(token, Checkpoint, [device.factory.root], "device", now())[0]
    rows = portal.get("officer/world/log", params={"lane": "admin", "limit": 5000}).json()["entries"]
    raw = [base64.b64decode(one["entry"]) for one in rows]
    entries: list[Entry] = check_lane("admin", raw, "", checkpoint.lanes["admin"])
    assert msgspec.json.decode(raw[0], type=Entry) == entries[0]
    decided = check_actions(entries, [device.factory.root])
    check_succession(decided)
    assert decided
    assert code_of(acme.as_owner().get("officer/world/log")) == "forbidden"
