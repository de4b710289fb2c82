"""Bulk jobs: sealed chunks in, sealed replies out, each done once, whatever refuses or dies on the way."""

import base64
import threading
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.sealed import open_reply
from tests.support import outside
from tests.support.hardware import now
from tests.support.keys import aes_terms, import_material
from tests.support.materials import material_of
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall, operations_key

AES = material_of(KeyType.AES_256)


@dataclass
class Job:
    """A job of Alice's app, as the client makes one. `calls`: what each chunk holds."""

    browser: Browser
    id: str
    calls: list[SealedCall]

    def put(self, number: int, **changes: Any) -> httpx.Response:
        call = self.calls[number]
        body = {"sealed": base64.b64encode(call.sealed).decode(), "items": len(call.items or [])}
        if call.signed:
            body["instruction"] = call.request.instruction
        return self.browser.put(f"jobs/{self.id}/chunks/{number}", json=body | changes)

    def start(self) -> httpx.Response:
        return self.browser.post(f"jobs/{self.id}/start")

    def status(self) -> dict[str, Any]:
        return self.browser.get(f"jobs/{self.id}").json()

    def results(self) -> list[bytes | str]:
        """Each item's result or error code, in order."""
        found: list[bytes | str] = []
        for number, call in enumerate(self.calls):
            chunk = self.browser.get(f"jobs/{self.id}/chunks/{number}").json()
            reply = open_reply(call.reply_key, digest(call.sealed), base64.b64decode(chunk["sealed"]))
            found += [reply.errors[n][0] if n in reply.errors else one for n, one in enumerate(reply.results)]
        return found


@pytest.fixture(scope="module")
def key(acme: Organisation, acme_customer: Customer) -> dict[str, Any]:
    return import_material(acme, acme_customer, "jobs-aes", AES, aes_terms())


@pytest.fixture
def job(acme: Organisation, acme_customer: Customer, key: dict[str, Any]) -> Job:
    return open_job(acme, acme_customer, key, [[b"%d" % n for n in range(k * 3, k * 3 + 3)] for k in range(4)])


def open_job(
    organisation: Organisation,
    customer: Customer,
    key: dict[str, Any],
    chunks: list[list[bytes]],
    operation: str = "encrypt",
    **call: Any,
) -> Job:
    calls = [
        SealedCall(customer, key["key_id"], operation, "AES-GCM", items=[Item(one) for one in chunk], **call)
        for chunk in chunks
    ]
    body = {
        "key": key["name"], "operation": operation, "version": 1, "mechanism": "AES-GCM", "chunks": len(chunks),
        "items": sum(map(len, chunks)), "operations_key": calls[0].binding.operations_key,
    }  # fmt: skip
    response = organisation.as_client().post("jobs", json=body)
    assert response.status_code == 201, response.text
    return Job(organisation.as_client(), response.json()["id"], calls)


def filled(job: Job) -> Job:
    for number in range(len(job.calls)):
        assert job.put(number).status_code == 201
    assert job.start().status_code == 200
    return job


def run(job: Job) -> None:
    """What a worker does."""
    from portal.jobs.models import Job as Row
    from portal.jobs.services import run_job
    from tenants.models import Tenant

    row = Row.objects.using("provider").get(job_id=job.id)
    run_job(tenant=Tenant.objects.get(pk=row.tenant_id), job=row.pk)


def change(job: Job, **fields: Any) -> None:
    from portal.jobs.models import Job as Row
    from tenants.scoping import tenant_scope

    row = Row.objects.using("provider").select_related("tenant").get(job_id=job.id)
    with tenant_scope(row.tenant):
        Row.objects.filter(pk=row.pk).update(**fields)


def test_a_job_is_filled_started_carried_out_and_fetched(job: Job) -> None:
    assert (job.status()["status"], job.status()["progress"]["stored"]) == ("open", 0)
    filled(job)
    assert job.status()["status"] == "running"
    run(job)
    status = job.status()
    assert (status["status"], status["error"]) == ("done", None)
    assert status["progress"] == {"stored": 4, "done": 4, "items_done": 12}
    assert status["finished"]
    results = [one for one in job.results() if isinstance(one, bytes)]
    assert [outside.unseal("AES-GCM", AES, one) for one in results] == [b"%d" % n for n in range(12)]


def test_a_failed_item_has_its_error_in_its_place(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any]
) -> None:
    good = [outside.seal("AES-GCM", AES, b"%d" % n) for n in range(4)]
    job = filled(open_job(acme, acme_customer, key, [[good[0], b"x" * 40], [good[2], good[3]]], "decrypt"))
    run(job)
    assert job.results() == [b"0", "ciphertext-invalid", b"2", b"3"]
    assert job.status()["status"] == "done"


