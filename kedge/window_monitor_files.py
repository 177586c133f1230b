"""A judged window in Model Monitor's words: statistics.json, and constraint_violations.json beside the constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.column_drift import ColumnReport
from kedge.columns import Column
from kedge.drift import DriftReport
from kedge.drift_rule import DriftRule
from kedge.model_config import ModelConfig
from kedge.profile import Baseline, Bins, ColumnCounts, Profile
from kedge.quality import QualityCheck
from kedge.severity import Severity

Floats = NDArray[np.float64]
BUCKETS = 10  # as Model Monitor materialises a distribution
_CHECKS = {
    "missing": ("completeness_check", "Completeness requirement is not met.", "of data is complete"),
    "type": ("data_type_check", "Data type match requirement is not met.", "of data is a finite number"),
    "unseen": ("categorical_values_check", "Categorical values requirement is not met.", "of values are known to the baseline"),
}  # fmt: skip


def window_statistics(baseline: Baseline, window: Profile) -> dict[str, Any]:
    """Describe a window as Model Monitor's statistics.json does (schema version 0), from counts alone.

    A number's mean and sum are exact to the grid of its cells' sums; spread and range are those of its cells' means, a little
    inside the values' own. Moments of an age are in days. The schema's sketch is left out, for there is none; the buckets
    are counted.

    Parameters
    ----------
    baseline : Baseline
    window : Profile
        Counted with it.
    """
    features = [
        _column_statistics(column, baseline.bins[column.name], baseline.column(window, column.name))
        for column in baseline.columns
    ]
    return {"version": 0, "dataset": {"item_count": window.rows}, "features": features}


def constraint_violations(report: DriftReport, config: ModelConfig) -> dict[str, Any]:
    """What of a window is a WARNING or worse, as Model Monitor's constraint_violations.json names it.

    Only the checks that Model Monitor knows, and a column without a value in any row is a missing column too: of the whole
    window's volume, its age and its requests the report speaks.
    Descriptions are worded as Model Monitor words them, for there are pipelines that take them apart.

    Parameters
    ----------
    config : ModelConfig
        That the window was judged by.
    """
    found = [_quality_violation(check) for check in report.quality if check.severity >= Severity.WARNING]
    found += _missing_columns(report)
    features = {feature.name: feature for feature in config.features}
    found += [
        _drift_violation(column, DriftRule.of(config.drift, features.get(column.column.name)))
        for column in report.drifted
    ]
    return {"violations": [violation for violation in found if violation is not None]}


def _quality_violation(check: QualityCheck) -> dict[str, str] | None:
    if check.check not in _CHECKS:
        return None
    kind, failed, of_what = _CHECKS[check.check]
    match, observed = 100 * (1 - check.limit), 100 * (1 - check.value)
    words = f"{failed} Expected match: {match:.6g}%. Observed: Only {observed:.6g}% {of_what}."
    return {"feature_name": check.column, "constraint_check_type": kind, "description": words}


def _missing_columns(report: DriftReport) -> list[dict[str, str]]:
    """Columns of which the window holds nothing, although the baseline's rows let expect it."""
    absent = [
        c.column for c in report.quality if c.check == "missing" and c.value == 1 and c.severity >= Severity.WARNING
    ]
    there = len(report.columns) - len(absent)
    words = (
        f"There are missing columns in current dataset. Number of columns in current dataset: {there}, "
        f"Number of columns in baseline constraints: {len(report.columns)}"
    )
    return [
        {"feature_name": name, "constraint_check_type": "missing_column_check", "description": words} for name in absent
    ]


def _drift_violation(column: ColumnReport, rule: DriftRule) -> dict[str, str]:
    """What the rule looks at against the limit that made it what it is."""
    beyond = max((column.effect or 0.0) - (column.effect_without_drift or 0.0), 0.0)
    distance = column.statistics["psi"] if rule.by_psi else beyond
    threshold = rule.critical if column.drift is Severity.CRITICAL else rule.warning
    words = f"Baseline drift distance: {distance:.6g} exceeds threshold: {threshold:.6g}"
    return {
        "feature_name": column.column.name, "constraint_check_type": "baseline_drift_check", "description": words,
    }  # fmt: skip


def _column_statistics(column: Column, bins: Bins, counts: ColumnCounts) -> dict[str, Any]:
    broken = counts.missing + counts.unparsable + counts.infinite
    common = {"num_present": counts.rows - broken, "num_missing": broken}
    described: dict[str, Any] = {"name": column.name}
    if not column.is_number:
        buckets = [{"value": bins.cell_name(i), "count": int(n)} for i, n in enumerate(counts.with_unseen) if n]
        detail = {"distinct_count": len(buckets), "distribution": {"categorical": {"buckets": buckets}}}
        return described | {"inferred_type": "String", "string_statistics": {"common": common} | detail}
    kind = "Integral" if column.dtype == "int64" else "Fractional"
    used = counts.cells > 0
    moments = _moments(counts.means[used], counts.cells[used]) if used.any() else {}
    return described | {"inferred_type": kind, "numerical_statistics": {"common": common} | moments}


def _moments(values: Floats, rows: NDArray[np.int64]) -> dict[str, Any]:
    mean = float(np.average(values, weights=rows))
    low, high = float(values.min()), float(values.max())
    return {
        "mean": mean, "sum": mean * int(rows.sum()), "std_dev": float(np.sqrt(np.average((values - mean) ** 2, weights=rows))),
        "min": low, "max": high, "distribution": {"kll": {"buckets": _buckets(values, rows, low, high)}},
    }  # fmt: skip


def _buckets(values: Floats, rows: NDArray[np.int64], low: float, high: float) -> list[dict[str, float]]:
    """Of equal width, the last one closed."""
    counts, edges = np.histogram(values, bins=BUCKETS, range=(low, high), weights=rows)
    return [
        {"lower_bound": float(a), "upper_bound": float(b), "count": float(n)}
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
