"""The provider's own log: what the device did for no customer, and what happened in the portal."""

from django import forms
from django.http import HttpRequest, HttpResponse

from portal.audit import selectors as audit
from portal.pages import selectors
from portal.pages.access import officer_page
from portal.pages.event_words import CHOICES
from portal.pages.log_filter import ANY, LogForm
from portal.pages.paging import without
from portal.pages.readers import Reader
from portal.pages.rendering import before, page
from portal.quorum.selectors import tenants

EVENTS_SHOWN = 100


class EventsForm(forms.Form):
    """Which of the portal's events are looked for."""

    tag = forms.ChoiceField(required=False, label="Event", choices=CHOICES)
    tenant = forms.ChoiceField(required=False)
    actor = forms.CharField(required=False, max_length=64, label="Who (user name or client id)")


@officer_page
def log(request: HttpRequest, reader: Reader) -> HttpResponse:
    names = selectors.officer_names()
    form = LogForm(request.GET, events=audit.seen_events_of_world(), names=names)
    wanted = form.wanted()
    shown = audit.newest_of_world(wanted=wanted, before=before(request)) if form.is_valid() else audit.NOTHING
    return page(
        request,
        "officer/log.html",
        reader=reader,
        form=form,
        lines=selectors.lines_of_world(shown.entries, names),
        query=without(request.GET, "before"),
        filtered=wanted != audit.EVERYTHING,
        older=shown.older,
        lag=audit.copy_lag(),
    )


@officer_page
def portal(request: HttpRequest, reader: Reader) -> HttpResponse:
    """What happened in the portal itself, whomever it concerns."""
    form = EventsForm(request.GET)
    form.fields["tenant"].choices = [ANY, *((one.slug, one.name) for one in tenants())]  # type: ignore[attr-defined]
    found = audit.events_of_provider(limit=EVENTS_SHOWN, **form.cleaned_data) if form.is_valid() else []
    happenings = selectors.happenings_of_provider(found)
    return page(request, "officer/log_portal.html", reader=reader, form=form, happenings=happenings)