def test_the_same_chunk_again_is_fine_and_another_is_not(job: Job, acme_customer: Customer) -> None:
    assert job.put(0).status_code == 201
    assert job.put(0).status_code == 200
    other = SealedCall(acme_customer, job.calls[0].key, "encrypt", "AES-GCM", items=[Item(b"other")])
    assert code_of(job.put(0, sealed=base64.b64encode(other.sealed).decode())) == "conflict"
    assert code_of(job.put(0, instruction="eyJ")) == "conflict"
    for number in (1, 2, 3):
        job.put(number)
    job.start()
    # After the start the same bytes are still fine, before and after the chunk is done.
    assert job.put(0).status_code == 200
    run(job)
    assert job.put(0).status_code == 200
    assert len(job.results()) == 12


def test_it_begins_when_all_chunks_are_there(job: Job) -> None:
    for number in (0, 1, 3):
        job.put(number)
    response = job.start()
    assert (code_of(response), response.json()["detail"]) == ("conflict", "1 of 4 chunks are missing")
    job.put(2)
    assert job.start().json()["status"] == "running"
    assert job.start().json()["status"] == "running"
    run(job)
    assert job.start().json()["status"] == "done"


def test_a_chunk_that_is_not_the_jobs_is_refused(job: Job) -> None:
    body = {"sealed": "YQ==", "items": 1}
    assert code_of(job.browser.put(f"jobs/{job.id}/chunks/4", json=body)) == "not-found"
    assert code_of(job.put(0, sealed="")) == "malformed"
    assert code_of(job.put(0, sealed="!")) == "malformed"
    assert code_of(job.put(0, items=0)) == "malformed"
    assert code_of(job.browser.get(f"jobs/{job.id}/chunks/0")) == "not-found"
    job.put(0)
    assert code_of(job.browser.get(f"jobs/{job.id}/chunks/0")) == "conflict"


def test_in_signed_mode_each_chunk_has_an_instruction_of_its_own(acme: Organisation, acme_customer: Customer) -> None:
    material = material_of(KeyType.AES_256)
    key = import_material(acme, acme_customer, "jobs-signed", material, aes_terms(authorisation="signed"))
    stated = {"session": "", "expires_at": now() + 3600}
    job = filled(open_job(acme, acme_customer, key, [[b"a", b"b"], [b"c"]], signed=True, stated=stated))
    run(job)
    results = [one for one in job.results() if isinstance(one, bytes)]
    assert [outside.unseal("AES-GCM", material, one) for one in results] == [b"a", b"b", b"c"]
    # Without one the device refuses, and waiting does not mend it.
    job = filled(open_job(acme, acme_customer, key, [[b"a"]]))
    run(job)
    assert (job.status()["status"], job.status()["error"]["code"]) == ("failed", "signed-instruction-required")


