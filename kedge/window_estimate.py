"""What a window's answers let expect of its quality, and how right that has been: gathered for one window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kedge.estimated_performance import EstimateReport, judge_estimate
from kedge.intervals import Estimate
from kedge.model_policies import PerformancePolicy
from kedge.outcome_counts import OutcomeCounts, measure
from kedge.performance import PerformanceReport, limits_of
from kedge.severity import Severity
from kedge.track_record import TrackRecord, compare


@dataclass(frozen=True)
class WindowEstimates:
    """What an estimator says of a window (`kedge.estimation.estimate_answers`).

    Attributes
    ----------
    method : str
        The estimator's name.
    metrics : mapping of str to Estimate
        Of every answer of the window, labelled or not.
    rows : int
        How many that are.
    of_labelled : mapping of str to Estimate
        Of the rows that were measured, as if their labels were still out; they may reach back behind the window.
    start, end : datetime
        Of the measured rows.
    """

    method: str
    metrics: Mapping[str, Estimate]
    rows: int
    start: datetime
    end: datetime
    of_labelled: Mapping[str, Estimate] = field(default_factory=dict)


def estimate_window(
    found: WindowEstimates,
    reference: OutcomeCounts,
    policy: PerformancePolicy,
    *,
    record: TrackRecord,
    measured: PerformanceReport | None,
) -> tuple[EstimateReport, TrackRecord]:
    """Judge a window's estimate where no label does, and add to the record what the labels say of the estimator.

    Parameters
    ----------
    reference : OutcomeCounts
        The champion's holdout.
    record : TrackRecord
        Of the windows before.
    measured : PerformanceReport, optional
        What the labels say; None where none has come.
    """
    severity = measured.severity if measured is not None else Severity.INSUFFICIENT_DATA
    limits = limits_of(reference, reference, policy)
    if measured is not None and severity is not Severity.INSUFFICIENT_DATA:
        judged = {limit.metric for limit in limits}
        before = {name: estimate for name, estimate in found.of_labelled.items() if name in judged}
        record = record.with_new(compare(before, measured.metrics, start=found.start, end=found.end))
    report = judge_estimate(
        found.metrics, measure(reference, policy), limits, policy,
        method=found.method, rows=found.rows, record=record, measured=severity,
    )  # fmt: skip
    return report, record
