"""The officers' page of devices: state, health, load, and where else their keys are."""

import re

import pytest

from tests.support.keys import import_p256
from tests.support.pages import Visitor, as_role, text
from tests.support.portal import Organisation
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture(scope="module")
def support(acme: Organisation, device: SealedDevice) -> Visitor:
    return as_role(acme.tenant, "support")


def test_the_device_is_shown_with_its_health_and_where_else_its_keys_are(
    support: Visitor, device: SealedDevice, acme_customer: Customer
) -> None:
    from portal.audit.services import copy_log

    copy_log(wait=True)
    page = text(support.get("/officer/devices/"))
    assert device.world in page
    assert "operational" in page
    assert "it answers, its workers run, its log is copied, and its keys are in force" in page
    assert "Not replicated: one device in this world" in page
    assert "The device itself names no other that holds a partition" in page
    assert re.search(r", start \d+, \d+ worker", page)


def test_a_device_whose_log_is_not_copied_or_that_offers_no_key_is_not_well(
    support: Visitor, device: SealedDevice
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from portal.audit.models import LaneCursor
    from portal.audit.services import copy_log
    from tee.models import VendorKey

    LaneCursor.objects.using("provider").update(caught_up=timezone.now() - timedelta(minutes=2))
    keys = VendorKey.objects.using("provider").filter(status="in-force")
    names = [one.key_id for one in keys]
    keys.update(status="retired")
    try:
        page = text(support.get("/officer/devices/"))
        assert "The copy of its log is late" in page
        assert "It offers no vendor key that is in force" in page
        assert "it answers, its workers run" not in page
    finally:
        VendorKey.objects.using("provider").filter(key_id__in=names).update(status="in-force")
        copy_log(wait=True)


def test_a_device_that_does_not_answer_is_not_well(
    support: Visitor, device: SealedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.quorum import selectors
    from tee.drivers.emulator import Emulator

    monkeypatch.setattr(selectors, "secure_module", lambda: Emulator("/nowhere/hsm.sock"))
    page = text(support.get("/officer/devices/"))
    assert "It does not answer this portal: no key of it can be used." in page


def test_another_device_of_the_world_is_named_and_said_to_have_no_copies(
    support: Visitor, device: SealedDevice
) -> None:
    from tee.models import Device

    other = Device.objects.using("provider").create(device_id="dev_other", world=device.world, mode="development")
    try:
        page = text(support.get("/officer/devices/"))
    finally:
        other.delete(using="provider")
    assert "Not replicated: 1 other device of its world is registered" in page
    assert "answers on this portal's socket" in page


def test_the_load_is_of_all_tenants_by_the_hour_and_tells_nothing_of_theirs(
    support: Visitor, acme: Organisation, globex: Organisation, acme_customer: Customer, globex_customer: Customer
) -> None:
    from portal.audit.services import copy_log

    def counted() -> tuple[int, int]:
        copy_log(wait=True)
        page = text(support.get("/officer/devices/"))
        found = re.search(r"(\d+) done(?:, <span class=\"refused\">(\d+) refused</span>)? in the last day", page)
        assert found is not None
        assert "loaded" not in page
        return int(found.group(1)), int(found.group(2) or 0)

    before = counted()
    for organisation, customer in ((acme, acme_customer), (globex, globex_customer)):
        import_p256(organisation, customer, "loaded")
        client = organisation.as_client()
        assert client.post("keys/loaded/sign", json={"payload": "YQ=="}).status_code == 200
        assert client.post("keys/loaded/encrypt", json={"payload": "YQ=="}).status_code == 400
    after = counted()
    assert (after[0] - before[0], after[1] - before[1]) == (2, 2)
