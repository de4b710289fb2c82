"""The log of the tenant's partitions: looked through, exported, compared with the device; and the portal's events."""

from datetime import UTC, datetime

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from portal.audit import selectors as audit
from portal.audit.tags import EventTag
from portal.audit.verification import Finding, verify_copy
from portal.pages import selectors
from portal.pages.access import Reader, customer_page
from portal.pages.export import MEDIA_TYPES, csv_lines, json_lines
from portal.pages.paging import without
from portal.pages.rendering import before, page
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants.models import Partition, Tenant

ANY = ("", "any")
EVENTS_SHOWN = 100
NONE_SUCH = {"invalid_choice": "There is none such."}


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")
    return forms.DateTimeField(required=False, label=label, widget=widget)


class LogForm(forms.Form):
    """What is looked for; times are UTC."""

    since = _moment("From, UTC")
    until = _moment("Until, UTC")
    event = forms.ChoiceField(required=False, error_messages=NONE_SUCH)
    principal = forms.ChoiceField(required=False, label="Who", error_messages=NONE_SUCH)
    key = forms.CharField(required=False, max_length=200, label="Key, name or id")
    outcome = forms.ChoiceField(
        required=False, choices=[ANY, ("done", "done"), ("refused", "refused")], error_messages=NONE_SUCH
    )


@customer_page
def log(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    names = selectors.names_of(tenant=tenant)
    form = _form(request, tenant, names)
    wanted = _wanted(form, names)
    shown = audit.newest(tenant=tenant, wanted=wanted, before=before(request)) if form.is_valid() else audit.NOTHING
    return page(
        request,
        "customer/log.html",
        reader=reader,
        form=form,
        lines=selectors.lines_of_tenant(shown.entries, tenant=tenant),
        query=without(request.GET, "before"),
        filtered=wanted != audit.EVERYTHING,
        older=shown.older,
        partitions=_defined(tenant),
    )


@customer_page
def log_export(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse | StreamingHttpResponse:
    """Streamed: a log of any length takes no memory."""
    form = request.GET.get("format", "jsonl")
    if form not in MEDIA_TYPES:
        raise Refused("malformed", f"format is one of {', '.join(MEDIA_TYPES)}")
    names = selectors.names_of(tenant=tenant)
    asked = _form(request, tenant, names)
    if not asked.is_valid():
        raise Refused("malformed", "what is looked for cannot be read: look for it on the log's page")
    rows = audit.exported(tenant=tenant, wanted=_wanted(asked, names))
    lines = json_lines(rows) if form == "jsonl" else csv_lines(rows, names)
    name = f"strongroom-{tenant.slug}-log-{timezone.now():%Y%m%dT%H%M%SZ}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type=MEDIA_TYPES[form], headers=headers)


@customer_page
def log_verify(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """What the provider's own copy gives against the device's checkpoint of now."""
    findings: list[tuple[Partition, Finding | None, Refused | None]] = []
    for one in _defined(tenant):
        try:
            findings.append((one, verify_copy(tenant=tenant, partition=one), None))
        except Refused as error:
            findings.append((one, None, error))
    return page(request, "customer/log_verify.html", reader=reader, findings=findings)


@customer_page
def log_portal(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """What happened in the portal itself: people, clients, tokens, imports."""
    form = PortalForm(request.GET)
    form.is_valid()
    events = audit.events(
        tenant=tenant, tag=form.cleaned_data.get("tag") or "", actor=form.cleaned_data.get("actor") or "",
        limit=EVENTS_SHOWN,
    )  # fmt: skip
    happenings = selectors.happenings_of_tenant(events, tenant=tenant)
    return page(request, "customer/log_portal.html", reader=reader, form=form, happenings=happenings)


class PortalForm(forms.Form):
    tag = forms.ChoiceField(required=False, label="Event", choices=[ANY, *((one.value, one.value) for one in EventTag)])
    actor = forms.CharField(required=False, max_length=64, label="Who (user name or client id)")


def _defined(tenant: Tenant) -> list[Partition]:
    return [one for one in tenants.partitions(tenant=tenant) if one.partition_id]


def _form(request: HttpRequest, tenant: Tenant, names: selectors.Names) -> LogForm:
    form = LogForm(request.GET)
    choices = {
        "event": [(one, one) for one in audit.seen_events(tenant=tenant)],
        "principal": sorted(names.principals.items(), key=lambda one: one[1]),
    }
    for name, found in choices.items():
        form.fields[name].choices = [ANY, *found]  # type: ignore[attr-defined]  # a ChoiceField
    if form.is_valid() and form.cleaned_data["key"] and not _keys(form, names):
        form.add_error("key", NONE_SUCH["invalid_choice"])
    return form


def _keys(form: LogForm, names: selectors.Names) -> tuple[str, ...]:
    """The ids of the keys that are meant: partitions may each have one of a name."""
    text = form.cleaned_data.get("key")
    return tuple(key for key, name in names.keys.items() if text and text in (key, name))


def _wanted(form: LogForm, names: selectors.Names) -> audit.Wanted:
    given = form.cleaned_data

    def utc(moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment else None

    outcome = given.get("outcome")
    return audit.Wanted(
        since=utc(given.get("since")),
        until=utc(given.get("until")),
        event=given.get("event") or "",
        principal=given.get("principal") or "",
        keys=_keys(form, names),
        ok=None if not outcome else outcome == "done",
    )