def test_while_the_device_refuses_it_pauses_visibly_and_then_goes_on(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    from portal.jobs import asking
    from tee.drivers import Emulator

    filled(job)
    away = Emulator("/nowhere/hsm.sock")
    with monkeypatch.context() as patch:
        patch.setattr(asking, "secure_module", lambda: away)
        run(job)
    status = job.status()
    assert (status["status"], status["error"]["code"]) == ("paused", "hsm-unreachable")
    assert status["error"]["detail"].startswith("chunk 0: ")
    run(job)
    assert job.status()["status"] == "paused"  # not before its time
    change(job, next_try=timezone.now())
    run(job)
    status = job.status()
    assert (status["status"], status["error"], status["progress"]["done"]) == ("done", None, 4)
    assert len(job.results()) == 12


def test_what_is_refused_for_a_day_has_failed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.utils import timezone

    from portal.jobs import asking
    from tee.drivers import Emulator

    filled(job)
    change(job, refused_since=timezone.now() - asking.PATIENCE)
    monkeypatch.setattr(asking, "secure_module", lambda: Emulator("/nowhere/hsm.sock"))
    run(job)
    assert (job.status()["status"], job.status()["error"]["code"]) == ("failed", "hsm-unreachable")


def test_a_chunk_that_holds_more_items_than_it_says_fails_the_job(job: Job) -> None:
    assert job.put(0, items=1).status_code == 201
    for number in (1, 2, 3):
        job.put(number)
    job.start()
    run(job)
    status = job.status()
    assert (status["status"], status["error"]["code"]) == ("failed", "malformed")
    assert status["error"]["detail"] == "chunk 0: `count` is 1, and 3 items are sealed inside"


def test_a_refusal_of_the_device_has_its_sentence(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.jobs import services

    def refuse(*_: Any) -> Any:
        raise Refused("usage-not-permitted")

    filled(job)
    monkeypatch.setattr(services, "ask", refuse)
    run(job)
    sentence = CATALOGUE["usage-not-permitted"].sentence
    assert job.status()["error"] == {"code": "usage-not-permitted", "detail": f"chunk 0: {sentence}"}


def test_a_job_runs_as_long_as_the_token_that_started_it_stands(job: Job, acme: Organisation) -> None:
    from tenants import services

    def new_token() -> tuple[Browser, str]:
        row, plain = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
        return Browser(plain), row.token_key

    # Handed on to a new token before the old one is revoked, it goes on.
    (first, first_key), (second, _) = new_token(), new_token()
    job.browser = first
    filled(job)
    job.browser = second
    assert job.start().json()["status"] == "running"
    services.revoke_token(tenant=acme.tenant, client_id=acme.client_id, token_key=first_key, actor="test")
    run(job)
    assert job.status()["status"] == "done"


def test_with_its_token_a_job_ends(job: Job, acme: Organisation) -> None:
    from tenants import services

    row, plain = services.create_token(tenant=acme.tenant, client_id=acme.client_id, days=1, actor="test")
    job.browser = Browser(plain)
    filled(job)
    services.revoke_token(tenant=acme.tenant, client_id=acme.client_id, token_key=row.token_key, actor="test")
    job.browser = acme.as_client()
    run(job)
    status = job.status()
    assert (status["status"], status["error"]["code"]) == ("failed", "forbidden")
    assert "token that asked for it was revoked" in status["error"]["detail"]
    assert status["progress"]["done"] == 0


def test_what_was_altered_at_rest_fails_the_job(job: Job) -> None:
    from portal.jobs.models import Chunk
    from tenants.models import Tenant
    from tenants.scoping import tenant_scope

    filled(job)
    with tenant_scope(Tenant.objects.get(slug="acme")):
        chunk = Chunk.objects.get(job__job_id=job.id, number=0)
        Chunk.objects.filter(pk=chunk.pk).update(request=bytes(chunk.request[:-1]) + b"\x00")
    run(job)
    assert (job.status()["status"], job.status()["error"]["code"]) == ("failed", "sealed-unopenable")


def test_a_worker_that_dies_at_a_chunk_leaves_it_to_the_next(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.jobs import services

    filled(job)

    class Died(BaseException):
        pass

    asked = services.ask
    seen: list[int] = []

    def die_at_the_third(*arguments: Any) -> Any:
        reply = asked(*arguments)
        seen.append(1)
        if len(seen) == 3:
            raise Died  # the device has done it, and nobody has written that down
        return reply

    monkeypatch.setattr(services, "ask", die_at_the_third)
    with pytest.raises(Died):
        run(job)
    assert job.status()["progress"]["done"] == 2
    run(job)
    assert (job.status()["status"], len(seen)) == ("done", 5)
    results = [one for one in job.results() if isinstance(one, bytes)]
    assert [outside.unseal("AES-GCM", AES, one) for one in results] == [b"%d" % n for n in range(12)]


def test_many_workers_do_each_chunk_once(
    acme: Organisation, acme_customer: Customer, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.jobs import services

    job = filled(open_job(acme, acme_customer, key, [[b"%d" % n] for n in range(20)]))
    asked, seen = services.ask, []

    def noted(work: Any, sealed: bytes, *more: Any) -> Any:
        seen.append(digest(sealed))
        return asked(work, sealed, *more)

    monkeypatch.setattr(services, "ask", noted)
    workers = [threading.Thread(target=run, args=[job]) for _ in range(6)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    run(job)
    assert job.status()["status"] == "done"
    assert sorted(seen) == sorted(digest(one.sealed) for one in job.calls)


def test_a_cancelled_job_leaves_nothing(job: Job, acme: Organisation) -> None:
    filled(job)
    cancelled = acme.as_owner().post(f"jobs/{job.id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    run(job)
    assert job.status()["progress"]["done"] == 0
    assert code_of(job.browser.get(f"jobs/{job.id}/chunks/0")) == "not-found"
    assert code_of(job.put(0)) == "conflict"
    assert code_of(job.start()) == "conflict"
    assert acme.as_owner().post(f"jobs/{job.id}/cancel").status_code == 200


def test_whoever_has_the_results_deletes_them_at_once(job: Job, acme: Organisation, globex: Organisation) -> None:
    filled(job)
    run(job)
    assert len(job.results()) == 12
    assert code_of(job.browser.post(f"jobs/{job.id}/cancel")) == "conflict"
    assert code_of(acme.as_operator().delete(f"jobs/{job.id}")) == "forbidden"
    assert code_of(globex.as_client().delete(f"jobs/{job.id}")) == "not-found"
    assert job.browser.delete(f"jobs/{job.id}").status_code == 204
    assert chunks_of(job) == 0
    status = job.status()
    assert (status["status"], bool(status["forgotten"])) == ("done", True)
    assert code_of(job.browser.get(f"jobs/{job.id}/chunks/0")) == "not-found"
    assert acme.as_owner().delete(f"jobs/{job.id}").status_code == 204


def test_a_deleted_job_that_was_not_over_is_cancelled(job: Job) -> None:
    filled(job)
    assert job.browser.delete(f"jobs/{job.id}").status_code == 204
    assert (job.status()["status"], chunks_of(job)) == ("cancelled", 0)


def chunks_of(job: Job) -> int:
    from portal.jobs.models import Chunk

    return Chunk.objects.using("provider").filter(job__job_id=job.id).count()


def test_results_are_deleted_after_a_week_and_the_job_says_so(job: Job) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from portal.jobs import retention

    filled(job)
    run(job)
    retention.forget_old()
    assert len(job.results()) == 12
    change(job, finished=timezone.now() - timedelta(days=7, seconds=1))
    retention.forget_old()
    status = job.status()
    assert (status["status"], status["progress"]["done"]) == ("done", 4)
    assert status["forgotten"]
    answer = job.browser.get(f"jobs/{job.id}/chunks/0")
    assert code_of(answer) == "not-found"
    assert "were deleted" in answer.json()["detail"]


def test_nothing_of_a_done_jobs_requests_is_kept(job: Job) -> None:
    from portal.jobs.models import Chunk

    filled(job)
    run(job)
    rows = Chunk.objects.using("provider").filter(job__job_id=job.id)
    assert [(bytes(one.request), one.instruction) for one in rows] == [(b"", "")] * 4


def test_jobs_are_their_tenants_and_are_filled_by_who_opened_them(
    job: Job, acme: Organisation, globex: Organisation
) -> None:
    from tenants import services

    charlie, owner = globex.as_client(), globex.as_owner()
    body = {"sealed": "YQ==", "items": 1}
    for method, path, json in (
        ("GET", "", None), ("POST", "/start", None), ("GET", "/chunks", None), ("GET", "/chunks/0", None),
        ("PUT", "/chunks/0", body),
    ):  # fmt: skip
        assert code_of(charlie.request(method, f"jobs/{job.id}{path}", json=json)) == "not-found"
    assert code_of(owner.post(f"jobs/{job.id}/cancel")) == "not-found"
    assert job.id not in owner.get("jobs").text
    assert job.id in acme.as_auditor().get("jobs").text
    # Another program of Alice's may look, and not touch.
    client = services.create_client(tenant=acme.tenant, name=f"other-{job.id[:12]}", actor="test")
    _, token = services.create_token(tenant=acme.tenant, client_id=client.client_id, days=1, actor="test")
    other = Browser(token)
    assert other.get(f"jobs/{job.id}").status_code == 200
    assert code_of(other.put(f"jobs/{job.id}/chunks/0", json=body)) == "not-found"
    assert code_of(other.post(f"jobs/{job.id}/cancel")) == "not-found"
    # A person opens none.
    assert code_of(acme.as_owner().post("jobs", json={})) == "forbidden"


def test_what_a_job_is_opened_with_is_checked(acme: Organisation, acme_customer: Customer, key: dict[str, Any]) -> None:
    app = acme.as_client()
    body = {"key": key["name"], "operation": "encrypt", "version": 1, "mechanism": "AES-GCM", "chunks": 1,
            "operations_key": operations_key(acme_customer).key_id}  # fmt: skip
    for wrong, code in (
        ({"operation": "sign"}, "mechanism-unsupported"),
        ({"mechanism": "ECDSA-SHA256"}, "mechanism-unsupported"),
        ({"version": 2}, "not-found"),
        ({"operations_key": "ok_a"}, "operations-key-unknown"),
    ):
        assert code_of(app.post("jobs", json=body | wrong)) == code
    wrong = app.post("jobs", json=body | {"mechanism": "RSA-OAEP-SHA256"}).json()["detail"]
    assert wrong == "RSA-OAEP-SHA256 does not encrypt with AES-256; of these one does: AES-GCM, AES-GCM-SIV"
    for wrong in ({"chunks": 0}, {"chunks": 10_001}, {"operation": "steal"}, {"version": 0}, {"more": 1}):
        assert code_of(app.post("jobs", json=body | wrong)) == "malformed"
    for wrong in ({"key": "no-such-key"}, {"callback": "cb_none"}):
        assert code_of(app.post("jobs", json=body | wrong)) == "not-found"
