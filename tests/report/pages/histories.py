"""Histories as the tables hold them, for the pages' tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from report.pages.model_facts import ModelFacts

FIRST, WEEK = datetime(2016, 1, 4), timedelta(days=7)
NOW = datetime(2016, 3, 1, 2, tzinfo=UTC)


def of_window(number: int, package: str = "1") -> dict[str, Any]:
    """What every row of a window begins with."""
    end = FIRST + number * WEEK
    return {"model": "m", "package": package, "window_start": end - 4 * WEEK, "window_end": end}


def window(number: int, package: str = "1", **facts: Any) -> dict[str, Any]:
    """A row of the table `windows`."""
    known = {"rows": 2800, "severity": "OK", "drift": "OK", "performance": "OK", "columns_drifted": 0}
    return of_window(number, package) | known | {"report_key": f"reports/m/{package}/{number}/drift-r1.json"} | facts


def metric(number: int, value: float, package: str = "1", **facts: Any) -> dict[str, Any]:
    """A row of the table `metrics`."""
    known = {
        "kind": "measured",
        "metric": "auc",
        "subject": "",
        "value": value,
        "low": value - 0.03,
        "high": value + 0.03,
    }
    return (
        of_window(number, package) | known | {"reference": 0.84, "limit": 0.82, "severity": "OK", "unit": None} | facts
    )


def drifted(number: int, name: str, effect: float, severity: str = "OK") -> dict[str, Any]:
    """A row of the table `columns`."""
    return of_window(number) | {"name": name, "effect": effect, "severity": severity}


def decision(kind: str, days: float, package: str | None = None, **detail: Any) -> dict[str, Any]:
    """A row of the table `decisions`."""
    return {
        "model": "m",
        "time": FIRST + timedelta(days=days),
        "kind": kind,
        "package": package,
        "reason": None,
        "detail": json.dumps(detail),
    }


def column(name: str, severity: str = "OK", effect: float = 0.02, **facts: Any) -> dict[str, Any]:
    """A column of a report."""
    known = {
        "role": "feature",
        "kind": "numeric",
        "reason": f"{name}: KS {effect}, within its limit",
        "statistics": {"psi": 0.1},
    }
    return (
        known
        | {"name": name, "severity": severity, "effect": effect, "effect_without_drift": 0.03, "rows": 2800}
        | facts
    )


def report(**facts: Any) -> dict[str, Any]:
    """The newest report."""
    lost = {"name": "auc", "value": 0.78, "low": 0.76, "high": 0.8, "limit": 0.82, "severity": "CRITICAL"}
    return {
        "severity": "WARNING",
        "reasons": ["lead_time: KS 0.2 against a limit of 0.1"],
        "columns": [
            column("lead_time", "WARNING", 0.2),
            column("prediction", role="prediction"),
            column("adr", effect=0.41),
        ],
        "performance": {
            "severity": "CRITICAL",
            "reasons": ["quality is lost: auc 0.84 -> 0.78"],
            "metrics": [lost],
            "reference": {"auc": {"value": 0.84, "low": 0.83, "high": 0.85}},
        },
        "histograms": {"prediction": {"labels": ["low", "high"], "baseline": [0.6, 0.4], "window": [0.3, 0.7]}},
    } | facts


def facts(**known: Any) -> ModelFacts:
    """A model that has lost its quality in the newest of seven windows."""
    rows: dict[str, Any] = {
        "windows": [window(n, columns_drifted=n // 3, drift="WARNING" if n > 2 else "OK") for n in range(7)],
        "metrics": [
            *(metric(n, 0.84 - 0.01 * n, severity="CRITICAL" if n == 6 else "OK") for n in range(7) if n != 3),
            *(metric(n, 0.83, kind="estimated", limit=None) for n in range(7)),
            *(metric(n, 10.0 * n, kind="business", metric="revenue", limit=None, unit="EUR") for n in range(7)),
        ],
        "columns": [
            drifted(n, name, 0.05 * n, "WARNING" if n > 4 else "OK") for n in range(7) for name in ("lead_time", "adr")
        ],
        "decisions": [
            decision("retraining_started", 8, reasons=["quality was lost"]),
            decision("gate_failed", 9, rows=[{"gate": "auc", "verdict": "REFUSE", "reason": "not better"}]),
            decision("canary_promoted", 20, "2"),
            decision("baseline_switched", 20.01, "2"),
            decision("alert_sent", 30, subject="[Kedge] m: quality is lost"),
            decision("package_registered", 31, package_arn="arn:aws:sagemaker:eu-west-1:1:model-package/m/3"),
        ],
        "report": report(),
        "report_href": "1/6/drift-r1.html",
        "cadence": WEEK,
    }
    return ModelFacts("m", known.pop("problem", "binary_classification"), known.pop("now", NOW), **(rows | known))
