"""The frame of a chart over time: instants across, values down, and the lines that say where both are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

LEFT, RIGHT, TOP, FLOOR = 54, 14, 12, 24
# A label of the time axis needs this much room.
LABEL_WIDTH = 92
_YEAR = timedelta(days=366)


@dataclass(frozen=True)
class Span:
    """From the first instant to the last; it is never empty."""

    first: datetime
    last: datetime

    @classmethod
    def of(cls, times: Iterable[datetime]) -> Span:
        """The span of some instants, at least one; a single one stands in the middle of two days."""
        found = sorted(times)
        day = timedelta(days=1) if found[0] == found[-1] else timedelta(0)
        return cls(found[0] - day, found[-1] + day)

    def holds(self, time: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.first <= time <= self.last


@dataclass(frozen=True)
class Frame:
    """A picture of this many pixels over a span; `left` is kept for words."""

    width: int
    height: int
    span: Span
    left: int = LEFT

    def x(self, time: datetime) -> float:
        """Pixel of an instant."""
        share = (time - self.span.first) / (self.span.last - self.span.first)
        return round(self.left + share * (self.width - self.left - RIGHT), 1)

    @property
    def bottom(self) -> int:
        """Pixel of the time axis."""
        return self.height - FLOOR

    def dates(self) -> Markup:
        """The labels of the time axis."""
        many = max(2, min(9, (self.width - self.left - RIGHT) // LABEL_WIDTH))
        span = self.span.last - self.span.first
        day = "%b %Y" if span > _YEAR else "%d %b %Y" if self.span.first.year != self.span.last.year else "%d %b"
        text = f"{day} %H:%M" if span < timedelta(days=many) else day
        if text != "%d %b":
            many = max(2, many * 3 // 4)
        drawn = Markup("")
        for place in range(many):
            time = self.span.first + span * place / (many - 1)
            anchor = "start" if place == 0 else "end" if place == many - 1 else "middle"
            drawn += Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
                self.x(time), self.height - 6, anchor, time.strftime(text)
            )
        return drawn


@dataclass(frozen=True)
class Scale:
    """The values of a chart, from the lowest to the highest that are drawn."""

    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float], bounds: tuple[float | None, float | None]) -> Scale:
        """A scale with some room around the numbers, but never beyond what the metric can be."""
        low, high = min(numbers), max(numbers)
        room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
        lowest, highest = bounds
        low = low - room if lowest is None else max(low - room, lowest)
        high = high + room if highest is None else min(high + room, highest)
        return cls(low, high) if high > low else cls(low - 1.0, high + 1.0)

    def y(self, value: float, frame: Frame) -> float:
        """Pixel of a value; what is outside stands on the edge."""
        share = min(max((self.high - value) / (self.high - self.low), 0.0), 1.0)
        return round(TOP + share * (frame.bottom - TOP), 1)

    def ticks(self) -> list[float]:
        """Three to six round numbers.

        >>> Scale(0.72, 0.86).ticks()
        [0.75, 0.8, 0.85]
        """
        raw = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(raw))
        step = power * min((1, 2, 5, 10), key=lambda factor: abs(factor - raw / power))
        first = math.ceil(self.low / step - 1e-9)
        return [round(step * n, 12) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def lines(self, frame: Frame) -> Markup:
        """A thin line with its number for each tick."""
        return Markup("").join(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(frame.left, frame.width - RIGHT, y, y, frame.left - 6, y + 4, short_number(tick))
            for tick in self.ticks()
            for y in [self.y(tick, frame)]
        )


def short_number(value: float) -> str:
    """A number for an axis or a table.

    >>> short_number(0.8213), short_number(1234567.0), short_number(-3.0), short_number(0.00012)
    ('0.821', '1,234,567', '-3', '0.00012')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
