"""The overview: what needs attention, the way to the first signature, the chart; and usage."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.protocol.credentials import public_credential
from tests.support.keys import import_p256
from tests.support.pages import Visitor, as_role, text, visitor
from tests.support.portal import Organisation, make_customer, make_organisation
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture(scope="module")
def newcomer() -> Organisation:
    """A tenant that has nothing yet."""
    return make_organisation("initech", "peter")


@pytest.fixture(scope="module")
def peter(newcomer: Organisation) -> Visitor:
    return as_role(newcomer.tenant, "owner")


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    import_p256(acme, acme_customer, "on-the-overview")
    return acme.as_client().get("keys/on-the-overview").json()


@pytest.fixture
def suspended(acme: Organisation, key: dict[str, Any]) -> Iterator[None]:
    """As the device's log would have it noted."""
    from tee import revocation

    version = {(key["key_id"], 1)}
    revocation.note_suspended(version, tenant=acme.tenant, since=datetime.now(UTC), why="nobody answers")
    yield
    revocation.note_resumed(version, tenant=acme.tenant)


def attention(page: str) -> str:
    found = re.search(r"<h2>Needs attention</h2>.*?</section>", page, re.DOTALL)
    return found.group() if found else ""


def test_when_a_token_ends_is_said_in_the_readers_zone_and_names_stay_text(fresh_name: str) -> None:
    from portal.pages.templatetags.strongroom_pages import when
    from tenants import services

    owned = make_organisation(fresh_name, f"owner of {fresh_name}")
    made = services.create_client(tenant=owned.tenant, name="<b>{}</b>", actor="test").client_id
    token, _ = services.create_token(tenant=owned.tenant, client_id=made, days=3, actor="test")
    notice = attention(visitor(owned.owner).get("/").content.decode())
    assert token.expiry is not None
    # As a time that the page's script has in the reader's own zone.
    assert f"Its last token expires at {when(token.expiry)}: make another." in notice
    assert "&lt;b&gt;{}&lt;/b&gt;</a>" in notice


def test_a_newcomer_is_led_and_only_one_step_is_now(peter: Visitor) -> None:
    page = text(peter.get("/"))
    assert re.findall(r'<li class="(\w+)"><b>([^<]+)</b>', page)[:2] == [
        ("now", "Enrol a client device"),
        ("later", "Ask for a partition"),
    ]
    assert page.count('<li class="now">') == 1
    assert "strongroom device enrol --name laptop" in page
    assert "strongroom access allow" not in page
    for path, step in (("/keys/", "ask for one"), ("/partitions/", "owner init"), ("/jobs/", "job submit")):
        assert step in text(peter.get(path))


