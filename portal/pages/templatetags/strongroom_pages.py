"""How the pages write times and states, in one place."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from portal.pages.event_words import WORDS
from strongroom.protocol.revocation import SAID_BY

register = template.Library()
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")

_TONES = {
    "good": {"active", "defined", "executed", "operational", "in-force", "ok", "complete", "good", "done", "delivered"},
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
        "unchecked",
        "below-minimum",
        "pending",
        "queued",
        "running",
        "paused",
        "expires soon",
        "in trouble",
        "without people",
    },
    "bad": {
        "compromised",
        "destroyed",
        "refused",
        "revoked",
        "failed",
        "unreachable",
        "given-up",
        "failing",
        "expired",
        "out of service",
    },
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


@register.filter
def code_name(code: str) -> SafeString:
    """`customer:import:completed`, which on a narrow screen goes on in the next line after a colon."""
    return format_html_join(SafeString(":<wbr>"), "{}", ((part,) for part in code.split(":")))


@register.filter
def outcome(code: str) -> SafeString:
    """What came of something as a coloured word: `ok`, or the code that it was refused with."""
    return format_html('<span class="state {}">{}</span>', "good" if code == "ok" else "bad", code)


@register.filter
def hour(moment: datetime) -> SafeString:
    """An hour in which something happened, in UTC; portal.js has it in the reader's zone."""
    moment = moment.astimezone(UTC)
    return format_html(
        '<time class="when" data-precision="hour" datetime="{}">{} UTC</time>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%Y-%m-%d %H:00"),
    )


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def pairs(details: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a template's `.items` is not, where one of the names is `items`."""
    return list(details.items())


@register.filter
def event_words(tag: str) -> str:
    """What an event of the portal is in words; of one that has none by now its tag."""
    return WORDS.get(tag, tag)


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown without HTML of its own. What is wider than the screen scrolls, by the keyboard too."""
    rendered: str = _MARKDOWN.render(text)
    wide = rendered.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    return mark_safe(wide)  # noqa: S308 - html is off: what the text has of it is escaped


@register.simple_tag
def sort_heading(label: str, field: str, current: str, query: str) -> SafeString:
    """The heading of a column by which a list can be sorted, the other way round where it already is."""
    state = {field: "ascending", f"-{field}": "descending"}.get(current, "none")
    wanted = QueryDict(query, mutable=True)
    wanted["sort"] = f"-{field}" if state == "ascending" else field
    mark = {"ascending": " ↑", "descending": " ↓", "none": ""}[state]
    return format_html(
        '<th scope="col" aria-sort="{}"><a href="?{}">{}{}</a></th>', state, wanted.urlencode(), label, mark
    )


@register.simple_tag
def page_url(name: str, *parts: str) -> str:
    """The address of a page by its name."""
    return reverse(f"pages:{name}", args=parts)
