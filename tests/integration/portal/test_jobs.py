"""Bulk jobs: sealed chunks in, sealed replies out, each done once."""

import base64
import threading
from typing import Any

import pytest

from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import Item
from strongroom.protocol.mechanisms import KeyType
from tests.support import outside
from tests.support.hardware import now
from tests.support.jobs import AES, Job, filled, open_job, run
from tests.support.keys import aes_terms, import_material
from tests.support.materials import material_of
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer
from tests.support.sealed_calls import SealedCall, operations_key


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
    acme: Organisation, acme_customer: Customer, job_key: dict[str, Any]
) -> None:
    good = [outside.seal("AES-GCM", AES, b"%d" % n) for n in range(4)]
    job = filled(open_job(acme, acme_customer, job_key, [[good[0], b"x" * 40], [good[2], good[3]]], "decrypt"))
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


def test_many_workers_do_each_chunk_once(
    acme: Organisation, acme_customer: Customer, job_key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.jobs import services

    job = filled(open_job(acme, acme_customer, job_key, [[b"%d" % n] for n in range(20)]))
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


def test_what_a_job_is_opened_with_is_checked(
    acme: Organisation, acme_customer: Customer, job_key: dict[str, Any]
) -> None:
    app = acme.as_client()
    body = {"key": job_key["name"], "operation": "encrypt", "version": 1, "mechanism": "AES-GCM", "chunks": 1,
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
