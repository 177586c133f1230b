"""A model's history as a page shows it: trends, the columns that moved, what the newest window says, and one line for the portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from kedge.config.metrics import find, metrics_of, range_of
from kedge.severity import Severity, worst
from report.pages.marks import Row, instant, marks_of, waiting_for_people
from report.pages.time_frame import Span, short_number
from report.pages.trend_chart import Mark, Point, Trend
from report.ranking import relevance, verdict_of

# More windows than this are thinned: of each stretch the worst one stays.
WINDOWS_SHOWN = 200
# From this effect on people see that a column moved, and ask.
MOVED_EFFECT = 0.1
TRENDS_SHOWN, FIGURES_SHOWN, COLUMNS_SHOWN = 3, 4, 10
_NAMES = {name: name.upper() for name in ("auc", "mae", "rmse", "mape", "f1")} | {
    "r2": "R²",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
}


@dataclass(frozen=True)
class ModelFacts:
    """All that is known of a model: rows of the history (oldest first) and the newest report.

    Attributes
    ----------
    windows, metrics, columns, decisions : sequence of mapping
        Rows of the history's tables of these names.
    report : mapping
        The newest window's report, with its histograms.
    report_href : str
        Where its page lies, seen from this one; empty without one.
    cadence : timedelta
        How often windows are judged.
    """

    model: str
    problem: str
    now: datetime
    windows: Sequence[Row] = ()
    metrics: Sequence[Row] = ()
    columns: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    report: Mapping[str, Any] = field(default_factory=dict)
    report_href: str = ""
    cadence: timedelta = timedelta(days=1)
    team: str | None = None
    runbook: str | None = None
    endpoint: str = ""

    @cached_property
    def shown(self) -> list[Row]:
        """The windows that the charts show: all, or of each stretch the worst where they are too many."""
        ordered = sorted(self.windows, key=lambda row: row["window_end"])
        size = -(-len(ordered) // WINDOWS_SHOWN)
        stretches = [ordered[start : start + size] for start in range(0, len(ordered), max(size, 1))]
        return [max(stretch, key=lambda row: (_quality_rank(row), row["window_end"])) for stretch in stretches]

    @cached_property
    def newest(self) -> Row:
        """The window that ended last; empty without one."""
        return max(self.windows, key=lambda row: row["window_end"], default={})

    @cached_property
    def span(self) -> Span | None:
        """The time axis of every chart of the page; None without a window."""
        ends = [instant(row["window_end"]) for row in self.windows]
        # What was done about the newest window comes after its end.
        return Span.of([*ends, *(mark.time for mark in self.marks if mark.time > max(ends))]) if ends else None

    @cached_property
    def marks(self) -> list[Mark]:
        """What was done and told."""
        return marks_of(self.decisions)

    @cached_property
    def quality(self) -> Mapping[str, Any]:
        """The newest report's judgement of the answers."""
        found: Mapping[str, Any] = self.report.get("performance") or {}
        return found

    @property
    def severity(self) -> str:
        """The worst verdict of the newest window."""
        return verdict_of(self.report) if self.report else str(self.newest.get("severity") or "INSUFFICIENT_DATA")

    def trend(self, metric: str) -> Trend | None:
        """A metric over the windows; None where there is no window."""
        if self.span is None:
            return None
        business = metric in self.figure_names
        kind = "business" if business else "measured"
        by_window = {
            (row["kind"], _window(row)): row
            for row in self.metrics
            if row["metric"] == metric and not row.get("subject")
        }
        points = [
            _point(
                window, by_window.get((kind, _window(window))), by_window.get(("estimated", _window(window))), metric
            )
            for window in self.shown
        ]
        bounds = (None, None) if business else range_of(metric, self.problem)
        return Trend(named(metric), points, self.span, bounds, self.marks)

    @cached_property
    def judged_names(self) -> list[str]:
        """The metrics that a limit judges, in the order of the table of metrics; without any the first that was measured."""
        known = [row for row in self.metrics if row["kind"] in ("measured", "estimated") and not row.get("subject")]
        judged = {row["metric"] for row in known if row.get("limit") is not None}
        ordered = sorted(judged or {row["metric"] for row in known}, key=self._place)
        return ordered[: TRENDS_SHOWN if judged else 1]

    def _place(self, metric: str) -> tuple[int, str]:
        """Where a metric stands in the table of its problem."""
        lines = [line.name for line in metrics_of(self.problem)]
        line = find(metric, self.problem)
        return (lines.index(line.name) if line else len(lines)), metric

    @cached_property
    def figure_names(self) -> list[str]:
        """The business figures."""
        return [*dict.fromkeys(row["metric"] for row in self.metrics if row["kind"] == "business")][:FIGURES_SHOWN]

    @cached_property
    def leading(self) -> Mapping[str, Any] | None:
        """The metric of the newest window that says most: the worst one that a limit judges, else the first."""
        metrics = self.quality.get("metrics") or []
        judged = [metric for metric in metrics if "limit" in metric]
        return max(
            judged, key=lambda m: (Severity(m["severity"]).rank, self.lost(m)), default=next(iter(metrics), None)
        )

    def lost(self, metric: Mapping[str, Any]) -> float:
        """How much of its reference a metric of the newest window has lost."""
        return lost_fraction(metric, self.quality.get("reference", {}).get(metric["name"]))

    @cached_property
    def expected(self) -> Mapping[str, Any] | None:
        """The estimate of the first judged metric, where labels are out."""
        found = {metric["name"]: metric for metric in (self.quality.get("estimate") or {}).get("metrics", [])}
        return next((found[name] for name in self.judged_names if name in found), None)

    @cached_property
    def moved_columns(self) -> list[Mapping[str, Any]]:
        """The columns of the newest report, those that moved and matter first."""
        columns = self.report.get("columns", [])
        ranked = sorted(columns, key=lambda c: (-Severity(c["severity"]).rank, -relevance(c), -c.get("effect", 0.0)))
        # What moved much and is in order is what people ask about: it stands among the first too.
        loud = sorted(columns, key=lambda c: -c.get("effect", 0.0))[: COLUMNS_SHOWN // 2]
        names = dict.fromkeys(
            c["name"] for c in [*ranked[: COLUMNS_SHOWN - len(loud)], *loud, *ranked][: 3 * COLUMNS_SHOWN]
        )
        chosen = [*names][:COLUMNS_SHOWN]
        return [c for c in ranked if c["name"] in chosen]

    def why(self, column: Mapping[str, Any]) -> str:
        """The reason of a column's verdict; of one that moved and is in order, why it is."""
        effect, without = column.get("effect"), column.get("effect_without_drift") or 0.0
        reason = str(column["reason"])
        if column["severity"] != "OK" or effect is None or effect < MOVED_EFFECT:
            return reason
        p_value, level = column.get("p_value_adjusted"), self.report.get("decision", {}).get("level")
        if p_value is not None and level is not None and p_value > level:
            return f"{reason}. In order: chance alone moves so few independent rows as far (p {p_value:.2g}, above {level:.2g})"
        return f"{reason}. In order: {effect - without:.2g} beyond what chance moves is within the limit"

    def summary(self) -> dict[str, Any]:
        """The model's line in the portfolio, as JSON."""
        metric = self.leading
        rows_a_day = _rows_a_day(self.newest)
        lost = max((self.lost(m) for m in self.quality.get("metrics", [])), default=0.0)
        return {
            "model": self.model,
            "problem": self.problem,
            "team": self.team,
            "severity": self.severity,
            "drift": self.newest.get("drift"),
            "columns_drifted": self.newest.get("columns_drifted"),
            "quality": quality_in_words(metric, self.quality) if metric else None,
            "quality_severity": self.quality.get("severity"),
            "expected": estimate_in_words(self.expected) if self.expected and not metric else None,
            "lost_fraction": lost,
            "rows_a_day": rows_a_day,
            "urgency": lost * rows_a_day,
            "judged_until": _text(self.newest.get("window_end")),
            "cadence_hours": self.cadence / timedelta(hours=1),
            "package": self.newest.get("package"),
            "waiting": waiting_for_people(self.decisions),
            "written": _text(self.now),
            "report": self.report_href,
        }


def lost_fraction(metric: Mapping[str, Any], reference: Mapping[str, Any] | None) -> float:
    """How much of the reference's quality a metric that a limit judges has lost; 0 where it keeps its limit and is not clearly worse."""
    if "limit" not in metric:
        return 0.0
    told = (metric.get("loss") or {}).get("fraction")
    if told is not None or reference is None or metric["severity"] not in ("WARNING", "CRITICAL"):
        return float(told or 0.0)
    distance = abs(metric["value"] - reference["value"])
    return float(distance / abs(reference["value"])) if reference["value"] else 0.0


def named(metric: str) -> str:
    """A metric's name as people write it.

    >>> named("auc"), named("log_loss"), named("recall_cat")
    ('AUC', 'log loss', 'recall cat')
    """
    return _NAMES.get(metric, metric.replace("_", " "))


def better_in_words(metric: str, problem: str) -> str:
    """Which way a metric is better; empty where neither way is."""
    known = find(metric, problem)
    words = {"higher": "higher is better", "lower": "lower is better", "zero": "nearest to zero is best"}
    return words.get(known.better, "") if known else ""


def quality_in_words(metric: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """A measured metric with its interval, limit and reference."""
    low, high = (short_number(kept_in_range(metric["name"], metric[end])) for end in ("low", "high"))
    words = f"{named(metric['name'])} {short_number(metric['value'])} ({low} to {high})"
    words += f", limit {short_number(metric['limit'])}" if "limit" in metric else ""
    reference = quality.get("reference", {}).get(metric["name"])
    return words + (f", was {short_number(reference['value'])} when released" if reference else "")


def estimate_in_words(metric: Mapping[str, Any]) -> str:
    """An estimated metric with its interval."""
    low, high = (short_number(kept_in_range(metric["name"], metric[end])) for end in ("low", "high"))
    return f"{named(metric['name'])} is estimated at {short_number(metric['value'])} ({low} to {high})"


def kept_in_range(name: str, value: float) -> float:
    """The end of an interval, inside of what the metric can be."""
    lowest, highest = range_of(name)
    value = value if lowest is None else max(value, lowest)
    return value if highest is None else min(value, highest)


def _window(row: Row) -> tuple[Any, Any]:
    return row["package"], row["window_end"]


def _quality_rank(row: Row) -> int:
    """How bad a window was: its answers first, then its columns."""
    quality = worst(Severity(row[name]) for name in ("performance", "estimate") if row.get(name))
    return 10 * quality.rank + Severity(row.get("drift") or "INSUFFICIENT_DATA").rank


def _point(window: Row, measured: Row | None, estimated: Row | None, metric: str) -> Point:
    start, end = (instant(window[name]) for name in ("window_start", "window_end"))
    span = (
        f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
        if end - start >= timedelta(days=1)
        else f"{start:%Y-%m-%d %H:%M} to {end:%H:%M}"
    )
    known: dict[str, Any] = {"time": end, "package": str(window["package"])}
    words = []
    if measured is not None and measured.get("value") is not None:
        known |= {name: measured.get(name) for name in ("value", "low", "high", "limit", "reference")}
        # A figure without an interval has a point, and no band.
        known |= {name: measured["value"] for name in ("low", "high") if measured.get(name) is None}
        known["severity"] = measured.get("severity") or "INSUFFICIENT_DATA"
        limit = f", limit {short_number(measured['limit'])}" if measured.get("limit") is not None else ""
        words.append(_value_words(metric, measured) + limit)
    if estimated is not None and estimated.get("value") is not None:
        known |= {
            "estimate": estimated["value"],
            "estimate_low": estimated.get("low"),
            "estimate_high": estimated.get("high"),
        }
        known |= {f"estimate_{n}": estimated["value"] for n in ("low", "high") if estimated.get(n) is None}
        words.append(f"estimated {_value_words(metric, estimated)}")
    return Point(words=f"{span}: {'; '.join(words) or 'not measured'}", **known)


def _value_words(metric: str, row: Row) -> str:
    interval = [kept_in_range(metric, row[end]) for end in ("low", "high") if row.get(end) is not None]
    words = f"{named(metric)} {short_number(row['value'])}"
    return f"{words} ({short_number(interval[0])} to {short_number(interval[1])})" if len(interval) > 1 else words


def _rows_a_day(window: Row) -> float:
    if not window:
        return 0.0
    days = (window["window_end"] - window["window_start"]) / timedelta(days=1)
    return float(window["rows"]) / float(window.get("sampled_fraction") or 1.0) / days if days else 0.0


def _text(time: datetime | None) -> str | None:
    return f"{instant(time):%Y-%m-%dT%H:%M:%SZ}" if time else None
