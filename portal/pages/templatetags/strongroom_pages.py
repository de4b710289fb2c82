"""How the pages write times and states, in one place."""

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from strongroom.protocol.revocation import SAID_BY

register = template.Library()

_TONES = {
    "good": {"active", "defined", "executed", "operational", "in-force", "ok", "complete"},
    "wait": {
        "requested",
        "open",
        "sealed",
        "pre-activation",
        "suspended",
        "received",
        "deactivated",
        "retired",
        "to be destroyed",
    },
    "bad": {"compromised", "destroyed", "refused", "revoked", "failed", "unreachable"},
}


@register.filter
def when(moment: datetime | int | None) -> SafeString | str:
    """A moment (or unix seconds, as signed statements have them) to the second, in UTC.

    portal.js then shows it in the reader's own zone.
    """
    if moment is None:
        return "—"
    if isinstance(moment, int):
        moment = datetime.fromtimestamp(moment, UTC)
    moment = moment.astimezone(UTC)
    return format_html(
        '<time class="when" datetime="{}">{} UTC</time>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def said_by(who: str) -> str:
    """On whose word a key was revoked, in words."""
    return SAID_BY.get(who, who)


@register.filter
def state(word: str) -> SafeString:
    """A state as a coloured word: the word itself always stands there, the colour only helps."""
    tone = next((tone for tone, words in _TONES.items() if word in words), "")
    return format_html('<span class="state {}">{}</span>', tone, word)
