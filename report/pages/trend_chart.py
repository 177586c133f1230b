"""A metric over time: what was measured with its interval, what was estimated, the limit, the reference, and what was done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from markupsafe import Markup

from report.pages.time_frame import LEFT, RIGHT, TOP, Frame, Scale, Span

WIDE, NARROW = 1000, 350
HEIGHT = 230
Number = float | None
# The lanes under a trend, and the glyph of each.
LANES = ("release", "retraining", "refusal", "alert")
Lane = Literal["release", "retraining", "refusal", "alert"]
LANE_HEIGHT, LABEL_GAP = 22, 24


@dataclass(frozen=True)
class Point:
    """A window of a trend: measured, estimated, both or neither. `words` say it all."""

    time: datetime
    words: str
    severity: str = "INSUFFICIENT_DATA"
    value: Number = None
    low: Number = None
    high: Number = None
    limit: Number = None
    reference: Number = None
    estimate: Number = None
    estimate_low: Number = None
    estimate_high: Number = None
    package: str = ""

    @property
    def numbers(self) -> list[float]:
        """Every number that is drawn."""
        measured = (self.value, self.low, self.high, self.limit, self.reference)
        found = (*measured, self.estimate, self.estimate_low, self.estimate_high)
        return [number for number in found if number is not None]

    def within(self, bounds: tuple[Number, Number]) -> Point:
        """The point with its intervals inside of what the metric can be."""
        lowest, highest = bounds
        kept = {}
        for name in ("low", "high", "estimate_low", "estimate_high"):
            number = getattr(self, name)
            if number is not None:
                number = number if lowest is None else max(number, lowest)
                kept[name] = number if highest is None else min(number, highest)
        return Point(**{**self.__dict__, **kept})


@dataclass(frozen=True)
class Mark:
    """Something that was done, or told, on the time axis."""

    time: datetime
    lane: Lane
    words: str
    label: str = ""


@dataclass(frozen=True)
class Trend:
    """What a chart shows; its span is shared by the charts of a page."""

    name: str
    points: Sequence[Point]
    span: Span
    bounds: tuple[Number, Number] = (None, None)
    marks: Sequence[Mark] = field(default=())

    def drawn(self, width: int = WIDE) -> Markup:
        """The picture; empty where no window has a number."""
        points = [point.within(self.bounds) for point in self.points]
        numbers = [number for point in points for number in point.numbers]
        if not any(point.value is not None or point.estimate is not None for point in points):
            return Markup("")
        frame, scale = Frame(width, HEIGHT, self.span, LEFT), Scale.of(numbers, self.bounds)
        parts = (
            scale.lines(frame),
            frame.dates(),
            self._releases(frame),
            _bands(points, frame, scale),
            _steps(points, frame, scale, "reference"),
            _steps(points, frame, scale, "limit"),
            _line(points, frame, scale, "estimate"),
            _line(points, frame, scale, "value"),
            _dots(points, frame, scale),
        )
        return Markup('<svg class="trend" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            width, HEIGHT, self.described(), Markup("").join(parts)
        )

    def described(self) -> str:
        """What a person who cannot see the picture is told of it; the table below it has the numbers."""
        measured = [point for point in self.points if point.value is not None]
        newest = f"; the newest: {measured[-1].words}" if measured else "; nothing has been measured yet"
        return f"{self.name} over {len(self.points)} windows, {len(measured)} of them measured{newest}"

    def _releases(self, frame: Frame) -> Markup:
        drawn, labelled = Markup(""), -math.inf
        for mark in sorted(self.marks, key=lambda mark: mark.time):
            if mark.lane != "release" or not self.span.holds(mark.time):
                continue
            x = frame.x(mark.time)
            # Two labels at one place could not be read.
            label = mark.label if x - labelled >= LABEL_GAP else ""
            labelled = x if label else labelled
            drawn += Markup(
                '<g><title>{}</title><line class="release" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="release" x="{}" y="{}">{}</text></g>'
            ).format(mark.words, x, x, TOP, frame.bottom, x + 4, TOP + 9, label)
        return drawn


def lanes_svg(marks: Sequence[Mark], span: Span, width: int = WIDE) -> Markup:
    """What was done and told, a lane a kind, on the same axis as the trend above it."""
    shown = [mark for mark in marks if span.holds(mark.time)]
    lanes = [lane for lane in LANES if any(mark.lane == lane for mark in shown)]
    if not lanes:
        return Markup("")
    height = LANE_HEIGHT * len(lanes) + 4
    frame = Frame(width, height, span, LEFT)
    drawn = Markup("")
    for place, lane in enumerate(lanes):
        y = LANE_HEIGHT * place + LANE_HEIGHT / 2 + 2
        drawn += Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, width - RIGHT, y, y)
        drawn += Markup('<text x="0" y="{}">{}</text>').format(y + 4, _LANE_WORDS[lane])
        drawn += Markup("").join(
            Markup("<g><title>{}</title>{}</g>").format(mark.words, _glyph(lane, frame.x(mark.time), y, 5.5))
            for mark in shown
            if mark.lane == lane
        )
    words = ", ".join(f"{sum(mark.lane == lane for mark in shown)} x {_LANE_WORDS[lane]}" for lane in lanes)
    return Markup('<svg class="trend lanes" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, f"marked on the time axis: {words}", drawn
    )


_LANE_WORDS = {"release": "release", "retraining": "retrain", "refusal": "refused", "alert": "alert"}
# One shape a severity, so that nobody needs the colours.
_DOTS = {"WARNING": "alert", "CRITICAL": "refusal"}


def _glyph(shape: str, x: float, y: float, size: float) -> Markup:
    """A circle, a square on its corner, a cross or a triangle."""
    if shape == "release":
        points = f"{x},{y - size} {x + size},{y} {x},{y + size} {x - size},{y}"
    elif shape == "alert":
        points = f"{x},{y - size} {x + size},{y + size * 0.8:.1f} {x - size},{y + size * 0.8:.1f}"
    elif shape == "refusal":
        points = (
            f"{x - size * 0.8:.1f},{y - size * 0.8:.1f} {x + size * 0.8:.1f},{y - size * 0.8:.1f} "
            f"{x + size * 0.8:.1f},{y + size * 0.8:.1f} {x - size * 0.8:.1f},{y + size * 0.8:.1f}"
        )
    else:
        return Markup('<circle class="m-{}" cx="{}" cy="{}" r="{}"/>').format(shape, x, y, size * 0.85)
    return Markup('<polygon class="m-{}" points="{}"/>').format(shape, points)


def _runs(points: Sequence[Point], name: str) -> Iterator[list[Point]]:
    """Stretches without a gap, each of one package: two packages are not one line."""
    run: list[Point] = []
    for point in points:
        if getattr(point, name) is None or (run and run[-1].package != point.package):
            if run:
                yield run
            run = []
        if getattr(point, name) is not None:
            run.append(point)
    if run:
        yield run


def _bands(points: Sequence[Point], frame: Frame, scale: Scale) -> Markup:
    drawn = Markup("")
    for kind, low, high in (("estimated", "estimate_low", "estimate_high"), ("interval", "low", "high")):
        for run in _runs(points, low):
            ends = run if len(run) > 1 else [run[0], run[0]]
            # A single window still has a width.
            shift = 0 if len(run) > 1 else 3
            upper = [
                f"{frame.x(p.time) - shift + 2 * shift * n},{scale.y(getattr(p, high), frame)}"
                for n, p in enumerate(ends)
            ]
            lower = [
                f"{frame.x(p.time) - shift + 2 * shift * n},{scale.y(getattr(p, low), frame)}"
                for n, p in enumerate(ends)
            ]
            outline = (
                " ".join([*upper, *reversed(lower)])
                if not shift
                else " ".join([upper[0], upper[1], lower[1], lower[0]])
            )
            drawn += Markup('<polygon class="{}" points="{}"/>').format(kind, outline)
    return drawn


def _line(points: Sequence[Point], frame: Frame, scale: Scale, name: str) -> Markup:
    return Markup("").join(
        Markup('<polyline class="{}" points="{}"/>').format(
            f"{name}-line", " ".join(f"{frame.x(p.time)},{scale.y(getattr(p, name), frame)}" for p in run)
        )
        for run in _runs(points, name)
        if len(run) > 1
    )


def _steps(points: Sequence[Point], frame: Frame, scale: Scale, name: str) -> Markup:
    """A level line: from window to window, and half a window to both sides."""
    drawn = Markup("")
    half = (frame.width - frame.left - RIGHT) / max(len(points) - 1, 1) / 2
    for run in _runs(points, name):
        for level in _levels(run, name):
            y = scale.y(getattr(level[0], name), frame)
            x1, x2 = (
                max(frame.x(level[0].time) - half, frame.left),
                min(frame.x(level[-1].time) + half, frame.width - RIGHT),
            )
            drawn += Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                name, f"{x1:.1f}", f"{x2:.1f}", y, y
            )
    return drawn


def _levels(run: Sequence[Point], name: str) -> Iterator[list[Point]]:
    level: list[Point] = []
    for point in run:
        if level and getattr(point, name) != getattr(level[0], name):
            yield level
            level = []
        level.append(point)
    if level:
        yield level


def _dots(points: Sequence[Point], frame: Frame, scale: Scale) -> Markup:
    drawn = Markup("")
    size = 4.5 if len(points) <= frame.width / 12 else 3.0
    for point in points:
        x = frame.x(point.time)
        # Where the truth is known, the dashed line is enough.
        if point.estimate is not None and point.value is None:
            drawn += Markup('<g><title>{}</title><circle class="estimate" cx="{}" cy="{}" r="{}"/></g>').format(
                point.words, x, scale.y(point.estimate, frame), size + 1
            )
        if point.value is not None:
            dot = _glyph(_DOTS.get(point.severity, "dot"), x, scale.y(point.value, frame), size)
            drawn += Markup('<g class="v-{}"><title>{}</title>{}</g>').format(point.severity, point.words, dot)
    return drawn
