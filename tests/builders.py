"""Data for the tests: rows with a known shift, a model's YAML for them, and capture records that hold them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.columns.casting import columns_of
from kedge.config.model import ModelConfig
from kedge.config.reading import parse_model_config
from kedge.drift.report import DriftReport, judge_drift
from kedge.intervals import Estimate
from kedge.performance.limits import PerformanceLimit, judge_limit
from kedge.profile.baseline import Baseline
from kedge.profile.counting import count_rows
from kedge.profile.freezing import freeze_baseline

START, END = datetime(2016, 1, 4, tzinfo=UTC), datetime(2016, 1, 11, tzinfo=UTC)
YAML = """
model: parcels
endpoint: {name: parcels}
features:
  - {name: weight, kind: numeric}
  - {name: items, kind: numeric, dtype: int64}
  - {name: carrier, kind: categorical}
"""
CARRIERS = ("sea", "road", "rail", "air")


def make_config(extra: str = "") -> ModelConfig:
    """A model with two numeric features, a categorical one and a probability."""
    return parse_model_config(YAML + extra, source="parcels.yaml")


def make_window(*, rows: int = 1000, seed: int = 0, shift: float = 0.0, air: float = 0.1) -> pa.Table:
    """Rows of that model: `shift` moves the weight by standard deviations, `air` is one carrier's share."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.5, 0.3, 0.2, 0.0]) * (1 - air) + np.array([0, 0, 0, air])
    return pa.table(
        {
            "weight": rng.normal(10 + 2 * shift, 2, rows),
            "items": rng.poisson(3, rows),
            "carrier": rng.choice(CARRIERS, rows, p=shares),
            "prediction": rng.beta(2, 5, rows),
        }
    )


def make_baseline(config: ModelConfig, rows: pa.Table | None = None, **options: Any) -> Baseline:
    """The baseline of 5,000 undrifted rows, or of the rows given."""
    table = make_window(rows=5000, seed=99) if rows is None else rows
    return freeze_baseline(config.model, "1", columns_of(config), table, table, **options)


def judged(window: pa.Table, config: ModelConfig | None = None, baseline: Baseline | None = None) -> DriftReport:
    """A window of rows, counted and judged."""
    config = config or make_config()
    baseline = baseline or make_baseline(config)
    return judge_drift(baseline, count_rows(baseline, window), config, start=START, end=END)


def as_text(table: pa.Table) -> pa.Table:
    """The same rows as CSV holds them: everything text."""
    return pa.table([column.cast(pa.string()) for column in table.columns], names=table.column_names)


def capture_record(data: str, answer: str, **metadata: Any) -> dict[str, Any]:
    """One Data Capture record with CSV on both sides."""
    facts: Mapping[str, Any] = {"eventId": "e1", "inferenceTime": "2016-01-04T02:03:04Z", **metadata}
    return {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"},
            "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": answer, "encoding": "CSV"},
        },
        "eventMetadata": dict(facts),
        "eventVersion": "0",
    }


def json_lines(*records: Any) -> bytes:
    """Records as a capture object holds them."""
    return "\n".join(json.dumps(record) for record in records).encode()


def judged_auc(value: float, low: float, high: float) -> dict[str, Any]:
    """What is kept of a window's AUC, judged and worded by the code: 0.83 on the holdout, of which 0.02 may be lost."""
    measured, reference = Estimate("auc", value, (high - low) / 4, low, high), Estimate("auc", 0.83, 0.005, 0.82, 0.84)
    verdict = judge_limit(PerformanceLimit(metric="auc", tolerance=0.02), measured, reference, confidence=0.95)
    severity = verdict.severity.value
    metric = {"name": "auc", "value": value, "low": low, "high": high, "limit": verdict.limit, "severity": severity}
    return {"severity": severity, "reasons": [verdict.reason], "metrics": [metric]}
