"""Drift of the columns over time: a row a column, a cell a window, the darker the larger the effect."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from report.pages.marks import instant
from report.pages.time_frame import FLOOR, RIGHT, Frame, Span
from report.pages.trend_chart import WIDE

ROW_HEIGHT, GAP = 20, 2
# An effect of this size and more is drawn full.
FULL_EFFECT = 0.5
_MOVED = ("WARNING", "CRITICAL")


def drift_map_svg(names: Sequence[str], rows: Sequence[Mapping[str, Any]], span: Span, width: int = WIDE) -> Markup:
    """Draw the effect of these columns over the windows; a verdict has a bar at the cell's foot, thin or thick.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the history's table `columns`.
    """
    left = 190 if width >= WIDE else 112
    frame = Frame(width, len(names) * (ROW_HEIGHT + GAP) + FLOOR, span, left)
    by_name: dict[str, list[Mapping[str, Any]]] = {name: [] for name in names}
    for row in rows:
        if row["name"] in by_name and row.get("effect") is not None:
            by_name[row["name"]].append(row)
    cells = _cells(sorted({instant(row["window_end"]) for row in rows}), frame)
    drawn = frame.dates()
    for place, (name, found) in enumerate(by_name.items()):
        y = place * (ROW_HEIGHT + GAP)
        drawn += Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(left - 8, y + 14, _cut(name, left))
        drawn += Markup("").join(_cell(row, *cells[instant(row["window_end"])], y) for row in found)
    return Markup('<svg class="trend" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width,
        frame.height,
        f"drift of {len(names)} columns over {len(cells)} windows: the table below has the newest numbers",
        drawn,
    )


def _cells(ends: Sequence[datetime], frame: Frame) -> dict[datetime, tuple[float, float]]:
    """Where each window's cell begins and how wide it is: half of the way to its neighbours."""
    places = [frame.x(end) for end in ends]
    between = [(before + after) / 2 for before, after in itertools.pairwise(places)]
    right = float(frame.width - RIGHT)
    edges = [frame.left, *between, min(2 * places[-1] - between[-1], right) if between else right]
    return {end: (edges[n], max(edges[n + 1] - edges[n], 1.0)) for n, end in enumerate(ends)}


def _cell(row: Mapping[str, Any], x: float, cell: float, y: float) -> Markup:
    words = (
        f"{row['name']}, window to {instant(row['window_end']):%Y-%m-%d}: effect {row['effect']:.2f}, {row['severity']}"
    )
    opacity = min(max(row["effect"] / FULL_EFFECT, 0.0), 1.0)
    moved = row["severity"] in _MOVED
    foot = 5 if row["severity"] == "CRITICAL" else 3
    bar = Markup('<rect class="v-{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        row["severity"], f"{x:.1f}", y + ROW_HEIGHT - foot, f"{cell:.1f}", foot
    )
    return Markup(
        '<g><title>{}</title><rect class="effect" x="{}" y="{}" width="{}" height="{}" fill-opacity="{}"/>{}</g>'
    ).format(words, f"{x:.1f}", y, f"{cell:.1f}", ROW_HEIGHT, f"{opacity:.2f}", bar if moved else "")


def _cut(name: str, left: int) -> str:
    most = left // 7
    return name if len(name) <= most else f"{name[: most - 1]}…"
