"""Asynchronous operations and bulk jobs, with how far they are."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from portal.jobs import selectors, services
from portal.jobs.models import Job, Operation
from portal.jobs.retention import RESULTS_KEPT
from portal.pages.access import customer_page
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.step_up import confirm
from strongroom.protocol.errors import Refused
from tee.selectors import key_names
from tenants.models import Tenant

OVER = (Operation.Status.DONE, Operation.Status.FAILED)
CANCELLED = "What is there of it is deleted, its results too."


@customer_page
def jobs(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """Answers htmx, which follows what is under way, with the lists alone."""
    names = key_names(tenant=tenant)
    found = selectors.jobs(tenant=tenant)
    operations = selectors.operations(tenant=tenant)
    under_way = any(not one.is_over for one, _ in found) or any(one.status not in OVER for one in operations)
    return page(
        request,
        "customer/job_list.html" if request.headers.get("HX-Request") else "customer/jobs.html",
        reader=reader,
        jobs=[(one, progress, names.get(one.key_id, ""), _kept_until(one)) for one, progress in found],
        operations=[(one, names.get(one.key_id, "")) for one in operations],
        under_way=under_way,
        fetchable=next((one.job_id for one, _ in found if _kept_until(one)), ""),
    )


def _kept_until(job: Job) -> datetime | None:
    """Until when the results of a job can be fetched; None where there are none."""
    if job.status != Job.Status.DONE or job.forgotten or job.finished is None:
        return None
    return job.finished + RESULTS_KEPT


@customer_page
def job_cancel(request: HttpRequest, reader: Reader, tenant: Tenant, job_id: str) -> HttpResponse:
    found, _ = selectors.job(tenant=tenant, job_id=job_id)
    if found.is_over:
        raise Refused("conflict", f"the job is {found.status}")
    confirm(request, f"Cancel the job {job_id} and delete all that it had", CANCELLED, ends=True)
    services.cancel_job(tenant=tenant, user=None, job_id=job_id)
    messages.success(request, f"{job_id} is cancelled, and all that it had is deleted.")
    return redirect("pages:jobs")
