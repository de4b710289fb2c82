"""What the provider's people see and do on their pages, and what of customers they never see."""

import re
import uuid
from typing import Any

import pytest

from tests.support.addresses import addresses
from tests.support.keys import import_p256
from tests.support.officers import Officer
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Organisation
from tests.support.sealed import Customer


@pytest.fixture(scope="module")
def officer(officers: dict[str, Officer]) -> Visitor:
    """A partition officer, logged in."""
    return visitor(officers["partition3"].user)


@pytest.fixture(scope="module")
def support(acme: Organisation) -> Visitor:
    return as_role(acme.tenant, "support")


@pytest.fixture
def slug() -> str:
    """Of a tenant that is not there yet."""
    return f"tenant-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def opened(officer: Visitor, slug: str) -> str:
    """The address of a tenant that an officer has opened."""
    answer = officer.confirm("/officer/tenants/", name=f"The {slug}", slug=slug)
    assert answer["location"] == f"/officer/tenants/{slug}/"
    return str(answer["location"])


def test_a_tenant_is_opened_and_its_first_owner_invited(officer: Visitor, opened: str) -> None:
    assert "Nobody yet" in text(officer.get(opened))
    invited = text(officer.confirm(f"{opened}invite", page=opened, email="olga@customer.example"))
    link = re.search(r'id="link" readonly value="http://localhost([^"]+)"', invited)
    assert link is not None
    assert "olga@customer.example as owner" in invited
    # The link is shown this once, and it makes an owner.
    assert link.group(1) not in text(officer.get(opened))
    assert Visitor().get(link.group(1)).status_code == 200


def test_a_short_name_is_taken_once_and_has_no_spaces(officer: Visitor, opened: str, slug: str) -> None:
    assert "already" in text(officer.post("/officer/tenants/", name="Another", slug=slug))
    for wrong in ("not a slug", "Another", "an_other", "-another"):
        refused = text(officer.post("/officer/tenants/", name="Another", slug=wrong))
        assert "Short name: A short name has small letters, digits and hyphens" in refused


def test_a_tenant_is_suspended_resumed_and_closed_and_that_is_on_record(
    officer: Visitor, opened: str, slug: str
) -> None:
    from portal.audit.selectors import events_of_provider
    from tenants.models import Tenant
    from tenants.services import add_person

    tenant = Tenant.objects.get(slug=slug)
    pia = visitor(add_person(tenant=tenant, username=f"pia@{slug}", password="correct horse battery", role="owner"))
    assert pia.get("/keys/").status_code == 200
    for status, sees in (("suspended", 403), ("active", 200), ("closed", 403)):
        assert officer.confirm(f"{opened}status", page=opened, status=status)["location"] == opened
        assert pia.get("/keys/").status_code == sees, status
    refused = officer.confirm(f"{opened}status", page=opened, status="active")
    assert refused.status_code == 409
    tags = [one.tag for one in events_of_provider(tenant=slug) if one.tag.startswith("provider:")]
    assert tags == [
        "provider:tenant:closed",
        "provider:tenant:resumed",
        "provider:tenant:suspended",
        "provider:tenant:opened",
    ]


def test_a_suspended_or_closed_tenants_page_says_by_whom_and_when(
    officer: Visitor, support: Visitor, opened: str
) -> None:
    from portal.audit.selectors import events_of_provider
    from portal.pages.templatetags.strongroom_pages import when

    lead = re.compile(r'<p class="lead">(.*?)</p>')
    assert " by " not in lead.findall(text(support.get(opened)))[0]
    for status in ("suspended", "closed"):
        officer.confirm(f"{opened}status", page=opened, status=status)
        [event] = events_of_provider(tag=f"provider:tenant:{status}", tenant=opened.split("/")[-2])
        assert f"{status}</span> by partition3, {when(event.time)}" in lead.findall(text(support.get(opened)))[0]
    # Nobody is told to do what can be done no more.
    closed = text(officer.get(opened))
    assert "invite its first owner" not in closed
    assert "strongroom partition request" not in closed


def test_a_tenant_with_a_partition_is_not_closed_and_nobody_is_asked_for_a_code_first(
    officer: Visitor, acme_customer: Customer
) -> None:
    from tenants.models import Partition

    page = "/officer/tenants/acme/"
    for code in ({}, {"fresh_code": "000000"}):
        refused = officer.post(f"{page}status", page=page, status="closed", **code)
        assert refused.status_code == 409
        assert re.search(r"destroyed or declined first: [^<]*\bmain\b", refused.content.decode())
    # The page has no button for it, and says why and what comes before.
    shown = text(officer.get(page))
    assert 'value="suspended"' in shown
    assert 'value="closed"' not in shown
    assert "Every partition is destroyed first" in shown
    command = re.search(r"partition\.destroy --partition (\S+) --reason WHY", shown)
    assert command is not None
    assert Partition.objects.using("provider").get(partition_id=command[1]).tenant.slug == "acme"


