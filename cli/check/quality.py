"""Quality of a file's answers estimated without labels, with the baseline file's rows as the reference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from cli.rows.files import RowFiles
from kedge.config.model import ModelConfig
from kedge.estimation.estimators import Estimator, ScoreEstimator, estimate_answers, fit_estimator
from kedge.estimation.report import WindowEstimates, estimate_window
from kedge.estimation.track_record import TrackRecord
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import OutcomeCounts
from kedge.outcomes.outcomes import read_outcomes
from kedge.performance.window import PerformanceReport

# Counts of two classes are enough for an estimator; the others learn from this many rows, which stay in memory.
ROWS_LEARNT_FROM = 1_000_000
_NO_TIME = datetime.fromtimestamp(0, UTC)


def estimate_files(
    baseline: RowFiles,
    window: RowFiles,
    config: ModelConfig,
    prediction: str,
    label: str,
    reference: OutcomeCounts,
    measured: PerformanceReport,
) -> dict[str, Any]:
    """The part "estimate" of the report's "performance"; empty if the baseline gives no estimator."""
    estimator = _learnt(baseline, config, prediction, label, reference)
    if estimator is None:
        return {}
    metrics, rows = estimate_answers(estimator, _tables(window, config, [prediction]), prediction, config)
    found = WindowEstimates(estimator.method, metrics, rows, _NO_TIME, _NO_TIME)
    report, _ = estimate_window(found, reference, config.performance, record=TrackRecord(), measured=measured)
    return {"estimate": report.to_json()}


def _learnt(
    baseline: RowFiles, config: ModelConfig, prediction: str, label: str, reference: OutcomeCounts
) -> Estimator | None:
    if isinstance(reference, BinaryCounts):
        return ScoreEstimator.of(reference, config.prediction.threshold)
    head = baseline.head([*_columns(baseline, config, [prediction, label])], ROWS_LEARNT_FROM)
    outcomes, _ = read_outcomes(head, prediction, label, config)
    return fit_estimator(outcomes, threshold=config.prediction.threshold)


def _tables(rows: RowFiles, config: ModelConfig, names: list[str]) -> Iterator[pa.Table]:
    return (pa.Table.from_batches([batch]) for batch in rows.batches(_columns(rows, config, names)))


def _columns(rows: RowFiles, config: ModelConfig, names: list[str]) -> list[str]:
    probabilities = [name for name in config.prediction.probabilities if name in rows.schema.names]
    return list(dict.fromkeys([*names, *probabilities]))
