"""The estimate of a window: judged beside the labels or instead of them, also along a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kedge.comparisons import counted, figures
from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.estimation.track_record import TrackRecord, compare
from kedge.intervals import Estimate
from kedge.outcomes.counts import OutcomeCounts, measure
from kedge.performance.limits import LimitVerdict, is_absolute, judge_limit
from kedge.performance.window import PerformanceReport, limits_of
from kedge.severity import Severity, worst

COMPARISONS_SHOWN = 6
# Below it the estimate no longer warns of an uncertain loss.
WARNING_WEIGHT_MIN = 0.5
_WORDS = {
    Severity.OK: "estimated while labels are out: quality is not clearly lost",
    Severity.WARNING: "estimated while labels are out: quality may be lost",
    Severity.CRITICAL: "estimated while labels are out: quality is lost",
}


@dataclass(frozen=True)
class EstimateReport:
    """The quality of a window as its answers alone predict it.

    Attributes
    ----------
    severity : Severity or None
        None if the labels have judged the window: then only they count.
    metrics : mapping of str to Estimate
        Intervals widened by the estimator's record.
    judged : tuple of str
        The metrics that have a limit and can be estimated.
    record : TrackRecord
        With this window's estimate compared with its labels.
    """

    method: str
    rows: int
    severity: Severity | None
    reasons: tuple[str, ...]
    metrics: Mapping[str, Estimate]
    verdicts: Mapping[str, LimitVerdict]
    record: TrackRecord
    judged: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the report holds it under "performance", "estimate"; what does not apply is absent."""
        document: dict[str, Any] = {
            "method": self.method,
            "rows": self.rows,
            "reasons": list(self.reasons),
            "metrics": [self._row(estimate) for estimate in self.metrics.values()],
        }
        if self.severity is not None:
            document["severity"] = self.severity.value
        shown = [one.to_json() for name in self.judged for one in self.record.independent(name)[:COMPARISONS_SHOWN]]
        return document | ({"record": shown} if shown else {})

    def _row(self, estimate: Estimate) -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": estimate.name,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "weight": self.record.weight(estimate.name),
        }
        verdict = self.verdicts.get(estimate.name)
        return row | ({"limit": verdict.limit, "severity": verdict.severity.value} if verdict else {})


@dataclass(frozen=True)
class WindowEstimates:
    """An estimator's result for a window (`kedge.estimation.estimators.estimate_answers`).

    Attributes
    ----------
    method : str
        The estimator's name.
    metrics : mapping of str to Estimate
        Of every answer of the window, labelled or not.
    rows : int
        How many answers these are.
    of_labelled : mapping of str to Estimate
        For the rows that were measured, as if their labels were still out; they may begin before the window.
    start, end : datetime
        Of the measured rows.
    """

    method: str
    metrics: Mapping[str, Estimate]
    rows: int
    start: datetime
    end: datetime
    of_labelled: Mapping[str, Estimate] = field(default_factory=dict)


def judge_estimate(
    found: WindowEstimates,
    reference: Mapping[str, Estimate],
    limits: Sequence[PerformanceLimit],
    policy: PerformancePolicy,
    *,
    record: TrackRecord,
    measured: Severity,
) -> EstimateReport:
    """Judge an estimate by the same limits that measured quality must meet.

    Its intervals are first widened by its record, so that an estimator that was wrong raises no clear verdict.
    Without any record it is at most a WARNING. If the labels have judged the window, the estimate is shown without
    a verdict. It can add an alarm if nothing else does, and can silence none.

    Parameters
    ----------
    reference : mapping of str to Estimate
        The champion's measured metrics.
    measured : Severity
        The labels' own verdict; INSUFFICIENT_DATA if they judge nothing.

    >>> low = {"auc": Estimate("auc", 0.70, 0.01, 0.68, 0.72)}
    >>> found = WindowEstimates("confidence_based", low, 900, datetime(2016, 1, 1), datetime(2016, 1, 8))
    >>> report = judge_estimate(
    ...     found, {"auc": Estimate("auc", 0.80, 0.01, 0.78, 0.82)}, [PerformanceLimit(metric="auc", tolerance=0.02)],
    ...     PerformancePolicy(), record=TrackRecord(), measured=Severity.INSUFFICIENT_DATA,
    ... )
    >>> report.severity.value, report.reasons[0][:51]
    ('WARNING', 'estimated while labels are out: quality may be lost')
    """
    widened = {name: record.widened(one, confidence=policy.confidence) for name, one in found.metrics.items()}
    judged = [limit for limit in limits if limit.metric in widened]
    names = tuple(dict.fromkeys(limit.metric for limit in judged))
    report = EstimateReport(found.method, found.rows, None, (), widened, {}, record, names)
    if measured is not Severity.INSUFFICIENT_DATA:
        return replace(report, reasons=tuple(_said(widened[limit.metric]) for limit in judged))
    if found.rows < policy.minimum_rows:
        few = f"{counted(found.rows, 'answer')}; {policy.minimum_rows:,} are needed for an estimate"
        return replace(report, severity=Severity.INSUFFICIENT_DATA, reasons=(few,))
    verdicts: dict[str, LimitVerdict] = {}
    for limit in judged:
        if limit.metric in reference or is_absolute(limit):
            verdict = judge_limit(
                limit, widened[limit.metric], reference.get(limit.metric), confidence=policy.confidence
            )
            verdict = _believed(verdict, record)
            verdicts[limit.metric] = max(verdicts.get(limit.metric, verdict), verdict, key=lambda v: v.severity)
    severity = worst(verdict.severity for verdict in verdicts.values())
    told = tuple(v.reason for v in verdicts.values() if v.severity is severity)
    return replace(report, severity=severity, reasons=told, verdicts=verdicts)