def test_what_a_customer_asked_for_is_declined_and_is_in_nobodys_way_any_more(
    officer: Visitor, support: Visitor, alice: Visitor, acme: Organisation, asked: dict[str, Any]
) -> None:
    from tenants.lifecycle import in_the_way

    label = asked["label"]
    path, page = f"/officer/requests/{asked['request']}/decline", "/officer/requests/"
    assert support.post(path, page=page).status_code == 403
    assert path not in text(support.get(page))
    assert path in text(officer.get(page))
    assert f"Decline the partition {label} of acme?" in text(officer.ask(path, page=page))
    assert label in [one.label for one in in_the_way(acme.tenant)]
    assert officer.confirm(path, page=page).status_code == 302
    assert path not in text(officer.get(page))
    assert label not in [one.label for one in in_the_way(acme.tenant)]
    # Its customer sees it, and who did it; an answer is given once.
    assert "Ask there why, and ask for another." in text(alice.get(f"/partitions/{asked['request']}/"))
    assert "provider:partition:declined" in text(alice.get("/log/portal/"))
    assert officer.post(path, page=page).status_code == 404


def test_what_an_open_action_would_define_is_not_declined(
    officer: Visitor, asked: dict[str, Any], action: dict[str, Any]
) -> None:
    path, page = f"/officer/requests/{asked['request']}/decline", "/officer/requests/"
    assert path not in text(officer.get(page))
    refused = officer.post(path, page=page)
    assert refused.status_code == 409
    assert f"action {action['id']} would define it" in refused.content.decode()


def test_support_sees_a_tenant_and_is_offered_nothing(support: Visitor, acme_customer: Customer) -> None:
    page = text(support.get("/officer/tenants/acme/"))
    assert "alice" in page
    assert acme_customer.published.device in page
    assert '<form method="post"' not in page.replace('<form method="post" action="/logout/">', "")
    assert "Open a tenant" not in text(support.get("/officer/tenants/"))


def test_officers_are_shown_as_the_device_has_them(support: Visitor, officers: dict[str, Officer]) -> None:
    page = text(support.get("/officer/officers/"))
    for name, one in officers.items():
        assert name in page
        assert one.card.fingerprint in page
    assert "Domain officers: 2 of 3 decide" in page
    assert "support of the provider" in page


def test_queues_and_what_has_failed_are_shown(
    support: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from django.utils import timezone

    from tee.models import Import
    from tenants.models import Partition
    from tenants.scoping import tenant_scope

    with tenant_scope(acme.tenant):
        Import.objects.create(
            tenant=acme.tenant,
            partition=Partition.objects.get(partition_id=acme_customer.partition),
            import_id=f"imp_{fresh_name}",
            header="",
            header_digest="",
            status=Import.Status.FAILED,
            code="key-weak",
            settled=timezone.now(),
        )
    page = text(support.get("/officer/work/"))
    assert f"imp_{fresh_name}" in page
    assert "key-weak" in page
    assert re.search(r"\d+ waiting", page)
    # Nothing works here on what waits, and the page says so.
    assert "No worker answers" in page


def test_the_log_is_looked_through(support: Visitor, officer: Visitor, opened: str, slug: str) -> None:
    from portal.audit.services import copy_log

    copy_log(wait=True)
    world = text(support.get("/officer/log/"))
    assert re.search(r'data-label="Event"><span>\w+', world)
    of_tenant = text(support.get(f"/officer/log/portal/?tenant={slug}"))
    assert re.findall(r'data-label="Event"><span>([^<]+)', of_tenant) == ["opened a tenant"]
    assert "Nothing is like that" in text(support.get("/officer/log/portal/?tag=person:token:revoked&actor=nobody"))


@pytest.mark.parametrize("role", ["domain", "security", "partition", "support"])
def test_no_page_of_the_providers_tells_what_a_customer_has_and_does(
    role: str, acme: Organisation, acme_customer: Customer, action: dict[str, Any], fresh_name: str
) -> None:
    """Names, public keys and receipts of keys; addresses and messages of callbacks; payloads and results."""
    from portal.callbacks.models import Delivery
    from portal.callbacks.services import create_callback
    from tenants.scoping import tenant_scope

    key = import_p256(acme, acme_customer, f"secret-{fresh_name}")
    callback, _ = create_callback(
        tenant=acme.tenant, url=f"https://127.0.0.1/{fresh_name}-hook", every=True, actor="alice"
    )
    with tenant_scope(acme.tenant):
        Delivery.objects.create(
            tenant=acme.tenant,
            callback=callback,
            delivery_id=f"msg_{fresh_name}",
            event="test",
            subject="test",
            body="the-body-of-a-message",
            status=Delivery.Status.GIVEN_UP,
            error="no answer",
        )
    hidden = [
        f"secret-{fresh_name}",
        key["receipt"][:60],
        "BEGIN PUBLIC KEY",
        f"{fresh_name}-hook",
        "the-body-of-a-message",
    ]
    who = as_role(acme.tenant, role)
    looked_at = 0
    for address in addresses(role):
        path = address.replace("{action_id}", str(action["id"])).replace("{slug}", "acme")
        page = who.get(path)
        assert page.status_code in (200, 302), path
        assert [one for one in hidden if one in page.content.decode()] == [], path
        looked_at += 1
    assert looked_at >= 11
