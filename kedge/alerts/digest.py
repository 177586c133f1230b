"""A week of several models in a few lines: who needs a person, what happened, what it cost, and how fast losses were told and mended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kedge.alerts.response_times import KINDS, ResponseTimes, of_timeline, together
from kedge.instants import to_text
from kedge.severity import Severity

Row = Mapping[str, Any]

WEEK = timedelta(days=7)
# A loss often lasts longer than a week: the means are over four of them.
RESPONSE_DAYS = 28
# The timeline's kinds that a person wants counted, by what the digest calls them.
COUNTED = {
    "window_judged": "windows judged",
    "alert_sent": "alerts",
    "retraining_started": "retrainings",
    "gate_failed": "refused by the gate",
    "failed": "failures",
    "canary_promoted": "releases",
    "canary_rolled_back": "rolled back",
}
# A message must stay small whatever the number of models: of more only the number is kept.
LISTED = 20
# A metric that is a cost, where the YAML says what wrong answers cost.
COST = "cost_per_thousand"


@dataclass(frozen=True)
class WeekOfModel:
    """What is known of one model.

    Attributes
    ----------
    windows, metrics, decisions : sequence of rows
        The history's: of the week, and of `RESPONSE_DAYS` for the decisions.
    pending : mapping
        Versions that wait for a person, with when each was registered.
    retrainings : mapping
        What each retraining cost in US dollars, by when it started; None while its jobs are not measured.
    """

    model: str
    windows: Sequence[Row] = ()
    metrics: Sequence[Row] = ()
    decisions: Sequence[Row] = ()
    pending: Mapping[str, datetime] | None = None
    retrainings: Mapping[datetime, float | None] = field(default_factory=dict)

    @property
    def newest(self) -> Row | None:
        """The window that ended last."""
        return max(self.windows, key=lambda row: row["window_end"], default=None)

    @property
    def severity(self) -> Severity:
        """The verdict of the newest window; without one it was not judged."""
        return Severity((self.newest or {}).get("severity") or Severity.INSUFFICIENT_DATA)

    @property
    def costs(self) -> list[dict[str, Any]]:
        """The business figures and the cost of wrong answers in the newest window, each beside its reference."""
        if self.newest is None:
            return []
        found = [row for row in self.metrics if row["window_end"] == self.newest["window_end"]]
        wanted = (row for row in found if row["kind"] == "business" or (row["metric"] == COST and not row["subject"]))
        names = ("metric", "value", "reference", "unit", "total")
        return [
            {"model": self.model, **{name: row[name] for name in names}} for row in wanted if row["value"] is not None
        ]

    @property
    def is_measured(self) -> bool:
        """Whether labels told the quality of a window of the week: without them no loss is ever seen."""
        return any(row["kind"] == "measured" and row["value"] is not None for row in self.metrics)

    @property
    def response(self) -> ResponseTimes:
        """How fast losses were told and repaired."""
        kept = ({**row, "time": to_text(row["time"]), "detail": json.loads(row["detail"])} for row in self.decisions)
        return of_timeline(entry for entry in kept if entry["kind"] in KINDS)


def digest(models: Sequence[WeekOfModel], *, end: datetime) -> dict[str, Any]:
    """The facts of the week that ended then."""
    start = end - WEEK
    by_severity: dict[Severity, list[WeekOfModel]] = {severity: [] for severity in Severity}
    for one in sorted(models, key=lambda each: each.model):
        by_severity[one.severity].append(one)
    happened = Counter(
        COUNTED[row["kind"]]
        for one in models
        for row in one.decisions
        if row["time"] >= start and row["kind"] in COUNTED
    )
    times = together(one.response for one in models)
    waiting = [
        {"model": one.model, "package_version": version, "waiting_days": (end - since).days}
        for one in models
        for version, since in (one.pending or {}).items()
    ]
    lists: dict[str, list[Any]] = {
        "alarming": [_alarming(one) for one in by_severity[Severity.CRITICAL]],
        "warning": [one.model for one in by_severity[Severity.WARNING]],
        "healthy": [one.model for one in by_severity[Severity.OK]],
        "not_judged": [one.model for one in by_severity[Severity.INSUFFICIENT_DATA]],
        "waiting": sorted(waiting, key=lambda each: -int(each["waiting_days"])),
        "costs": [cost for one in models for cost in one.costs],
    }
    paid = [usd for one in models for started, usd in one.retrainings.items() if start <= started < end]
    needing = {each["model"] for each in [*lists["alarming"], *waiting]}
    return {
        "week": {"start": to_text(start), "end": to_text(end)},
        "models": len(models),
        **{name: found[:LISTED] for name, found in lists.items()},
        "counts": {name: len(found) for name, found in lists.items()} | {"needing": len(needing)},
        "training": {"usd": sum(usd or 0.0 for usd in paid), "retrainings": len(paid), "unknown": paid.count(None)},
        "happened": {words: happened[words] for words in COUNTED.values() if happened[words]},
        "response": {
            "days": RESPONSE_DAYS,
            "measured": sum(one.is_measured for one in models),
            "losses": len(times.losses),
            "untold": times.untold,
            "lasting": times.lasting,
            "detect_hours": _hours(times.mean_time_to_detect),
            "repair_hours": _hours(times.mean_time_to_repair),
        },
    }


def _alarming(one: WeekOfModel) -> dict[str, Any]:
    return {"model": one.model, "reason": (one.newest or {}).get("reason")}


def _hours(time: timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds() / 3600, 1)
