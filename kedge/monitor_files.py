"""A baseline in Model Monitor's words: statistics.json, constraints.json and the model quality files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.model_config import Feature, ModelConfig
from kedge.performance import HIGHER_IS_BETTER, Estimate


def baseline_statistics(rows: pa.Table, config: ModelConfig) -> dict[str, Any]:
    """Describe the training rows as Model Monitor's statistics.json does (schema version 0).

    Parameters
    ----------
    rows : Table
        The training rows, with the features of `config`.
    """
    features = [_feature_statistics(rows.column(feature.name), feature) for feature in config.features]
    return {"version": 0, "dataset": {"item_count": rows.num_rows}, "features": features}


def baseline_constraints(rows: pa.Table, config: ModelConfig) -> dict[str, Any]:
    """Suggest Model Monitor's constraints.json from the training rows: types, completeness, levels, signs."""
    features = [_feature_constraints(rows.column(feature.name), feature) for feature in config.features]
    settings = {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": config.drift.effect_max,
            "comparison_method": "Robust",
        },
    }
    return {"version": 0, "features": features, "monitoring_config": settings}


def quality_statistics(metrics: Mapping[str, Estimate], *, rows: int) -> dict[str, Any]:
    """Describe the holdout's metrics as Model Monitor's model quality statistics do."""
    found = {
        name: {"value": metric.value, "standard_deviation": metric.standard_error} for name, metric in metrics.items()
    }
    return {
        "version": 0.0, "dataset": {"item_count": rows}, "binary_classification_metrics": found,
    }  # fmt: skip


def quality_constraints(metrics: Mapping[str, Estimate], *, tolerance: float) -> dict[str, Any]:
    """Limit each metric to its reference less (or plus) the tolerance, as Model Monitor's constraints do.

    >>> made = quality_constraints({"auc": Estimate("auc", 0.75, 0.01, 0.73, 0.77)}, tolerance=0.25)
    >>> made["binary_classification_constraints"]["auc"]
    {'threshold': 0.5, 'comparison_operator': 'LessThanThreshold'}
    """
    limits = {}
    for name, metric in metrics.items():
        better = HIGHER_IS_BETTER[name]
        limits[name] = {
            "threshold": metric.value - tolerance if better else metric.value + tolerance,
            "comparison_operator": "LessThanThreshold" if better else "GreaterThanThreshold",
        }
    return {"version": 0.0, "binary_classification_constraints": limits}


def _inferred_type(feature: Feature) -> str:
    if feature.kind == "categorical":
        return "String"
    return "Integral" if feature.declared_dtype == "int64" else "Fractional"


def _feature_statistics(column: pa.ChunkedArray, feature: Feature) -> dict[str, Any]:
    common = {"num_present": len(column) - column.null_count, "num_missing": column.null_count}
    described: dict[str, Any] = {"name": feature.name, "inferred_type": _inferred_type(feature)}
    if feature.kind == "categorical":
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
    if feature.kind == "categorical":
        return described | {"string_constraints": {"domains": sorted(pc.unique(present).to_pylist())}}
    positive = len(present) == 0 or pc.min(present).as_py() >= 0
    return described | {"num_constraints": {"is_non_negative": positive}}
