"""What somebody of a tenant should look at, each with where to look."""

from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from portal.audit import selectors as audit
from portal.callbacks import selectors as callbacks
from portal.jobs import selectors as jobs
from portal.pages.templatetags.strongroom_pages import when
from tee import selectors as tee
from tenants import selectors as tenants
from tenants.models import Partition, Tenant

SHOWN = 5
SOON = timedelta(days=14)
OF_LATE = timedelta(days=7)


@dataclass(frozen=True)
class Notice:
    """`what` names the thing, `state` is a word, `why` says what is the matter and what to do. `where` leads there."""

    what: str
    state: str
    why: str
    where: str


def notices(*, tenant: Tenant, device_state: str, partitions: list[Partition]) -> list[Notice]:
    """The most urgent first."""
    found = []
    if device_state != "operational":
        why = "Nothing can be done with any key until it is operational again: ask the provider."
        found.append(Notice("The device", device_state, why, ""))
    return found + _partitions(partitions) + _keys(tenant) + _imports(tenant) + _tokens(tenant) + _work(tenant)


def _partitions(partitions: list[Partition]) -> list[Notice]:
    return [
        Notice(
            one.label,
            "to be destroyed",
            format_html("At {} every key in it is gone for good. The owner can cancel that.", when(one.destroy_at)),
            reverse("pages:partition", args=[one.request]),
        )
        for one in partitions
        if one.destroy_at and one.status == Partition.Status.DEFINED
    ]


def _keys(tenant: Tenant) -> list[Notice]:
    suspended = tee.suspended_keys(tenant=tenant)
    found = [
        Notice(
            f"{one.name} version {one.version}",
            "suspended",
            one.suspended_why or "The device has no answer in force that says that it may be used.",
            reverse("pages:key", args=[one.key_id]),
        )
        for one in suspended[:SHOWN]
    ]
    if len(suspended) > SHOWN:
        more = f"{len(suspended) - SHOWN} more keys"
        found.append(Notice(more, "suspended", "", reverse("pages:keys") + "?state=suspended"))
    for event in audit.revoked_of_late(tenant=tenant):
        why = str(event.details.get("why") or "It is destroyed for ever, in this last week.")
        found.append(Notice(str(event.details.get("keys")), "revoked", why, reverse("pages:log") + "?event=key:revoke"))
    return found


def _imports(tenant: Tenant) -> list[Notice]:
    # What hangs comes before what has failed.
    troubled = tee.imports_to_look_at(tenant=tenant, since=timezone.now() - OF_LATE)
    troubled = sorted(troubled, key=lambda one: bool(one.code))
    failed = reverse("pages:log-portal") + "?tag=customer:import:failed"
    found = [
        Notice(
            f"Import {one.import_id}",
            one.status,
            f"The device refused it: {one.code}. Nothing of it was kept; import the key again."
            if one.code
            else "Its answer never came. It is asked for every few seconds; strongroom receipt fetch has it checked.",
            failed if one.code else "",
        )
        for one in troubled[:SHOWN]
    ]
    if len(troubled) > SHOWN:
        found.append(Notice(f"{len(troubled) - SHOWN} more imports", "failed", "", failed))
    return found


def _tokens(tenant: Tenant) -> list[Notice]:
    found = []
    ending = tenants.clients_running_out(tenant=tenant, by=timezone.now() + SOON)
    for client, expiry in ending[:SHOWN]:
        over = expiry <= timezone.now()
        said = "Its last token has expired: make another." if over else "Its last token expires at {}: make another."
        where = reverse("pages:client", args=[client.client_id])
        found.append(Notice(client.name, "expired" if over else "expires soon", format_html(said, when(expiry)), where))
    if len(ending) > SHOWN:
        found.append(Notice(f"{len(ending) - SHOWN} more API clients", "expires soon", "", reverse("pages:clients")))
    return found


def _work(tenant: Tenant) -> list[Notice]:
    found = [
        Notice(
            callback.url,
            "failing",
            f"{count} {'message was' if count == 1 else 'messages were'} not delivered the last time: {why}.",
            reverse("pages:callback", args=[callback.callback_id]),
        )
        for callback, count, why in callbacks.failing(tenant=tenant, since=timezone.now() - OF_LATE)[:SHOWN]
    ]
    for job in jobs.jobs_to_look_at(tenant=tenant, since=timezone.now() - OF_LATE)[:SHOWN]:
        why = job.error_detail or job.error_code
        found.append(Notice(f"Job {job.job_id}", job.status, why, reverse("pages:jobs")))
    return found
