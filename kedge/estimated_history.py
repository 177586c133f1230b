"""Estimates of quality along a history: what they would have said before the labels came, and how right they were."""

from __future__ import annotations

from collections.abc import Sequence

from kedge.estimated_performance import EstimateReport
from kedge.model_policies import PerformancePolicy
from kedge.outcome_counts import OutcomeCounts
from kedge.performance import PerformanceReport
from kedge.track_record import TrackRecord
from kedge.window_estimate import WindowEstimates, estimate_window


def estimate_history(
    found: Sequence[WindowEstimates | None],
    measured: Sequence[PerformanceReport | None],
    reference: OutcomeCounts,
    policy: PerformancePolicy,
) -> list[EstimateReport | None]:
    """Judge each window's estimate with the record of those before it; None where nothing was answered.

    Parameters
    ----------
    found : sequence of WindowEstimates or None
        In the order of time.
    measured : sequence of PerformanceReport or None
        What the labels say of the same windows.
    reference : OutcomeCounts
        Of the rows before the first window.

    >>> from kedge.binary_counts import BinaryCounts
    >>> estimate_history([None], [None], BinaryCounts(), PerformancePolicy())
    [None]
    """
    record, reports = TrackRecord(), list[EstimateReport | None]()
    for estimates, performance in zip(found, measured, strict=True):
        if estimates is None or not estimates.metrics:
            reports.append(None)
            continue
        report, record = estimate_window(estimates, reference, policy, record=record, measured=performance)
        reports.append(report)
    return reports
