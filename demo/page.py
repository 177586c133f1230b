"""The demo's page: two models' quality, drift and everything that was decided, drawn as the pages of `report/` draw it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader

from demo.results import Outcome, figures, report_page
from kedge.alerts.routing import severity_of
from report.drift_page import environment
from report.pages.drift_map import FULL_EFFECT, drift_map_svg
from report.pages.marks import events_of, marks_of
from report.pages.time_frame import Span
from report.pages.trend_chart import NARROW, WIDE, Point, Trend, lanes_svg

TOP_COLUMNS = 9
AUC_BOUNDS = (0.0, 1.0)
SIZES = (("wide", WIDE), ("narrow", NARROW))


def write_page(outcome: Outcome, out: Path) -> None:
    """Render build/demo/index.html."""
    templates = environment()
    templates.loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), *filter(None, [templates.loader])])
    times = outcome.predictions["time"]
    points = months(outcome)
    span = Span.of([times.min().to_pydatetime(), times.max().to_pydatetime(), *(point.time for point in points)])
    auc = Trend("AUC by month", points, span, AUC_BOUNDS, marks_of(outcome.history["decisions"]))
    columns, names = outcome.history["columns"], moved_most(outcome.history["columns"])
    page = templates.get_template("page.html").render(
        figures=figures(outcome),
        first=f"{times.min():%B %Y}",
        last=f"{times.max():%B %Y}",
        auc={name: auc.drawn(width) + lanes_svg(auc.marks, span, width) for name, width in SIZES},
        points=points,
        drift={name: drift_map_svg(names, columns, span, width) if names else "" for name, width in SIZES},
        full_effect=FULL_EFFECT,
        reports=reports(outcome),
        events=events_of(outcome.history["decisions"])[::-1],
    )
    (out / "index.html").write_text(page, encoding="utf-8")


def months(outcome: Outcome) -> list[Point]:
    """A point for each month: what Kedge's model reached, and beside it, as the chart draws an estimate, what the first one would have."""
    return [
        Point(
            middle(row["month"]),
            f"{row['month']}: managed by Kedge {row['managed']:.3f}, never retrained {row['static']:.3f} ({row['rows']:,} bookings)",
            value=row["managed"],
            estimate=row["static"],
        )
        for row in outcome.months.to_dict(orient="records")
    ]


def middle(month: str) -> datetime:
    """The middle of a month."""
    return datetime.fromisoformat(f"{month}-15T00:00:00+00:00")


def moved_most(columns: list[dict[str, Any]]) -> list[str]:
    """The columns with the largest effects, summed over all windows."""
    totals: dict[str, float] = defaultdict(float)
    for row in columns:
        totals[row["name"]] += row["effect"] or 0.0
    return sorted(totals, key=lambda name: -totals[name])[:TOP_COLUMNS]


def reports(outcome: Outcome) -> list[dict[str, str]]:
    """The report of each window, in time."""
    return [
        {
            "href": report_page(entry),
            "window": entry["detail"]["window"]["end"][:10],
            "severity": severity_of(entry["kind"], entry["detail"]).value,
        }
        for entry in outcome.kinds("window_judged")
    ]
