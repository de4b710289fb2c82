"""What refuses or dies on the way of a bulk job: it pauses and goes on, or has failed and says why."""

from typing import Any

import pytest

from strongroom.protocol.errors import CATALOGUE, Refused
from tests.support import outside
from tests.support.jobs import AES, Job, change, filled, run
from tests.support.portal import Browser, Organisation


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
