"""The log of the tenant's partitions: looked through, exported, compared with the device; and the portal's events."""

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from portal.audit import selectors as audit
from portal.audit.verification import Finding, verify_copy
from portal.pages import selectors
from portal.pages.access import customer_page
from portal.pages.event_words import CHOICES
from portal.pages.export import MEDIA_TYPES, csv_lines, json_lines
from portal.pages.log_filter import KeyLogForm
from portal.pages.paging import without
from portal.pages.readers import Reader
from portal.pages.rendering import before, page
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants.models import Partition, Tenant

EVENTS_SHOWN = 100


@customer_page
def log(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    names = selectors.names_of(tenant=tenant)
    form = _form(request, tenant, names)
    wanted = form.wanted()
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
    rows = audit.exported(tenant=tenant, wanted=asked.wanted())
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
    tag = forms.ChoiceField(required=False, label="Event", choices=CHOICES)
    actor = forms.CharField(required=False, max_length=64, label="Who (user name or client id)")


def _defined(tenant: Tenant) -> list[Partition]:
    return [one for one in tenants.partitions(tenant=tenant) if one.partition_id]


def _form(request: HttpRequest, tenant: Tenant, names: selectors.Names) -> KeyLogForm:
    events = audit.seen_events(tenant=tenant)
    return KeyLogForm(request.GET, events=events, names=names.principals, keys=names.keys)
