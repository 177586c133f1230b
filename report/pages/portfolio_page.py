"""All models as one self-contained page: who needs a person first, and what waits for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kedge.instants import from_text
from kedge.severity import Severity
from report.drift_page import environment
from report.pages.time_frame import short_number

# The monitor's own alarm rings at two cadences too.
LATE_CADENCES = 2
Summary = Mapping[str, Any]


def render_portfolio_page(summaries: Sequence[Summary], *, now: datetime) -> str:
    """Render the models' lines, as `ModelFacts.summary` writes them."""
    ordered = by_urgency(summaries)
    needs = [summary for summary in ordered if needs_a_person(summary, now)]
    waiting = [(summary["model"], line) for summary in ordered for line in summary["waiting"]]
    return (
        environment()
        .get_template("portfolio.html")
        .render(
            now=now,
            needs=[_line(summary, now) for summary in needs],
            others=[_line(summary, now) for summary in ordered if summary not in needs],
            waiting=waiting,
            totals={severity: sum(s["severity"] == severity for s in summaries) for severity in _SHOWN},
            models=len(summaries),
            late=sum(is_late(summary, now) for summary in summaries),
        )
    )


def lines_by_urgency(summaries: Sequence[Summary], *, now: datetime) -> list[dict[str, Any]]:
    """Every model's line as a table shows it, the most urgent first."""
    return [_line(summary, now) for summary in by_urgency(summaries)]


_SHOWN = ("CRITICAL", "WARNING", "OK", "INSUFFICIENT_DATA")


def by_urgency(summaries: Sequence[Summary]) -> list[Summary]:
    """The models, the most urgent first: lost quality times traffic, then severity, then what waits, then the name.

    A model whose quality holds has lost nothing; so one whose columns moved stands behind each that answers worse.

    >>> calm = {"urgency": 0.0, "severity": "OK", "waiting": []}
    >>> [s["model"] for s in by_urgency([calm | {"model": "a"}, calm | {"model": "b", "urgency": 3.0}])]
    ['b', 'a']
    """
    return sorted(summaries, key=lambda s: (-s["urgency"], -Severity(s["severity"]).rank, not s["waiting"], s["model"]))


def needs_a_person(summary: Summary, now: datetime) -> bool:
    """Whether somebody should look: quality or drift, a judgement that is late, or something that waits."""
    bad = Severity(summary["severity"]) >= Severity.WARNING
    return bad or bool(summary["waiting"]) or is_late(summary, now)


def is_late(summary: Summary, now: datetime) -> bool:
    """Whether the newest window ended more than two cadences ago."""
    from_then = late_from(summary)
    return from_then is not None and now > from_then


def late_from(summary: Summary) -> datetime | None:
    """When the newest window is two cadences old; None where none was judged. It is true at any hour after the page was written."""
    if summary["judged_until"] is None:
        return None
    return from_text(summary["judged_until"]) + LATE_CADENCES * timedelta(hours=summary["cadence_hours"])


def _line(summary: Summary, now: datetime) -> dict[str, Any]:
    lost, rows, from_then = summary["lost_fraction"], summary["rows_a_day"], late_from(summary)
    return {
        **summary,
        "href": f"{summary['model']}/index.html",
        "late": is_late(summary, now),
        "late_from": f"{from_then:%Y-%m-%d %H:%M}" if from_then else "",
        "judged": summary["judged_until"][:16].replace("T", " ") if summary["judged_until"] else "never",
        "why": f"{lost:.1%} lost on {short_number(rows)} rows a day" if lost else f"{short_number(rows)} rows a day",
    }