@pytest.mark.needs("npm")
def test_a_newcomer_who_may_begins_in_the_browser_and_is_told_where_command_and_files_come_from(
    newcomer: Organisation, peter: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = text(peter.get("/"))
    begin, command = page.index('href="/partitions/request/"'), page.index("Or by the command, which is the way")
    assert begin < command < page.index("strongroom configure")
    for words in ("never from this portal", "fingerprints by telephone", "--provider PROVIDER", "provider-tls.pem"):
        assert words in page
    # An operator may ask for no partition, and without scripts nobody is led to any: then the command alone.
    operator = text(as_role(newcomer.tenant, "operator").get("/"))
    monkeypatch.setattr("portal.pages.views.overview.import_map", lambda: "")
    for other in (operator, text(peter.get("/"))):
        assert "/partitions/request/" not in other
        assert "The command comes from Strongroom's source" in other


def import_step(page: str) -> str:
    found = re.search(r'<li class="now"><b>Import or make a key</b>.*?</li>', page, re.DOTALL)
    assert found is not None, page
    return found.group()


@pytest.fixture(scope="module")
def keyless(device: SealedDevice) -> Organisation:
    """A tenant with a device that has its rights, whose next step is its first key."""
    from tenants import services

    organisation = make_organisation("keyless", "kay")
    customer = make_customer(organisation, device)
    mine = public_credential(customer.device_key)
    services.enrol_device(tenant=organisation.tenant, name="kays", credential=mine, actor="kay")
    return organisation


@pytest.mark.needs("npm")
def test_to_the_first_key_leads_the_page_first_and_the_command_beside_it(
    keyless: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("owner", "admin", "operator"):
        step = import_step(text(as_role(keyless.tenant, role).get("/")))
        assert step.index('href="/keys/import/"') < step.index("Or by the command:") < step.index("strongroom import")
    step = import_step(text(as_role(keyless.tenant, "auditor").get("/")))
    assert "/keys/import/" not in step
    assert "an operator, an admin or an owner can also import in the browser" in step
    assert "strongroom import" in step
    # Where npm installed nothing, nobody is led to a page that only says so.
    monkeypatch.setattr("portal.pages.views.overview.import_map", lambda: "")
    step = import_step(text(as_role(keyless.tenant, "owner").get("/")))
    assert "/keys/import/" not in step
    assert "browser" not in step
    assert "strongroom import" in step


def test_whoever_has_signed_is_led_no_more(alice: Visitor, acme: Organisation, key: dict[str, Any]) -> None:
    from portal.audit.services import copy_log
    from tenants import services

    if not acme.as_owner().get("devices").json():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        from strongroom.protocol.credentials import public_credential

        mine = public_credential(Ed25519PrivateKey.generate())
        services.enrol_device(tenant=acme.tenant, name="of the overview", credential=mine, actor="alice")
    # The page shows the latest in the order in which they were copied: what others did before is copied before.
    copy_log(wait=True)
    body = {"payload": "YQ=="}
    assert acme.as_client().post("keys/on-the-overview/sign", json=body).status_code == 200
    copy_log(wait=True)
    page = text(alice.get("/"))
    assert "Getting to the first signature" not in page
    assert "on-the-overview" in page


def test_a_suspended_key_needs_attention_with_its_reason(alice: Visitor, key: dict[str, Any], suspended: None) -> None:
    found = attention(text(alice.get("/")))
    assert f'<a href="/keys/{key["key_id"]}/">on-the-overview version 1</a>' in found
    assert "nobody answers" in found


def test_tokens_that_run_out_need_attention_until_there_is_another(peter: Visitor, newcomer: Organisation) -> None:
    from tenants import services

    tenant = newcomer.tenant
    names = [f"program-{number}" for number in range(6)]
    clients = [services.create_client(tenant=tenant, name=name, actor="peter").client_id for name in names]
    for number, client in enumerate(clients):
        services.create_token(tenant=tenant, client_id=client, days=number + 2, actor="peter")
    found = attention(text(peter.get("/")))
    # The first to end stand there by name. The organisation's own client, whose token ends in a day, is one of them.
    assert all(name in found for name in names[:4])
    assert "2 more API clients" in found
    services.create_token(tenant=tenant, client_id=clients[0], days=90, actor="peter")
    assert names[0] not in attention(text(peter.get("/")))


def test_an_import_that_failed_or_hangs_needs_attention(
    alice: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.utils import timezone

    from tee.models import Import
    from tenants.scoping import tenant_scope
    from tenants.selectors import partition

    # Of other tests' imports more may have failed than are shown.
    monkeypatch.setattr("portal.pages.attention.SHOWN", 1_000)
    where = partition(tenant=acme.tenant, reference=acme_customer.partition)
    about = {"tenant": acme.tenant, "partition": where, "header": "", "header_digest": ""}
    with tenant_scope(acme.tenant):
        Import.objects.create(**about, import_id=f"{fresh_name}-failed", status="failed", code="key-weak")
        hangs = Import.objects.create(
            **about, import_id=f"{fresh_name}-hangs", received=timezone.now() - timedelta(minutes=5)
        )
    try:
        found = attention(text(alice.get("/")))
        assert f"{fresh_name}-failed" in found
        assert "key-weak" in found
        assert f"{fresh_name}-hangs" in found
    finally:
        with tenant_scope(acme.tenant):
            Import.objects.filter(import_id__startswith=fresh_name).delete()
        assert hangs.pk


def test_a_callback_whose_messages_do_not_arrive_needs_attention(alice: Visitor, acme: Organisation) -> None:
    from portal.callbacks import services
    from portal.callbacks.services import deliver

    url = "http://127.0.0.1:9/needs-attention"
    callback, _ = services.create_callback(tenant=acme.tenant, url=url, every=False, actor="alice")
    services.ping(tenant=acme.tenant, callback_id=callback.callback_id)
    deliver(tenant=acme.tenant, callback=callback.pk)
    assert url in attention(text(alice.get("/")))
    assert "failing" in text(alice.get("/callbacks/"))
    services.remove_callback(tenant=acme.tenant, callback_id=callback.callback_id, actor="alice")
    assert url not in attention(text(alice.get("/")))


def test_the_chart_says_in_words_and_in_a_table_what_it_draws(
    alice: Visitor, acme: Organisation, key: dict[str, Any]
) -> None:
    from portal.audit.services import copy_log

    assert acme.as_client().post("keys/on-the-overview/encrypt", json={"payload": "YQ=="}).status_code == 400
    copy_log(wait=True)
    for span in ("day", "week", "month", "nonsense"):
        page = text(alice.get(f"/?span={span}"))
        said = re.search(r'<title id="chart-title">Operations in the last (\w+): (\d+) done, (\d+) refused', page)
        assert said is not None
        drawn = re.findall(r"UTC: (\d+) done, (\d+) refused</title>", page)
        assert len(drawn) == {"day": 24, "week": 28, "month": 30}[said.group(1)]
        assert sum(int(done) for done, _ in drawn) == int(said.group(2))
        assert sum(int(refused) for _, refused in drawn) == int(said.group(3)) > 0
        assert "As a table" in page


def test_charlie_is_told_nothing_of_acmes(charlie: Visitor, key: dict[str, Any], suspended: None) -> None:
    for path in ("/", "/usage/", "/jobs/", "/callbacks/"):
        page = text(charlie.get(path))
        assert "on-the-overview" not in page
        assert key["key_id"] not in page


def test_usage_is_what_was_taken_of_the_limits_and_the_busiest_keys(
    alice: Visitor, acme: Organisation, key: dict[str, Any], fresh_name: str
) -> None:
    from tenants import services

    client = services.create_client(tenant=acme.tenant, name=fresh_name, actor="alice").client_id
    services.set_client_quota(tenant=acme.tenant, client_id=client, requests=1234, items=None, actor="alice")
    # In the minute in which the page is asked for, however it ends.
    for _ in range(3):
        assert acme.as_client().get("keys").status_code == 200
        page = text(alice.get("/usage/"))
        taken = re.search(r'aria-label="requests of this minute"></meter> at most ([\d,]+) of 1,200,000', page)
        assert taken is not None
        if taken.group(1) != "0":
            break
    assert taken.group(1) != "0"
    assert "1234" in page
    assert f'<a href="/keys/{key["key_id"]}/">on-the-overview</a>' in page
