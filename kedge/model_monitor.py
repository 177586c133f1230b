"""Model Monitor's files: a baseline's statistics and constraints, and a judged window's statistics and violations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats
from kedge.columns.casting import Column
from kedge.config.model import ModelConfig
from kedge.config.policies import PerformanceLimit
from kedge.config.sections import Problem
from kedge.drift.column import ColumnReport, DriftRule
from kedge.drift.column_quality import QualityCheck
from kedge.drift.report import DriftReport
from kedge.intervals import Estimate
from kedge.performance.limits import bounds_of, is_absolute
from kedge.profile.baseline import Baseline, ColumnCounts, Profile
from kedge.profile.bins import Bins
from kedge.profile.feature_facts import FeatureFacts, Moments
from kedge.severity import Severity

BUCKETS = 10  # as Model Monitor materialises a distribution
LEVELS_DESCRIBED = 10_000
_CHECKS = {
    "missing": ("completeness_check", "Completeness requirement is not met.", "of data is complete"),
    "type": ("data_type_check", "Data type match requirement is not met.", "of data is a finite number"),
    "unseen": ("categorical_values_check", "Categorical values requirement is not met.", "of values are known to the baseline"),
}  # fmt: skip


def baseline_statistics(facts: Mapping[str, FeatureFacts], *, rows: int) -> dict[str, Any]:
    """Describe the training rows as Model Monitor's statistics.json does (schema version 0).

    Of a feature with more than `LEVELS_DESCRIBED` levels, which may be as many as rows, the most frequent are told.

    Parameters
    ----------
    facts : mapping of str to FeatureFacts
        Of each feature, in the order of the YAML.
    """
    features = [_feature_statistics(found) for found in facts.values()]
    return {"version": 0, "dataset": {"item_count": rows}, "features": features}


def baseline_constraints(facts: Mapping[str, FeatureFacts], config: ModelConfig) -> dict[str, Any]:
    """Suggest Model Monitor's constraints.json from the training rows: types, completeness, levels, signs.

    A feature with more than `LEVELS_DESCRIBED` levels has no constraint on them: a window has levels of its own.
    """
    features = [_feature_constraints(found) for found in facts.values()]
    settings = {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": config.drift.effect_floors[1],
            "comparison_method": "Robust",
        },
    }
    return {"version": 0, "features": features, "monitoring_config": settings}


def quality_statistics(metrics: Mapping[str, Estimate], *, rows: int, problem: Problem) -> dict[str, Any]:
    """Describe the holdout's metrics as Model Monitor's model quality statistics do."""
    found = {
        name: {"value": metric.value, "standard_deviation": metric.standard_error} for name, metric in metrics.items()
    }
    return {"version": 0.0, "dataset": {"item_count": rows}, f"{problem}_metrics": found}


def quality_constraints(
    metrics: Mapping[str, Estimate], limits: Iterable[PerformanceLimit], *, problem: Problem
) -> dict[str, Any]:
    """The limits that quality is judged by, as Model Monitor's constraints write them.

    Model Monitor knows one threshold a metric: for a limit to both sides Kedge writes the ceiling.

    >>> limits = [PerformanceLimit(metric="auc", tolerance=0.25)]
    >>> made = quality_constraints({"auc": Estimate("auc", 0.75, 0.01, 0.73, 0.77)}, limits, problem="regression")
    >>> made["regression_constraints"]["auc"]
    {'threshold': 0.5, 'comparison_operator': 'LessThanThreshold'}
    """
    written = {}
    for limit in limits:
        if limit.metric not in metrics and not is_absolute(limit):
            continue
        bounds = bounds_of(limit, metrics.get(limit.metric))
        from_above = math.isfinite(bounds.ceiling)
        written[limit.metric] = {
            "threshold": bounds.ceiling if from_above else bounds.floor,
            "comparison_operator": "GreaterThanThreshold" if from_above else "LessThanThreshold",
        }
    return {"version": 0.0, f"{problem}_constraints": written}


def _inferred_type(column: Column) -> str:
    if not column.is_number:
        return "String"
    return "Integral" if column.dtype == "int64" else "Fractional"


def _feature_statistics(facts: FeatureFacts) -> dict[str, Any]:
    common = {"num_present": facts.rows - facts.missing, "num_missing": facts.missing}
    described: dict[str, Any] = {"name": facts.column.name, "inferred_type": _inferred_type(facts.column)}
    if facts.column.is_number:
        return described | {"numerical_statistics": {"common": common} | _moments(facts.numbers)}
    counts = sorted(facts.levels.most_frequent(LEVELS_DESCRIBED).items())
    buckets = [{"value": level, "count": count} for level, count in counts]
    detail = {"distinct_count": facts.levels.distinct, "distribution": {"categorical": {"buckets": buckets}}}
    return described | {"string_statistics": {"common": common} | detail}


def _moments(found: Moments) -> dict[str, Any]:
    if not found.rows:
        return {}
    return {
        "mean": found.mean,
        "sum": found.total,
        "std_dev": found.std_dev,
        "min": found.low,
        "max": found.high,
    }


def _feature_constraints(facts: FeatureFacts) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": facts.column.name,
        "inferred_type": _inferred_type(facts.column),
        "completeness": (facts.rows - facts.missing) / max(facts.rows, 1),
    }
    if facts.column.is_number:
        return described | {"num_constraints": {"is_non_negative": facts.numbers.low >= 0}}
    levels = facts.levels.most_frequent(LEVELS_DESCRIBED + 1)
    return described | ({"string_constraints": {"domains": sorted(levels)}} if len(levels) <= LEVELS_DESCRIBED else {})


def window_statistics(baseline: Baseline, window: Profile) -> dict[str, Any]:
    """Describe a window as Model Monitor's statistics.json does (schema version 0), from counts alone.

    A number's mean and sum are exact to the grid of its cells' sums; spread and range are those of its cells' means, a little
    smaller than the values' own. Moments of an age are in days. The schema's sketch is left out, because Kedge has none; the
    buckets are counted.

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
    """The findings of a window that are a WARNING or worse, as in Model Monitor's constraint_violations.json.

    Only the checks that Model Monitor knows. A column without a value in any row counts as a missing column too. The window's
    volume, age and requests are in Kedge's own report only.
    Descriptions have Model Monitor's own words, because some pipelines parse them.

    Parameters
    ----------
    config : ModelConfig
        The config that judged the window.
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
    """Columns without a value in the window, although the baseline has values."""
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
    """The rule's measure and the limit that it broke."""
    beyond = max((column.effect or 0.0) - (column.effect_without_drift or 0.0), 0.0)
    distance = column.statistics["psi"] if rule.by_psi else beyond
    threshold = rule.critical if column.drift is Severity.CRITICAL else rule.warning
    words = f"Baseline drift distance: {distance:.6g} exceeds threshold: {threshold:.6g}"
    return {"feature_name": column.column.name, "constraint_check_type": "baseline_drift_check", "description": words}


