"""One window of history, judged by a policy as the functions would have judged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from kedge.alerts.verdicts import alert_severity, data_verdicts
from kedge.config.model import ModelConfig
from kedge.config.policies import PerformancePolicy
from kedge.config.sections import BaselineSource
from kedge.drift.report import DriftReport, judge_drift
from kedge.drift.seasonal_baseline import seasonal_baseline
from kedge.estimation.report import EstimateReport, WindowEstimates
from kedge.outcomes.counts import OutcomeCounts
from kedge.performance.window import PerformanceReport, judge_performance
from kedge.profile.baseline import Baseline, Profile
from kedge.severity import Severity, worst
from kedge.slices.concept_drift import with_since
from kedge.slices.counts import SliceCounts
from kedge.slices.fairness import ColumnFairness, judge_fairness
from kedge.slices.group_counts import GroupCounts
from kedge.slices.judgement import SliceFindings, judge_counts

REASONS_TOLD = 5
Earlier = Mapping[BaselineSource, Profile]
UNMEASURED = (None, Severity.INSUFFICIENT_DATA)


@dataclass(frozen=True)
class HistoryWindow:
    """One window's rows as counts.

    Attributes
    ----------
    profile : Profile
        Cut with the baseline's cells.
    outcomes : OutcomeCounts or None
        Of the answered and labelled rows; None if the history has no labels.
    unlabelled_rows : int
        Answered rows without a usable label.
    design_effects : mapping of str to float
        By column, how many rows are worth one independent row.
    notes : tuple of str
        Outcomes that could not be measured, in words.
    estimates : WindowEstimates or None
        The estimate from the answers alone; None if the baseline gives no estimator.
    slices : SliceCounts or None
        The labelled rows by each feature's groups; None if the history has no labels.
    sensitive : tuple of GroupCounts
        The answered rows by the groups of each sensitive column.
    """

    start: datetime
    end: datetime
    profile: Profile
    outcomes: OutcomeCounts | None = None
    unlabelled_rows: int = 0
    design_effects: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    estimates: WindowEstimates | None = None
    slices: SliceCounts | None = None
    sensitive: tuple[GroupCounts, ...] = ()


@dataclass(frozen=True)
class JudgedWindow:
    """One window as a policy judges it, independent of earlier windows.

    Attributes
    ----------
    retrainable : Severity
        The verdict on the columns: the part of the drift verdict that a retraining could correct.
    drifted : tuple of str
        Columns that moved, the worst first.
    learnable_rows : int
        Rows that a retraining could have used.
    less_confident : Severity or None
        How far the answers' confidence has fallen; None if they have none.
    estimate : EstimateReport or None
        The estimate from the answers alone; it has a verdict only if the labels have none.
    data : mapping of str to Severity
        The verdicts on the rows, which an episode of alarms follows.
    slices : SliceFindings or None
        Where the model fails; None without labels.
    fairness : tuple of ColumnFairness
        Of each sensitive column.
    """

    start: datetime
    end: datetime
    rows: int
    drift: Severity
    retrainable: Severity
    drifted: tuple[str, ...]
    reasons: tuple[str, ...]
    performance: PerformanceReport | None
    learnable_rows: int
    less_confident: Severity | None = None
    estimate: EstimateReport | None = None
    data: Mapping[str, Severity] = field(default_factory=dict)
    slices: SliceFindings | None = None
    fairness: tuple[ColumnFairness, ...] = ()

    @property
    def unequal(self) -> Severity | None:
        """How differently groups of people are treated; None if the YAML names no sensitive column, or the history has none."""
        return worst(column.severity for column in self.fairness) if self.fairness else None

    @property
    def measured(self) -> Severity | None:
        """The measured verdict; None without labels."""
        return None if self.performance is None else self.performance.severity

    @property
    def estimated(self) -> Severity | None:
        """The estimated verdict; None if the labels have a verdict, or nothing can be estimated."""
        return None if self.estimate is None else self.estimate.severity

    @property
    def blind(self) -> bool:
        """Whether nothing could be judged."""
        return alert_severity(self.retrainable, self.measured) is Severity.INSUFFICIENT_DATA

    @property
    def loss(self) -> bool | None:
        """Whether quality was clearly lost beyond its limits; None if it was not measured."""
        return None if self.measured in UNMEASURED else self.measured is Severity.CRITICAL


def measure_window(
    reference: OutcomeCounts | None, window: HistoryWindow, policy: PerformancePolicy
) -> PerformanceReport | None:
    """The measured quality of a window; None if the history has no labels.

    Parameters
    ----------
    reference : OutcomeCounts, optional
        Of the rows before the first window.
    """
    if window.outcomes is None or reference is None:
        return None
    return judge_performance(
        window.outcomes,
        reference,
        policy,
        provisional_rows=0,
        unlabelled_rows=window.unlabelled_rows,
        horizon_reason="every labelled row of the history counts as ripe",
        notes=window.notes,
    )


def judge_window(
    baseline: Baseline,
    window: HistoryWindow,
    config: ModelConfig,
    *,
    performance: PerformanceReport | None,
    earlier: Earlier | None = None,
    slices: SliceCounts | None = None,
) -> JudgedWindow:
    """Judge one window's drift and its groups as the functions do, and put its measured quality beside it.

    Parameters
    ----------
    performance : PerformanceReport, optional
        See `measure_window`.
    earlier : mapping of str to Profile, optional
        The profiles of `seasonal_spans`, if the policy has another baseline than the training data.
    slices : SliceCounts, optional
        Slices of the rows before the first window, to compare with. Pairs of features are not looked at.
    """
    report = judge_history(baseline, window, config, earlier)
    fairness = tuple(judge_fairness(window.sensitive, config.fairness)) if window.sensitive else ()
    unfair = [column.reason for column in fairness if column.severity >= Severity.WARNING]
    return JudgedWindow(
        window.start,
        window.end,
        report.rows,
        report.severity,
        report.columns_severity,
        tuple(column.column.name for column in report.drifted),
        (*unfair, *_reasons(report, performance)),
        performance,
        report.rows if window.outcomes is None else window.outcomes.rows,
        report.less_confident,
        data=data_verdicts(report),
        slices=_judge_slices(window, slices, config),
        fairness=fairness,
    )


def dated(windows: Sequence[JudgedWindow]) -> list[JudgedWindow]:
    """Say since when P(y given x) has moved, if it has.

    Parameters
    ----------
    windows : sequence of JudgedWindow
        In the order of time.
    """
    found: list[JudgedWindow] = []
    before: dict[str, object] | None = None
    for window in windows:
        slices = window.slices
        if slices is not None and slices.concept_drift is not None:
            slices = replace(slices, concept_drift=with_since(slices.concept_drift, before, start=window.start))
        before = slices.concept_drift.to_json() if slices and slices.concept_drift else None
        found.append(replace(window, slices=slices))
    return found


def judge_history(
    baseline: Baseline, window: HistoryWindow, config: ModelConfig, earlier: Earlier | None = None
) -> DriftReport:
    """Judge one window's drift, each column against the baseline that its YAML names."""
    season = seasonal_baseline(baseline, earlier, config) if earlier else None
    report = judge_drift(
        baseline,
        window.profile,
        config,
        start=window.start,
        end=window.end,
        design_effects=window.design_effects,
        before=season.profile if season else None,
    )
    return report.judged_against(season.sources, season.notes) if season else report


def _judge_slices(window: HistoryWindow, reference: SliceCounts | None, config: ModelConfig) -> SliceFindings | None:
    if window.slices is None or reference is None:
        return None
    return judge_counts(window.slices, reference, config.segments)


def _reasons(report: DriftReport, performance: PerformanceReport | None) -> tuple[str, ...]:
    """First what the labels say if quality is worse, then what moved (only the first few), then that quality holds."""
    moved, more = report.reasons[:REASONS_TOLD], len(report.reasons) - REASONS_TOLD
    told = (*moved, *((f"and {more} more",) if more > 0 else ()))
    if performance is None:
        return told
    ill = performance.severity >= Severity.WARNING
    return (*performance.reasons, *told) if ill else (*told, *performance.reasons)
