"""The demo's page: quality, drift and everything that was decided, on one time axis."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo.results import Outcome, figures, report_page
from report.alert_words import deciding_reasons

WIDTH, LEFT, RIGHT = 1060, 190, 16
AUC_TOP, AUC_HEIGHT = 16, 240
AUC_MIN, AUC_MAX = 0.5, 0.95
LINES = (("managed", "managed by Kedge", "var(--sea)"), ("static", "never retrained", "var(--critical)"))
LANE_HEIGHT, CELL_HEIGHT = 26, 17
TOP_COLUMNS = 9
LANES = (
    ("alerts", ("alert_sent",), "var(--warning)"),
    ("retraining", ("retraining_started", "retraining_held", "data_rejected", "failed"), "var(--sea)"),
    ("gate", ("gate_passed", "gate_failed"), "var(--ok)"),
    ("approval", ("approved", "rejected"), "var(--ink)"),
    ("canary", ("canary_started", "canary_promoted", "canary_rolled_back", "release_unproven"), "var(--sea)"),
    ("baseline", ("baseline_switched",), "var(--ok)"),
)
BAD = {
    "gate_failed",
    "canary_rolled_back",
    "release_unproven",
    "data_rejected",
    "failed",
    "rejected",
    "retraining_held",
}


class Axis:
    """Time to pixels."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self.first, self.last = first, last

    def x(self, time: datetime) -> float:
        """Pixel of an instant."""
        share = (time - self.first) / (self.last - self.first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def write_page(outcome: Outcome, out: Path) -> None:
    """Render build/demo/index.html."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, Path("report/templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    times = outcome.predictions["time"]
    axis = Axis(times.min().to_pydatetime(), times.max().to_pydatetime())
    page = environment.get_template("page.html").render(
        width=WIDTH,
        left=LEFT,
        figures=figures(outcome),
        auc=auc_chart(outcome, axis),
        lanes=lanes(outcome, axis),
        heat=heat_map(outcome, axis),
        events=events(outcome),
        months=month_ticks(outcome, axis),
    )
    (out / "index.html").write_text(page, encoding="utf-8")


def parse(text: str) -> datetime:
    """An instant of the timeline."""
    return datetime.fromisoformat(text)


def auc_chart(outcome: Outcome, axis: Axis) -> dict[str, Any]:
    """Two lines with a point a month, and the promotions."""
    promotions = [
        {"x": axis.x(parse(e["time"])), "label": f"v{e['detail'].get('package_version', '')}"}
        for e in outcome.kinds("canary_promoted")
    ]
    return {
        "height": AUC_TOP + AUC_HEIGHT + 24,
        "bottom": AUC_TOP + AUC_HEIGHT,
        "top": AUC_TOP,
        "series": [auc_line(outcome, axis, *line) for line in LINES],
        "ticks": [{"y": auc_y(value / 100), "label": f"{value / 100:.2f}"} for value in range(50, 96, 5)],
        "promotions": promotions,
    }


def auc_line(outcome: Outcome, axis: Axis, name: str, label: str, colour: str) -> dict[str, Any]:
    """A point for each month of one model."""
    points = [
        {
            "x": axis.x(middle(row["month"])),
            "y": auc_y(row[name]),
            "title": f"{row['month']}: {label} {row[name]:.3f} ({row['rows']:,} bookings)",
        }
        for row in outcome.months.to_dict(orient="records")
    ]
    return {"label": label, "colour": colour, "points": points}


def auc_y(auc: float) -> float:
    """Pixel of an AUC."""
    return round(AUC_TOP + (AUC_MAX - auc) / (AUC_MAX - AUC_MIN) * AUC_HEIGHT, 1)


def middle(month: str) -> datetime:
    """The middle of a month."""
    return datetime.fromisoformat(f"{month}-15T00:00:00+00:00")


def month_ticks(outcome: Outcome, axis: Axis) -> list[dict[str, Any]]:
    """A label for every second month."""
    months = outcome.months["month"].tolist()
    return [
        {"x": axis.x(middle(month)), "label": datetime.fromisoformat(f"{month}-01").strftime("%b %y")}
        for month in months[::2]
    ]


def lanes(outcome: Outcome, axis: Axis) -> dict[str, Any]:
    """A row of marks for each kind of event."""
    rows = []
    for index, (name, kinds, colour) in enumerate(LANES):
        marks = [
            {
                "x": axis.x(parse(e["time"])),
                "colour": "var(--critical)" if e["kind"] in BAD else colour,
                "title": f"{e['time'][:16]} {e['kind']}: {summary(e)}",
                "hollow": e["kind"] == "canary_started" or over(e),
            }
            for e in outcome.kinds(*kinds)
            if axis.first <= parse(e["time"]) <= axis.last
        ]
        bars = episodes(outcome, axis) if name == "alerts" else []
        rows.append({"name": name, "y": index * LANE_HEIGHT + 14, "marks": marks, "bars": bars})
    return {"height": len(LANES) * LANE_HEIGHT + 6, "rows": rows}


def over(entry: dict[str, Any]) -> bool:
    """Whether an alert says that its episode has ended."""
    return bool(entry["detail"].get("alarm_episode", {}).get("news") == "ends")


def episodes(outcome: Outcome, axis: Axis) -> list[dict[str, Any]]:
    """From when to when people knew of alarms: a bar an episode, to the page's end where one lasts."""
    found: dict[str, dict[str, Any]] = {}
    for entry in outcome.kinds("alert_sent"):
        if "alarm_episode" in entry["detail"]:
            since = entry["detail"]["alarm_episode"]["since"]
            ends = parse(entry["time"]) if over(entry) else axis.last
            begins, until = (min(max(time, axis.first), axis.last) for time in (parse(since), ends))
            words = f"alarms from {since[:10]} to {entry['time'][:10]}" if over(entry) else f"alarms since {since[:10]}"
            found[since] = {"x": axis.x(begins), "width": round(axis.x(until) - axis.x(begins), 1), "title": words}
    return list(found.values())


def heat_map(outcome: Outcome, axis: Axis) -> dict[str, Any]:
    """The columns that moved most, week by week; each cell links to its window's report."""
    windows = outcome.kinds("window_judged")
    names = moved_most(windows)
    cell = round((WIDTH - LEFT - RIGHT) / max(len(windows), 1), 2)
    rows = [
        {"name": name, "y": index * (CELL_HEIGHT + 2), "cells": heat_cells(windows, name, axis, cell)}
        for index, name in enumerate(names)
    ]
    return {
        "height": len(names) * (CELL_HEIGHT + 2) + 24,
        "cell": cell,
        "cell_height": CELL_HEIGHT,
        "rows": rows,
        "bottom": len(names) * (CELL_HEIGHT + 2),
    }


def moved_most(windows: list[dict[str, Any]]) -> list[str]:
    """The columns with the largest effects, summed over all windows."""
    totals: dict[str, float] = {}
    for entry in windows:
        for column in entry["detail"]["columns"]:
            totals[column["name"]] = totals.get(column["name"], 0.0) + (column["effect"] or 0.0)
    return sorted(totals, key=lambda name: -totals[name])[:TOP_COLUMNS]


def heat_cells(windows: list[dict[str, Any]], name: str, axis: Axis, width: float) -> list[dict[str, Any]]:
    """A cell for each window that has measured the column."""
    cells = []
    for entry in windows:
        column = next((c for c in entry["detail"]["columns"] if c["name"] == name), None)
        if column is not None and column["effect"] is not None:
            end = parse(entry["detail"]["window"]["end"])
            cells.append(
                {
                    "x": max(axis.x(end) - width, LEFT),
                    "opacity": round(min(column["effect"] / 0.5, 1.0), 2),
                    "href": report_page(entry),
                    "title": f"{name}, window to {end:%Y-%m-%d}: effect {column['effect']:.2f}, PSI {column['psi']:.2f}",
                }
            )
    return cells


def summary(entry: dict[str, Any]) -> str:
    """One line of an event's detail."""
    detail = entry["detail"]
    for name in ("subject", "reasons", "error"):
        if detail.get(name):
            return str(deciding_reasons(detail)[0] if name == "reasons" else detail[name])
    return f"package version {detail['package_version']}" if "package_version" in detail else ""


def events(outcome: Outcome) -> list[dict[str, Any]]:
    """Every event but the quiet weekly ones, with a link where a report belongs to it."""
    quiet = {"performance_measured", "training_completed"}
    pages = {e["detail"]["report_key"]: report_page(e) for e in outcome.kinds("window_judged")}
    return [
        {
            "time": e["time"][:16].replace("T", " "),
            "kind": e["kind"],
            "bad": e["kind"] in BAD,
            "summary": summary(e),
            "href": pages.get(e["detail"].get("report_key", ""), ""),
        }
        for e in outcome.timeline
        if e["kind"] not in quiet and e["kind"] != "window_judged"
    ]