def _column_statistics(column: Column, bins: Bins, counts: ColumnCounts) -> dict[str, Any]:
    broken = counts.missing + counts.unparsable + counts.infinite
    common = {"num_present": counts.rows - broken, "num_missing": broken}
    described: dict[str, Any] = {"name": column.name, "inferred_type": _inferred_type(column)}
    if not column.is_number:
        buckets = [{"value": bins.cell_name(i), "count": int(n)} for i, n in enumerate(counts.with_unseen) if n]
        detail = {"distinct_count": len(buckets), "distribution": {"categorical": {"buckets": buckets}}}
        return described | {"string_statistics": {"common": common} | detail}
    used = counts.cells > 0
    moments = _counted_moments(counts.means[used], counts.cells[used]) if used.any() else {}
    return described | {"numerical_statistics": {"common": common} | moments}


def _counted_moments(values: Floats, rows: NDArray[np.int64]) -> dict[str, Any]:
    mean = float(np.average(values, weights=rows))
    low, high = float(values.min()), float(values.max())
    return {
        "mean": mean,
        "sum": mean * int(rows.sum()),
        "std_dev": float(np.sqrt(np.average((values - mean) ** 2, weights=rows))),
        "min": low,
        "max": high,
        "distribution": {"kll": {"buckets": _buckets(values, rows, low, high)}},
    }


def _buckets(values: Floats, rows: NDArray[np.int64], low: float, high: float) -> list[dict[str, float]]:
    """Of equal width, the last one closed."""
    counts, edges = np.histogram(values, bins=BUCKETS, range=(low, high), weights=rows)
    return [
        {"lower_bound": float(a), "upper_bound": float(b), "count": float(n)}
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
