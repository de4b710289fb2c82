"""A bar chart of what was done and refused over time, drawn on the server as plain SVG, with the same as a table."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portal.audit.selectors import Hour

WIDTH, HEIGHT, GAP = 720, 160, 2
"""In the drawing's own units; it is as wide as its place."""


@dataclass(frozen=True)
class Span:
    """What a chart goes over: so many bars, each of so many hours."""

    name: str
    bars: int
    hours: int

    def since(self, now: datetime) -> datetime:
        """The beginning of the first bar; the last one is that of now."""
        step = timedelta(hours=self.hours)
        passed = (now - datetime(1970, 1, 1, tzinfo=UTC)) // step
        return datetime(1970, 1, 1, tzinfo=UTC) + (passed - self.bars + 1) * step


SPANS = {one.name: one for one in (Span("day", 24, 1), Span("week", 28, 6), Span("month", 30, 24))}


@dataclass(frozen=True)
class Bar:
    """Counts from `since` on, and where the two parts of the bar are drawn."""

    since: datetime
    done: int
    refused: int
    x: float
    width: float
    done_y: float
    done_height: float
    refused_y: float
    refused_height: float


@dataclass(frozen=True)
class Chart:
    """`most` is the highest bar's count, to which the drawing is scaled."""

    span: Span
    bars: list[Bar]
    most: int
    done: int
    refused: int


def chart(counted: list[Hour], span: Span, now: datetime) -> Chart:
    """`counted`: from `span.since(now)` on."""
    since, step = span.since(now), timedelta(hours=span.hours)
    done, refused = [0] * span.bars, [0] * span.bars
    for one in counted:
        place = (one.hour - since) // step
        if 0 <= place < span.bars:
            (done if one.ok else refused)[place] += one.count
    most = max(1, *(good + bad for good, bad in zip(done, refused, strict=True)))
    width = WIDTH / span.bars
    bars = []
    for place, (good, bad) in enumerate(zip(done, refused, strict=True)):
        high, above = good / most * HEIGHT, bad / most * HEIGHT
        bars.append(
            Bar(
                since + place * step,
                good,
                bad,
                round(place * width + GAP / 2, 2),
                round(width - GAP, 2),
                round(HEIGHT - high, 2),
                round(high, 2),
                round(HEIGHT - high - above, 2),
                round(above, 2),
            )
        )
    return Chart(span, bars, most, sum(done), sum(refused))
