"""A baseline in Model Monitor's words: statistics.json, constraints.json and the model quality files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.ages import ages_in_days
from kedge.columns import Column
from kedge.intervals import Estimate
from kedge.model_config import ModelConfig
from kedge.model_policies import PerformanceLimit
from kedge.model_sections import Feature, Problem
from kedge.own_columns import TIME
from kedge.performance_limits import bounds_of, is_absolute


def baseline_statistics(rows: pa.Table, config: ModelConfig) -> dict[str, Any]:
    """Describe the training rows as Model Monitor's statistics.json does (schema version 0).

    Parameters
    ----------
    rows : Table
        The training rows, with the features of `config`.
    """
    features = [_feature_statistics(_values(rows, feature), feature) for feature in config.features]
    return {"version": 0, "dataset": {"item_count": rows.num_rows}, "features": features}


def baseline_constraints(rows: pa.Table, config: ModelConfig) -> dict[str, Any]:
    """Suggest Model Monitor's constraints.json from the training rows: types, completeness, levels, signs."""
    features = [_feature_constraints(_values(rows, feature), feature) for feature in config.features]
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

    Model Monitor knows one threshold a metric: of a limit to both sides the ceiling is written.

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


def _values(rows: pa.Table, feature: Feature) -> Any:
    """A feature's values; of a timestamp its ages in days, as they are counted."""
    if feature.kind != "timestamp":
        return rows.column(feature.name)
    column = Column(feature.name, "feature", feature.kind, feature.declared_dtype)
    ages = ages_in_days(rows, column, TIME if TIME in rows.column_names else None).values
    return pa.array(ages, mask=np.isnan(ages))


def _inferred_type(feature: Feature) -> str:
    if feature.kind in ("categorical", "boolean"):
        return "String"
    return "Integral" if feature.declared_dtype == "int64" else "Fractional"


def _feature_statistics(column: pa.ChunkedArray, feature: Feature) -> dict[str, Any]:
    common = {"num_present": len(column) - column.null_count, "num_missing": column.null_count}
    described: dict[str, Any] = {"name": feature.name, "inferred_type": _inferred_type(feature)}
    if feature.kind in ("categorical", "boolean"):
        counts = pc.value_counts(column.drop_null()).to_pylist()
        buckets = sorted(({"value": c["values"], "count": c["counts"]} for c in counts), key=lambda b: b["value"])
        detail = {"distinct_count": len(buckets), "distribution": {"categorical": {"buckets": buckets}}}
        return described | {"string_statistics": {"common": common} | detail}
    values = column.drop_null().cast(pa.float64()).to_numpy()
    return described | {"numerical_statistics": {"common": common} | (_moments(values) if len(values) else {})}


def _moments(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "mean": float(values.mean()), "sum": float(values.sum()), "std_dev": float(values.std()),
        "min": float(values.min()), "max": float(values.max()),
    }  # fmt: skip


def _feature_constraints(column: pa.ChunkedArray, feature: Feature) -> dict[str, Any]:
    complete = (len(column) - column.null_count) / max(len(column), 1)
    described: dict[str, Any] = {
        "name": feature.name, "inferred_type": _inferred_type(feature), "completeness": complete,
    }  # fmt: skip
    present = column.drop_null()
    if feature.kind in ("categorical", "boolean"):
        return described | {"string_constraints": {"domains": sorted(pc.unique(present).to_pylist())}}
    positive = len(present) == 0 or pc.min(present).as_py() >= 0
    return described | {"num_constraints": {"is_non_negative": positive}}
