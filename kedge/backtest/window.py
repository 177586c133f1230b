"""One window of history, judged by a policy as the functions would have judged it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kedge.alerts.verdicts import data_verdicts, is_blind
from kedge.config.model import ModelConfig
from kedge.config.sections import BaselineSource
from kedge.drift.alert_budget import window_level
from kedge.drift.measured_drift import MeasuredDrift, measure_drift
from kedge.drift.report import DriftReport, judge_drift
from kedge.drift.seasonal_baseline import SeasonalBaseline, seasonal_baseline
from kedge.performance.window import PerformanceReport
from kedge.profile.baseline import Baseline, Profile
from kedge.quality.window import QualityEvidence, WindowQuality, dated
from kedge.severity import Severity

REASONS_TOLD = 5
Earlier = Mapping[BaselineSource, Profile]


@dataclass(frozen=True)
class HistoryWindow:
    """One window's rows as counts.

    Attributes
    ----------
    profile : Profile
        Cut with the baseline's cells.
    evidence : QualityEvidence
        Of the answers; pairs of features are not among its slices.
    design_effects : mapping of str to float
        By column, how many rows are worth one independent row.
    """

    start: datetime
    end: datetime
    profile: Profile
    evidence: QualityEvidence = field(default_factory=QualityEvidence)
    design_effects: Mapping[str, float] = field(default_factory=dict)
    _measured: dict[tuple[Any, ...], MeasuredDrift] = field(default_factory=dict, init=False, repr=False)

    def measured(self, baseline: Baseline, config: ModelConfig) -> MeasuredDrift:
        """The window beside the training data; policies that differ in their limits alone get the same, measured once."""
        key = MeasuredDrift.key(config)
        if key not in self._measured:
            self._measured[key] = self.measured_against(None, baseline, config)
        return self._measured[key]

    def measured_against(self, before: Profile | None, baseline: Baseline, config: ModelConfig) -> MeasuredDrift:
        """The window beside other rows than the baseline's own."""
        level = window_level(config.drift.alert_budget_per_year, self.end - self.start)
        effects = self.design_effects
        return measure_drift(baseline, self.profile, config, level=level, before=before, design_effects=effects)

    @property
    def labelled_rows(self) -> int | None:
        """Rows with an answer and a label; None where the history has no labels."""
        return self.evidence.outcomes.counts.rows if self.evidence.outcomes else None


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
        How far the answers' confidence has fallen; None where they have none.
    data : mapping of str to Severity
        The verdicts on the rows, as an episode of alarms is followed by them.
    """

    start: datetime
    end: datetime
    rows: int
    drift: Severity
    retrainable: Severity
    drifted: tuple[str, ...]
    reasons: tuple[str, ...]
    quality: WindowQuality
    learnable_rows: int
    less_confident: Severity | None = None
    data: Mapping[str, Severity] = field(default_factory=dict)

    @property
    def blind(self) -> bool:
        """Whether nothing could be judged."""
        return is_blind(self.retrainable, self.quality.verdicts.measured)

    @property
    def loss(self) -> bool | None:
        """Whether quality is clearly beyond its limits; None where it was not measured."""
        return self.quality.verdicts.loss


def judge_window(
    baseline: Baseline,
    window: HistoryWindow,
    config: ModelConfig,
    *,
    quality: WindowQuality,
    earlier: Earlier | None = None,
) -> JudgedWindow:
    """Judge one window's drift as the functions do, and put what is known of its answers beside it.

    Parameters
    ----------
    quality : WindowQuality
        As `judge_quality` finds it in the window's evidence.
    earlier : mapping of str to Profile, optional
        What `seasonal_spans` asked for, where the policy has another baseline than the training data.
    """
    report = judge_history(baseline, window, config, earlier)
    unfair = [column.reason for column in quality.fairness if column.severity >= Severity.WARNING]
    return JudgedWindow(
        window.start,
        window.end,
        report.rows,
        report.severity,
        report.columns_severity,
        tuple(column.column.name for column in report.drifted),
        (*_chosen(quality), *unfair, *_reasons(report, quality.measured)),
        quality,
        report.rows if window.labelled_rows is None else window.labelled_rows,
        report.less_confident,
        data=data_verdicts(report),
    )


def _chosen(quality: WindowQuality) -> tuple[str, ...]:
    """Why the parts alarm that the YAML chose."""
    segments = quality.slices.segments if quality.slices else ()
    figures = (one for one in quality.business if one.alert and one.alert >= Severity.WARNING)
    return (*(one.reason for one in segments if one.alert), *(one.reason for one in figures))


def all_dated(windows: Sequence[JudgedWindow]) -> list[JudgedWindow]:
    """Say since when P(y given x) has moved, if it has.

    Parameters
    ----------
    windows : sequence of JudgedWindow
        In the order of time.
    """
    found: list[JudgedWindow] = []
    before: WindowQuality | None = None
    for window in windows:
        before = dated(window.quality, before, start=window.start)
        found.append(replace(window, quality=before))
    return found


def measure_history(
    baseline: Baseline, window: HistoryWindow, config: ModelConfig, season: SeasonalBaseline | None
) -> MeasuredDrift:
    """Measure one window, each column against the baseline that its YAML names."""
    return window.measured_against(season.profile, baseline, config) if season else window.measured(baseline, config)


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
        before=season.profile if season else None,
        measured=measure_history(baseline, window, config, season),
    )
    return report.judged_against(season.sources, season.notes) if season else report


def _reasons(report: DriftReport, performance: PerformanceReport | None) -> tuple[str, ...]:
    """First what the labels say if quality is worse, then what moved (only the first few), then that quality holds."""
    reasons = report.reasons
    moved, more = reasons[:REASONS_TOLD], len(reasons) - REASONS_TOLD
    told = (*moved, *((f"and {more} more",) if more > 0 else ()))
    if performance is None:
        return told
    ill = performance.severity >= Severity.WARNING
    return (*performance.reasons, *told) if ill else (*told, *performance.reasons)
