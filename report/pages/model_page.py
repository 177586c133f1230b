"""A model as one self-contained page: quality over time, then drift, answers, business figures, and what was done."""

from __future__ import annotations

from typing import Any

from report.charts import histogram_svg
from report.drift_page import environment
from report.pages.drift_map import FULL_EFFECT, drift_map_svg
from report.pages.marks import events_of, waiting_for_people
from report.pages.model_facts import ModelFacts, better_in_words, estimate_in_words, quality_in_words
from report.pages.time_frame import short_number
from report.pages.trend_chart import NARROW, WIDE, Trend, lanes_svg
from report.ranking import chosen_reasons

EVENTS_SHOWN = 60
_PROBLEMS = {
    "binary_classification": ("Says which of two classes", "Predicted probabilities, then and now", "probability"),
    "multiclass_classification": ("Says which of several classes", "Predicted classes, then and now", "class"),
    "regression": ("Predicts a number", "Predicted values, then and now", "value"),
}


def render_model_page(facts: ModelFacts) -> str:
    """Render what is known of a model."""
    problem, answers_title, answers_word = _PROBLEMS[facts.problem]
    events = events_of(facts.decisions)
    columns = facts.moved_columns
    return (
        environment()
        .get_template("model.html")
        .render(
            facts=facts,
            problem=problem,
            quality=quality_in_words(facts.leading, facts.quality) if facts.leading else "",
            expected=estimate_in_words(facts.expected) if facts.expected else "",
            drifted=_drifted(facts),
            waiting=waiting_for_people(facts.decisions),
            reasons=_reasons(facts),
            trends=_trends(facts, facts.judged_names),
            figures=_trends(facts, facts.figure_names),
            columns=columns,
            all_columns=len(facts.report.get("columns", [])),
            weighed=any("importance" in column for column in columns),
            answers=_answers(facts),
            answers_title=answers_title,
            answers_word=answers_word,
            events=events[:EVENTS_SHOWN],
            more_events=max(len(events) - EVENTS_SHOWN, 0),
            **_maps(facts),
            **_drawing(),
        )
    )


def _drawing() -> dict[str, Any]:
    return {
        "wide": WIDE,
        "narrow": NARROW,
        "lanes_svg": lanes_svg,
        "histogram_svg": histogram_svg,
        "full_effect": FULL_EFFECT,
        "number": lambda value: "" if value is None else short_number(value),
    }


def _trends(facts: ModelFacts, names: list[str]) -> list[tuple[Trend, str]]:
    """The charts that have something to show, with what their number means."""
    units = {row["metric"]: row.get("unit") or "" for row in facts.metrics if row["kind"] == "business"}
    found = [(facts.trend(name), units.get(name, better_in_words(name, facts.problem))) for name in names]
    return [(trend, note) for trend, note in found if trend is not None and trend.drawn()]


def _maps(facts: ModelFacts) -> dict[str, Any]:
    names = [column["name"] for column in facts.moved_columns]
    shown = {(row["package"], row["window_end"]) for row in facts.shown}
    rows = [row for row in facts.columns if (row["package"], row["window_end"]) in shown]
    if facts.span is None or not rows:
        return {"map_wide": "", "map_narrow": ""}
    return {
        f"map_{name}": drift_map_svg(names, rows, facts.span, width)
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    }


def _drifted(facts: ModelFacts) -> str:
    moved = facts.newest.get("columns_drifted")
    return "no column moved" if not moved else f"{moved} column{'s' if moved > 1 else ''} moved"


def _answers(facts: ModelFacts) -> Any:
    """The bars of the model's answer, in the newest report; None where it kept none."""
    name = next((c["name"] for c in facts.report.get("columns", []) if c["role"] == "prediction"), "")
    return facts.report.get("histograms", {}).get(name)


def _reasons(facts: ModelFacts) -> list[str]:
    """What the YAML chose first, the first reasons of both verdicts, and always what cannot be judged."""
    found, unjudged = facts.report.get("reasons", []), facts.report.get("unjudged", [])
    shown = [*chosen_reasons(facts.quality)[:3], *facts.quality.get("reasons", [])[:3], *found[:3]]
    return [*shown, *(reason for reason in unjudged if reason not in shown)]
