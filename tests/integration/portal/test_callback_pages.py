"""Pages of callbacks and jobs: registered, tried, repeated, cancelled; secrets shown once."""

import re
from typing import Any

import pytest

from tests.support.keys import import_p256
from tests.support.pages import Visitor, text
from tests.support.portal import Organisation
from tests.support.sealed import Customer

URL = "http://127.0.0.1:9/hook"


def secret_in(page: str) -> str:
    found = re.search(r'id="secret" readonly value="(whsec_[^"]+)"', page)
    assert found is not None
    return found.group(1)


@pytest.fixture
def callback(acme: Organisation) -> str:
    """The path of its page."""
    from portal.callbacks import services

    made, _ = services.create_callback(tenant=acme.tenant, url=URL, every=True, actor="alice")
    return f"/callbacks/{made.callback_id}/"


def test_a_callback_is_registered_and_its_secret_shown_once(alice: Visitor) -> None:
    page = text(alice.confirm("/callbacks/", url=URL, every="on"))
    first = secret_in(page)
    path = re.search(r'action="(/callbacks/cb_\w+/)ping"', page)
    assert path is not None
    assert first not in text(alice.get(path.group(1)))
    second = secret_in(text(alice.confirm(f"{path.group(1)}secret", page="/callbacks/")))
    assert second != first
    assert "are signed by the secret before as well" in text(alice.get(path.group(1)))
    assert alice.confirm(f"{path.group(1)}remove", page="/callbacks/").status_code == 302
    assert alice.get(path.group(1)).status_code == 404


def test_an_address_that_may_not_be_called_is_refused_in_the_form_and_costs_no_code(alice: Visitor) -> None:
    page = text(alice.post("/callbacks/", url="ftp://example.com/"))
    assert 'role="alert"' in page
    assert 'value="ftp://example.com/"' in page


def test_a_test_message_is_followed_and_sent_again(alice: Visitor, acme: Organisation, callback: str) -> None:
    from portal.callbacks.models import Callback
    from portal.callbacks.services import deliver
    from tenants.scoping import tenant_scope

    assert "No message yet" in text(alice.get(callback))
    assert alice.post(f"{callback}ping", page=callback).status_code == 302
    # While it is under way, htmx looks again; and gets the list alone.
    part = alice.client.get(callback, headers={"HX-Request": "true"}).content.decode()
    assert "pending" in part
    assert 'hx-trigger="every 3s"' in part
    assert "<html" not in part
    with tenant_scope(acme.tenant):
        row = Callback.objects.get(callback_id=callback.split("/")[2])
    deliver(tenant=acme.tenant, callback=row.pk)
    page = text(alice.get(callback))
    assert '<td data-label="Attempts">1</td>' in page
    again = re.search(r'action="(/callbacks/\w+/deliveries/\w+)"', page)
    assert again is not None
    assert alice.post(again.group(1), page=callback).status_code == 302
    assert '<td data-label="Attempts">0</td>' in text(alice.get(callback))


def new_job(acme: Organisation, customer: Customer, key_name: str) -> Any:
    """A job of which nothing has come yet, with a key of that name."""
    from portal.jobs.services import create_job
    from tee.selectors import key, operations_key
    from tenants.models import User

    import_p256(acme, customer, key_name)
    return create_job(
        tenant=acme.tenant,
        user=User.objects.get(username=acme.client_id),
        chunks=4,
        items=100,
        callback="",
        key=key(tenant=acme.tenant, reference=key_name),
        operation="sign",
        mechanism="ECDSA-SHA256",
        operations_key=operations_key(tenant=acme.tenant, partition_id=customer.partition).key_id,
        version=1,
    )


def test_jobs_show_how_far_they_are_and_bob_who_operates_cancels_one(
    bob: Visitor, dora: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    job = new_job(acme, acme_customer, fresh_name)
    page = text(dora.get("/jobs/"))
    assert job.job_id in page
    assert "0 of 4 chunks have come" in page
    assert f"/jobs/{job.job_id}/cancel" not in page
    path = f"/jobs/{job.job_id}/cancel"
    assert dora.post(path, page="/jobs/").status_code == 403
    assert f"/jobs/{job.job_id}/cancel" in text(bob.get("/jobs/"))
    assert f"Cancel the job {job.job_id} and delete all that it had?" in text(bob.ask(path, page="/jobs/"))
    assert bob.confirm(path, page="/jobs/").status_code == 302
    assert "cancelled" in text(bob.get("/jobs/"))
    # It is over.
    assert bob.confirm(path, page="/jobs/").status_code == 409


def test_a_job_that_is_done_says_how_its_results_are_fetched_and_until_when(
    dora: Visitor, bob: Visitor, acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from django.utils import timezone

    from portal.jobs.models import Job
    from tenants.scoping import tenant_scope

    job = new_job(acme, acme_customer, fresh_name)
    fetch = f"strongroom job fetch {job.job_id} --out FILE"
    assert fetch not in text(dora.get("/jobs/"))
    ended = timezone.now().replace(year=2031, month=3, day=1)

    def becomes(**now: Any) -> str:
        with tenant_scope(acme.tenant):
            Job.objects.filter(pk=job.pk).update(status="done", finished=ended, **now)
        return text(dora.get("/jobs/"))

    page = becomes()
    assert fetch in page
    assert "2031-03-08" in page
    page = becomes(forgotten=ended)
    assert fetch not in page
    assert "deleted" in page


def test_what_is_acmes_does_not_exist_for_charlie(charlie: Visitor, callback: str, acme: Organisation) -> None:
    assert charlie.get(callback).status_code == 404
    for act in ("ping", "secret", "remove", "deliveries/msg_none"):
        assert charlie.post(f"{callback}{act}", page="/callbacks/").status_code == 404
    assert URL not in text(charlie.get("/callbacks/"))


def test_bob_who_operates_sends_messages_and_changes_nothing_else(bob: Visitor, callback: str) -> None:
    page = text(bob.get(callback))
    assert "Send a test message" in page
    assert f"{callback}secret" not in page
    assert f"{callback}remove" not in page
    assert bob.post(f"{callback}ping", page=callback).status_code == 302
    again = re.search(r'action="(/callbacks/\w+/deliveries/\w+)"', text(bob.get(callback)))
    assert again is not None
    assert bob.post(again.group(1), page=callback).status_code == 302
    body: dict[str, Any] = {"url": URL}
    assert bob.confirm("/callbacks/", page="/callbacks/", **body).status_code == 403
    assert bob.confirm(f"{callback}secret", page=callback).status_code == 403
    assert bob.confirm(f"{callback}remove", page=callback).status_code == 403


def test_dora_who_audits_sees_and_sends_nothing(dora: Visitor, callback: str) -> None:
    page = text(dora.get(callback))
    assert f"{callback}ping" not in page
    assert "Send again" not in page
    assert dora.post(f"{callback}ping", page=callback).status_code == 403
