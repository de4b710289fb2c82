"""What is looked for in a log of the device's: the form above its entries, and what it means."""

from dataclasses import replace
from datetime import UTC, datetime

from django import forms
from django.http import QueryDict

from portal.audit.selectors import Wanted

ANY = ("", "any")
NONE_SUCH = {"invalid_choice": "There is none such."}


def _suggesting(name: str, label: str) -> forms.CharField:
    """A text with suggestions (a datalist of `pages/filters.html`): nobody looks through a long list for one."""
    return forms.CharField(
        required=False, max_length=200, label=label, widget=forms.TextInput({"list": f"{name}-names", "type": "search"})
    )


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")
    return forms.DateTimeField(required=False, label=label, widget=widget)


class LogForm(forms.Form):
    """Times are UTC. Who did it is looked for by the reader's own name for them, or by the principal."""

    since = _moment("From, UTC")
    until = _moment("Until, UTC")
    event = forms.ChoiceField(required=False, error_messages=NONE_SUCH)
    principal = _suggesting("principal", "Who")
    outcome = forms.ChoiceField(
        required=False, choices=[ANY, ("done", "done"), ("refused", "refused")], error_messages=NONE_SUCH
    )

    def __init__(self, data: QueryDict, *, events: list[str], names: dict[str, str]) -> None:
        """`events`: those that the log has. `names`: of principals, as the reader knows them."""
        super().__init__(data)
        self._names = names
        self.suggestions = {"principal": sorted(set(names.values()))}
        self.fields["event"].choices = [ANY, *((one, one) for one in events)]  # type: ignore[attr-defined]  # a ChoiceField

    def clean_principal(self) -> tuple[str, ...]:
        """All that are called so: a name may have been given twice. Who has no name any more is found by principal."""
        text: str = self.cleaned_data["principal"].strip()
        if not text:
            return ()
        found = tuple(principal for principal, name in self._names.items() if text in (principal, name))
        return found or (text,)

    def wanted(self) -> Wanted:
        """Everything, of a form that is not valid."""
        given = self.cleaned_data if self.is_valid() else {}
        outcome = given.get("outcome")
        return Wanted(
            since=_utc(given.get("since")),
            until=_utc(given.get("until")),
            event=given.get("event") or "",
            principals=given.get("principal") or (),
            ok=None if not outcome else outcome == "done",
        )


class KeyLogForm(LogForm):
    """Of a log that tells of keys, which are looked for by name or id, too."""

    key = _suggesting("key", "Key, name or id")
    field_order = ["since", "until", "event", "principal", "key", "outcome"]

    def __init__(self, data: QueryDict, *, events: list[str], names: dict[str, str], keys: dict[str, str]) -> None:
        """`keys`: names by id."""
        super().__init__(data, events=events, names=names)
        self._keys = keys
        self.suggestions["key"] = sorted(set(keys.values()))

    def clean_key(self) -> tuple[str, ...]:
        """The ids of all that are meant: partitions may each have one of a name."""
        text = self.cleaned_data["key"]
        found = tuple(key for key, name in self._keys.items() if text and text in (key, name))
        if text and not found:
            raise forms.ValidationError(NONE_SUCH["invalid_choice"])
        return found

    def wanted(self) -> Wanted:
        keys = self.cleaned_data.get("key") or () if self.is_valid() else ()
        return replace(super().wanted(), keys=keys)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