def _believed(verdict: LimitVerdict, record: TrackRecord) -> LimitVerdict:
    """A verdict, weakened if the estimator's past does not support it."""
    compared, scale = len(record.independent(verdict.metric)), record.scale(verdict.metric)
    severity, doubts = verdict.severity, ""
    if not compared:
        severity, doubts = min(severity, Severity.WARNING), "; no estimate has been checked yet"
    elif severity is Severity.WARNING and record.weight(verdict.metric) < WARNING_WEIGHT_MIN:
        severity = Severity.OK
    if scale > 1.0:
        were = f"{counted(compared, 'earlier estimate')} {'was' if compared == 1 else 'were'} that wrong"
        doubts = f"; the interval is {scale:.1f} times as wide as the answers alone give, because {were}"
    # Only labels can show what the first words of a measured verdict say.
    numbers = verdict.reason.partition(": ")[2]
    return replace(verdict, severity=severity, reason=f"{_WORDS[severity]}: {numbers}{doubts}")


def _said(estimate: Estimate) -> str:
    value, low, high = figures(estimate.value, estimate.low, estimate.high)
    return f"{estimate.name} was estimated as {value} ({low} to {high})"


def estimate_window(
    found: WindowEstimates,
    reference: OutcomeCounts,
    policy: PerformancePolicy,
    *,
    record: TrackRecord,
    measured: PerformanceReport | None,
) -> EstimateReport:
    """Judge a window's estimate if no label does, and add to the report's record how right the estimator was.

    Parameters
    ----------
    reference : OutcomeCounts
        The champion's holdout.
    record : TrackRecord
        The record of the windows before.
    measured : PerformanceReport, optional
        What the labels say; None without labels.
    """
    # A loss that no limit judges silences no estimate.
    severity = measured.limits_severity if measured is not None else Severity.INSUFFICIENT_DATA
    limits = limits_of(reference, reference, policy)
    if measured is not None and severity is not Severity.INSUFFICIENT_DATA:
        judged = {limit.metric for limit in limits}
        before = {name: estimate for name, estimate in found.of_labelled.items() if name in judged}
        record = record.with_new(compare(before, measured.metrics, start=found.start, end=found.end))
    return judge_estimate(found, measure(reference, policy), limits, policy, record=record, measured=severity)


def estimate_history(
    found: Sequence[WindowEstimates | None],
    measured: Sequence[PerformanceReport | None],
    reference: OutcomeCounts,
    policy: PerformancePolicy,
) -> list[EstimateReport | None]:
    """Judge each window's estimate with the record of the windows before it; None if nothing was answered.

    Parameters
    ----------
    found : sequence of WindowEstimates or None
        In the order of time.
    measured : sequence of PerformanceReport or None
        The measured quality of the same windows.
    reference : OutcomeCounts
        Of the rows before the first window.

    >>> from kedge.outcomes.binary import BinaryCounts
    >>> estimate_history([None], [None], BinaryCounts(), PerformancePolicy())
    [None]
    """
    record, reports = TrackRecord(), list[EstimateReport | None]()
    for estimates, performance in zip(found, measured, strict=True):
        if estimates is None or not estimates.metrics:
            reports.append(None)
            continue
        report = estimate_window(estimates, reference, policy, record=record, measured=performance)
        record = report.record
        reports.append(report)
    return reports
