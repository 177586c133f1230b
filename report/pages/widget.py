"""The charts of the pages as a widget of a CloudWatch dashboard: HTML without script, in the dashboard's own theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from report.charts import histogram_svg
from report.drift_page import environment
from report.pages.drift_map import drift_map_svg
from report.pages.marks import waiting_for_people
from report.pages.model_facts import ModelFacts, better_in_words, estimate_in_words, quality_in_words
from report.pages.portfolio_page import lines_by_urgency
from report.pages.trend_chart import NARROW, WIDE, lanes_svg

VIEWS = ("quality", "drift", "answers", "business", "portfolio")
# A widget has no room for more, and a dashboard is read at a glance.
MODELS_SHOWN = 50
# A widget narrower than this gets the narrow picture.
NARROW_BELOW = 520
DESCRIPTION = {
    "markdown": "\n".join(
        (
            "### A model's history, drawn by Kedge",
            "Parameters, as YAML:",
            "```yaml",
            "view: quality  # or drift, answers, business, portfolio",
            "model: hotel-cancellations  # not for portfolio",
            "```",
        )
    )
}


def model_widget(facts: ModelFacts, view: str, *, theme: str, width: int) -> str:
    """Draw one view of a model."""
    size = NARROW if 0 < width < NARROW_BELOW else WIDE
    if facts.span is None:
        return nothing_to_draw(f"no window of {facts.model} was judged in this time", theme)
    charts: list[tuple[str, Any]] = []
    if view in ("quality", "business"):
        for name in facts.judged_names if view == "quality" else facts.figure_names:
            trend = facts.trend(name)
            if trend is not None and (drawn := trend.drawn(size)):
                title = f"{trend.name} {better_in_words(name, facts.problem)}"
                charts.append((title, drawn + lanes_svg(facts.marks, facts.span, size)))
    elif view == "drift":
        names = [column["name"] for column in facts.moved_columns]
        charts.append(("", drift_map_svg(names, facts.columns, facts.span, size)))
    else:
        name = next((c["name"] for c in facts.report.get("columns", []) if c["role"] == "prediction"), "")
        bars = facts.report.get("histograms", {}).get(name)
        charts += [("grey: when trained; blue: the newest window", histogram_svg(name, bars))] if bars else []
    if not charts:
        return nothing_to_draw(f"{facts.model} has nothing to show here yet", theme)
    said = quality_in_words(facts.leading, facts.quality) if facts.leading else ""
    said = said or (estimate_in_words(facts.expected) if facts.expected else "")
    waiting = waiting_for_people(facts.decisions) if view == "quality" else []
    return _rendered(theme, facts=facts, view=view, said=said, charts=charts, waiting=waiting)


def portfolio_widget(summaries: Sequence[Mapping[str, Any]], *, now: datetime, theme: str) -> str:
    """Draw the most urgent models as a table."""
    lines = lines_by_urgency(summaries, now=now)
    return _rendered(theme, view="portfolio", lines=lines[:MODELS_SHOWN], more=max(len(lines) - MODELS_SHOWN, 0))


def nothing_to_draw(why: str, theme: str) -> str:
    """Say why there is no picture."""
    return _rendered(theme, view="nothing", why=why)


def _rendered(theme: str, **known: Any) -> str:
    return environment().get_template("widget.html").render(theme=theme, **known)
