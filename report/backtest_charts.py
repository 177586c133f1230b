"""A history's charts as inline SVG: a strip of verdicts, and a metric over time with its interval and its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, STRIP_HEIGHT = 1060, 22
TREND_HEIGHT, LEFT, TOP, FLOOR = 190, 56, 10, 22  # of the picture; the last three are left for the axes
GAP_MAX = 2.0


def strip_svg(name: str, cells: Sequence[tuple[str, str]]) -> Markup:
    """Draw one cell for each window, in the class of its verdict; each shows its words under the mouse."""
    step = WIDTH / max(len(cells), 1)
    gap = min(GAP_MAX, step / 4)
    drawn = Markup("").join(
        Markup('<rect class="{}" x="{}" y="0" width="{}" height="{}"><title>{}</title></rect>').format(
            f"v-{kind}", f"{i * step:.1f}", f"{step - gap:.1f}", STRIP_HEIGHT, words
        )
        for i, (kind, words) in enumerate(cells)
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, STRIP_HEIGHT, name, drawn)


def trend_svg(metric: str, points: Sequence[Mapping[str, Any]]) -> Markup:
    """Draw a metric over the windows: its interval as a line, its value as a dot, its limit dashed; gaps stay gaps.

    A point has "start". If the metric was measured it has "value", "low", "high", "kind", "words" and perhaps "limit"; if
    it was estimated, "estimate" and "estimate_words".
    """
    measured = [point for point in points if "value" in point or "estimate" in point]
    if not measured:
        return Markup("")
    low, high = _range(measured)
    step = (WIDTH - LEFT) / len(points)

    def across(i: int) -> str:
        return f"{LEFT + (i + 0.5) * step:.1f}"

    def down(value: float) -> str:
        return f"{TOP + (high - value) / (high - low) * (TREND_HEIGHT - TOP - FLOOR):.1f}"

    drawn = Markup("").join(_point(across(i), down, point) for i, point in enumerate(points)) + _limits(
        points, step, down
    )
    return Markup('<svg class="trend" viewBox="0 0 {} {}" role="img" aria-label="{} by window">{}{}</svg>').format(
        WIDTH, TREND_HEIGHT, metric, _axes(points, low, high, down), drawn
    )


def _range(measured: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The range of all values, limits and intervals."""
    numbers = [
        point[name] for point in measured for name in ("low", "high", "value", "limit", "estimate") if name in point
    ]
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _point(x: str, down: Any, point: Mapping[str, Any]) -> Markup:
    drawn = Markup("")
    if "estimate" in point:
        drawn += Markup('<g><title>{}</title><circle class="estimate" cx="{}" cy="{}" r="6"/></g>').format(
            point["estimate_words"], x, down(point["estimate"])
        )
    if "value" not in point:
        return drawn
    kind = f"v-{point['kind']}"
    return drawn + Markup(
        '<g><title>{}</title><line class="{} interval" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<circle class="{}" cx="{}" cy="{}" r="4"/></g>'
    ).format(point["words"], kind, x, x, down(point["low"]), down(point["high"]), kind, x, down(point["value"]))


def _limits(points: Sequence[Mapping[str, Any]], step: float, down: Any) -> Markup:
    return Markup("").join(
        Markup('<line class="limit" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
            f"{LEFT + i * step:.1f}", f"{LEFT + (i + 1) * step:.1f}", down(point["limit"]), down(point["limit"])
        )
        for i, point in enumerate(points)
        if "limit" in point
    )


def _axes(points: Sequence[Mapping[str, Any]], low: float, high: float, down: Any) -> Markup:
    marks = [low + (high - low) * share for share in (0.1, 0.5, 0.9)]
    lines = Markup("").join(
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDTH, down(mark), down(mark), LEFT - 6, f"{float(down(mark)) + 4:.1f}", f"{mark:.3g}")
        for mark in marks
    )
    ends = Markup('<text x="{}" y="{}">{}</text><text x="{}" y="{}" text-anchor="end">{}</text>').format(
        LEFT, TREND_HEIGHT - 4, points[0]["start"][:10], WIDTH, TREND_HEIGHT - 4, points[-1]["start"][:10]
    )
    return lines + ends
