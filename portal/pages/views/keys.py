"""The keys as a list."""

from django import forms
from django.http import HttpRequest, HttpResponse

from portal.audit import selectors as audit
from portal.pages.access import customer_page
from portal.pages.paging import pages_of
from portal.pages.readers import Reader
from portal.pages.rendering import page
from portal.pages.selectors import standings_of
from strongroom.protocol.mechanisms import Usage
from tee.key_list import PAGE, SORTINGS, KeysWanted, capable, found_keys, standings, types_there
from tenants import selectors as tenants
from tenants.models import Partition, Tenant

ANY = [("", "any")]
SORTED_BY = {
    "name": "name, A first",
    "-name": "name, Z first",
    "key_type": "type, A first",
    "-key_type": "type, Z first",
    "created": "import, oldest first",
    "-created": "import, newest first",
}
"""In words, for a select: narrow screens have no headings to sort by."""


class KeysForm(forms.Form):
    """What is looked for. A value that no list has is left alone, as if it were not there."""

    text = forms.CharField(
        required=False, max_length=200, label="Name or id", widget=forms.TextInput({"type": "search"})
    )
    state = forms.ChoiceField(required=False)
    key_type = forms.ChoiceField(required=False, label="Type")
    usage = forms.ChoiceField(required=False, label="Can", choices=[*ANY, *((one, one) for one in Usage)])
    partition = forms.ChoiceField(required=False)
    sort = forms.ChoiceField(required=False, choices=[(one, SORTED_BY[one]) for one in SORTINGS], label="Sorted by")


@customer_page
def keys(request: HttpRequest, reader: Reader, tenant: Tenant) -> HttpResponse:
    """Answers htmx with the list alone."""
    partitions, states = tenants.partitions(tenant=tenant), standings(tenant=tenant)
    form = _form(request, partitions, states, types_there(tenant=tenant))
    wanted = KeysWanted(**{name: value for name, value in form.cleaned_data.items() if value})
    shown, rows, total = pages_of(request, PAGE, lambda number: found_keys(tenant=tenant, wanted=wanted, number=number))
    used = audit.last_used(tenant=tenant)
    standing, not_known = standings_of(rows)
    return page(
        request,
        "customer/key_list.html" if request.headers.get("HX-Request") else "customer/keys.html",
        reader=reader,
        form=form,
        rows=[(one, capable(one.key_type), standing.get(one.pk), used.get(one.key_id)) for one in rows],
        not_known=not_known,
        shown=shown,
        total=total,
        any=sum(states.values()),
        wanted=wanted,
        partitions=partitions,
    )


def _form(request: HttpRequest, partitions: list[Partition], states: dict[str, int], types: list[str]) -> KeysForm:
    form = KeysForm(request.GET)
    choices = {
        "state": [(one, f"{one} ({count})") for one, count in sorted(states.items())],
        "key_type": [(one, one) for one in types],
        "partition": [(one.partition_id, one.label) for one in partitions if one.partition_id],
    }
    for name, found in choices.items():
        form.fields[name].choices = [*ANY, *found]  # type: ignore[attr-defined]  # a ChoiceField
    form.is_valid()
    return form
