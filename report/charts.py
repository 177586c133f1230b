"""Charts as inline SVG: no script, no file beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT, FLOOR = 320, 96, 14  # of the picture; FLOOR is left for the axis labels
# A history's verdicts: one cell a window.
STRIP_WIDTH, STRIP_HEIGHT = 1060, 22
STRIP_GAP_MAX = 2.0


def histogram_svg(name: str, bars: Mapping[str, Any]) -> Markup:
    """Draw baseline beside window, a pair of bars for each label; each pair shows its numbers under the mouse."""
    pairs = list(zip(bars["labels"], bars["baseline"], bars["window"], strict=True))
    tallest = max([*bars["baseline"], *bars["window"], 1e-9])
    step = WIDTH / max(len(pairs), 1)
    drawn = Markup("").join(_pair(i * step, step, tallest, *pair) for i, pair in enumerate(pairs))
    first, last = (_shortened(bars["labels"][i]) for i in (0, -1)) if pairs else ("", "")
    return Markup(
        '<svg class="histogram" viewBox="0 0 {} {}" role="img" aria-label="{}: baseline and window">{}'
        '<line x1="0" x2="{}" y1="{}" y2="{}"/><text x="0" y="{}">{}</text>'
        '<text x="{}" y="{}" text-anchor="end">{}</text></svg>'
    ).format(
        WIDTH,
        HEIGHT,
        name,
        drawn,
        WIDTH,
        HEIGHT - FLOOR,
        HEIGHT - FLOOR,
        HEIGHT - 3,
        first,
        WIDTH,
        HEIGHT - 3,
        last if len(pairs) > 1 else "",
    )


def _pair(left: float, step: float, tallest: float, label: str, baseline: float, window: float) -> Markup:
    width = step * 0.42
    title = Markup("<title>{}: baseline {}, window {}</title>").format(label, f"{baseline:.1%}", f"{window:.1%}")
    bars = _bar("b", left + step * 0.06, width, baseline / tallest) + _bar(
        "w", left + step * 0.5, width, window / tallest
    )
    return Markup("<g>{}{}</g>").format(title, bars)


def _bar(side: str, left: float, width: float, share: float) -> Markup:
    height = share * (HEIGHT - FLOOR - 4)
    # A bar that is too thin to see would hide that there are rows.
    height = max(height, 1.0) if share > 0 else 0.0
    top = HEIGHT - FLOOR - height
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        side, f"{left:.1f}", f"{top:.1f}", f"{width:.1f}", f"{height:.1f}"
    )


def _shortened(label: str) -> str:
    return str(label) if len(str(label)) <= 22 else f"{str(label)[:21]}…"


def strip_svg(name: str, cells: Sequence[tuple[str, str]]) -> Markup:
    """Draw one cell for each window, in the class of its verdict; each shows its words under the mouse."""
    step = STRIP_WIDTH / max(len(cells), 1)
    gap = min(STRIP_GAP_MAX, step / 4)
    drawn = Markup("").join(
        Markup('<rect class="{}" x="{}" y="0" width="{}" height="{}"><title>{}</title></rect>').format(
            f"v-{kind}", f"{i * step:.1f}", f"{step - gap:.1f}", STRIP_HEIGHT, words
        )
        for i, (kind, words) in enumerate(cells)
    )
    return Markup(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(STRIP_WIDTH, STRIP_HEIGHT, name, drawn)
