"""The end of a bulk job: cancelled, deleted or forgotten, and what is left of it then."""

from tests.support.jobs import Job, change, chunks_of, filled, run
from tests.support.portal import Organisation, code_of


def test_a_cancelled_job_leaves_nothing(job: Job, acme: Organisation) -> None:
    filled(job)
    assert code_of(acme.as_auditor().post(f"jobs/{job.id}/cancel")) == "forbidden"
    cancelled = acme.as_operator().post(f"jobs/{job.id}/cancel")
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
