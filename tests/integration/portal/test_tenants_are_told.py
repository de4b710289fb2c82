"""A tenant's owners and admins are told by mail of keys that are revoked, rest unanswered or have expired: once."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from strongroom.client import revocation
from strongroom.endpoint.store import Statuses
from strongroom.protocol import jws
from strongroom.protocol.revocation import receipt_digest
from strongroom.protocol.statements import Receipt
from tests.support.customers_endpoint import ServedEndpoint
from tests.support.keys import import_p256
from tests.support.portal import Organisation, make_customer, make_organisation
from tests.support.sealed import Customer, SealedDevice


@pytest.fixture(scope="module")
def acme() -> Organisation:
    """One of its own, whose people are the ones named here and nobody else."""
    return make_organisation("soylent", "alice@soylent")


@pytest.fixture(scope="module")
def acme_customer(acme: Organisation, device: SealedDevice) -> Customer:
    return make_customer(acme, device)


@pytest.fixture
def outbox(acme: Organisation, globex: Organisation, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Mail in memory; everybody has an address, and nothing that is due is of before the test."""
    from django.conf import settings
    from django.core import mail

    from tenants.models import Membership

    people = Membership.objects.using("default")
    for organisation in (acme, globex):
        for one in people.filter(tenant=organisation.tenant):
            one.email = f"{one.role}@{organisation.tenant.slug}.example"
            one.save(update_fields=["email"])
    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []
    tell()
    mail.outbox.clear()
    yield mail.outbox
    people.update(email="")


@pytest.fixture
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedEndpoint]:
    with ServedEndpoint(tmp_path_factory.mktemp("customer") / "endpoint") as served:
        yield served


@pytest.fixture
def key(acme: Organisation, acme_customer: Customer, endpoint: ServedEndpoint, fresh_name: str) -> dict[str, Any]:
    """A key of Alice's that her endpoint has said to be active."""
    pin = (endpoint.folder / "cert.pem").read_bytes()
    terms = revocation.make(endpoint.url, token=endpoint.token, pin=pin, every="1s")
    made = import_p256(acme, acme_customer, fresh_name, revocation=terms)
    receipt = made["receipt"]
    Statuses(endpoint.folder).add([(jws.read_unverified(receipt, Receipt), receipt_digest(receipt))])
    becomes("good", acme, made)
    return made


def becomes(wanted: str, acme: Organisation, key: dict[str, Any]) -> None:
    path, end = f"keys/{key['key_id']}/revocation", time.monotonic() + 30
    while (found := acme.as_auditor().get(path).json()["versions"][0]["state"]) != wanted:
        assert time.monotonic() < end, f"still {found}, not {wanted}"
        time.sleep(0.1)


def tell() -> int:
    from portal.audit.services import copy_log
    from portal.audit.tasks import tell_people

    copy_log(wait=True)
    return tell_people()


def mails_on(outbox: list[Any], key: dict[str, Any], wait: Callable[[], int] = tell) -> list[Any]:
    """Mails that name the key, once there is one."""
    end = time.monotonic() + 30
    while not (found := [one for one in outbox if key["name"] in one.body]):
        assert time.monotonic() < end
        wait()
        time.sleep(0.1)
    return found


def test_a_revoked_key_is_told_once_to_who_owns_or_administers(
    acme: Organisation, key: dict[str, Any], endpoint: ServedEndpoint, outbox: list[Any]
) -> None:
    Statuses(endpoint.folder).change(key["key_id"], "revoked", "a laptop was stolen")
    becomes("revoked", acme, key)
    [mail] = mails_on(outbox, key)
    # Neither the operator, the auditor nor an API client, and nobody of another tenant.
    assert mail.to == ["owner@soylent.example"]
    assert "of your keys revoked" in mail.subject
    assert f"{key['name']} version 1" in mail.body
    assert "revoked, for ever (a laptop was stolen)" in mail.body
    assert endpoint.token not in mail.body
    tell()
    assert len(mails_on(outbox, key)) == 1


def test_a_key_that_rests_for_want_of_an_answer_is_told_and_the_customers_own_word_is_not(
    acme: Organisation, key: dict[str, Any], endpoint: ServedEndpoint, outbox: list[Any]
) -> None:
    Statuses(endpoint.folder).change(key["key_id"], "suspended", "an audit")
    becomes("suspended", acme, key)
    time.sleep(11)
    tell()
    Statuses(endpoint.folder).change(key["key_id"], "active")
    becomes("good", acme, key)
    # Nor what is over at once.
    endpoint.kill()
    becomes("suspended", acme, key)
    endpoint.start()
    becomes("good", acme, key)
    time.sleep(11)
    tell()
    assert [one for one in outbox if key["name"] in one.body] == []
    endpoint.kill()
    becomes("suspended", acme, key)
    [mail] = mails_on(outbox, key)
    assert "until a valid answer says that it may be used (no valid answer: unavailable: no connection)" in mail.body


def test_a_key_whose_validity_has_ended_is_told(
    acme: Organisation, acme_customer: Customer, fresh_name: str, outbox: list[Any]
) -> None:
    from tee.services import refresh_all_keys

    made = import_p256(acme, acme_customer, fresh_name, not_after=int(time.time()) + 3)
    refresh_all_keys()
    time.sleep(3.5)
    refresh_all_keys()
    [mail] = mails_on(outbox, made)
    assert "expired: its validity has ended" in mail.body
    refresh_all_keys()
    tell()
    assert len(mails_on(outbox, made)) == 1


def test_without_a_mail_server_it_is_tried_again_and_old_news_are_none(
    acme: Organisation, key: dict[str, Any], endpoint: ServedEndpoint, outbox: list[Any], monkeypatch: Any
) -> None:
    from django.conf import settings
    from django.utils import timezone

    from portal.audit import mails
    from portal.audit.models import PortalEvent
    from portal.audit.tags import EventTag

    Statuses(endpoint.folder).change(key["key_id"], "revoked", "stolen")
    becomes("revoked", acme, key)
    with monkeypatch.context() as broken:
        broken.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
        broken.setattr(settings, "EMAIL_HOST", "127.0.0.1")
        broken.setattr(settings, "EMAIL_PORT", 9)
        tell()
    revoked = PortalEvent.objects.using("provider").filter(tenant=acme.tenant, tag=EventTag.DEVICE_KEY_REVOKED)
    assert revoked.get(details__keys=f"{key['name']} version 1", mail=None)
    with monkeypatch.context() as later:
        now = timezone.now
        later.setattr(mails.timezone, "now", lambda: now() + timedelta(days=3))
        assert mails.tell_people() == 0
    assert len(mails_on(outbox, key)) == 1
