"""A history's verdicts as inline SVG: a strip of one cell a window."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, STRIP_HEIGHT = 1060, 22
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
