"""Every test of one run, drift and data quality alike: measured and corrected together, then judged at one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap

import numpy as np

from kedge.config.model import ModelConfig
from kedge.config.policies import DriftPolicy
from kedge.drift.column import ColumnReport, DriftRule, judge_column
from kedge.drift.column_quality import QualityCheck, QualityTest, measure_quality
from kedge.drift.evidence import ColumnEvidence, Measured
from kedge.drift.importance import importance_of
from kedge.profile.baseline import Baseline
from kedge.severity import Severity, worst
from kedge.statistics.holm import holm_adjusted


@dataclass(frozen=True)
class MeasuredColumn:
    """One column's tests.

    Attributes
    ----------
    measured : Measured or None
        None if there were too few rows to measure anything.
    p_value_adjusted : float
        Of its drift test; 1 where there is none.
    checks : tuple of QualityCheck
        Of its data quality, judged: a rule has no say in it.
    """

    evidence: ColumnEvidence
    measured: Measured | None
    p_value_adjusted: float
    checks: tuple[QualityCheck, ...] = ()


@dataclass(frozen=True)
class MeasuredColumns:
    """A run's tests, corrected together: the same for every rule that judges them.

    Attributes
    ----------
    columns : tuple of MeasuredColumn
        In their order, behind them those that were derived from others.
    derived : int
        Number of the latter.
    tests : int
        How many tests were corrected together.
    level : float
        Probability that the window alarms although nothing has drifted.
    """

    columns: tuple[MeasuredColumn, ...]
    derived: int
    tests: int
    level: float

    @property
    def own(self) -> tuple[MeasuredColumn, ...]:
        """The columns that were not derived."""
        return self.columns[: len(self.columns) - self.derived]


@dataclass(frozen=True)
class Verdicts:
    """The results of a run.

    Attributes
    ----------
    columns : tuple of ColumnReport
    quality : tuple of QualityCheck
        Of the columns, in their order.
    derived : tuple of ColumnReport
        Of the columns that were derived from others.
    """

    columns: tuple[ColumnReport, ...]
    quality: tuple[QualityCheck, ...]
    derived: tuple[ColumnReport, ...] = ()


def measure_columns(
    baseline: Baseline,
    evidence: Sequence[ColumnEvidence],
    policy: DriftPolicy,
    *,
    level: float,
    derived: Sequence[ColumnEvidence] = (),
) -> MeasuredColumns:
    """Measure every column, and correct all p-values together.

    Parameters
    ----------
    baseline : Baseline
        The baseline of data quality.
    evidence : sequence of ColumnEvidence
        One for each of its columns, in their order, to judge drift.
    level : float
        Probability that the window alarms although nothing has drifted.
    derived : sequence of ColumnEvidence
        Derived columns: tested for drift together with the others, without data quality of their own.
    """
    tested = (*evidence, *derived)
    quality = [*(_measure_quality(baseline, one, policy) for one in evidence), *([] for _ in derived)]
    tests = [test for column_tests in quality for test in column_tests]
    # The smallest p-value of the run must pass this level; the others have easier ones.
    first = level / max(len(tested) + len(tests), 1)
    measured = [one.measure(minimum_rows=policy.minimum_rows, level=first) for one in tested]
    drifts = [found.p_value for found in measured if found is not None]
    adjusted = iter(holm_adjusted(np.array(drifts + [test.p_value for test in tests])).tolist())
    p_values = [1.0 if found is None else next(adjusted) for found in measured]
    checks = [tuple(test.judged(next(adjusted), level=level) for test in column_tests) for column_tests in quality]
    columns = tuple(starmap(MeasuredColumn, zip(tested, measured, p_values, checks, strict=True)))
    return MeasuredColumns(columns, len(derived), len(drifts) + len(tests), level)


def judge_columns(baseline: Baseline, found: MeasuredColumns, config: ModelConfig) -> Verdicts:
    """Judge each column by the worst of its tests."""
    policy, features = config.drift, {feature.name: feature for feature in config.features}
    reports = [
        judge_column(
            one.evidence,
            one.measured,
            DriftRule.of(policy, features.get(one.evidence.column.name)),
            level=found.level,
            minimum_rows=policy.minimum_rows,
            p_value_adjusted=one.p_value_adjusted,
        )
        for one in found.columns
    ]
    own = found.own
    columns = (_with_checks(baseline, report, one.checks) for report, one in zip(reports, own, strict=False))
    return Verdicts(tuple(columns), tuple(check for one in own for check in one.checks), tuple(reports[len(own) :]))


def _measure_quality(baseline: Baseline, one: ColumnEvidence, policy: DriftPolicy) -> list[QualityTest]:
    healthy = baseline.own[one.column.name]
    return measure_quality(
        one.column, healthy, one.now, policy, design_effect=one.design_effect, rare_levels=len(one.bins.rare)
    )


def _with_checks(baseline: Baseline, report: ColumnReport, checks: Sequence[QualityCheck]) -> ColumnReport:
    found = [check.severity for check in checks if check.severity >= Severity.WARNING]
    severity, importance = worst([report.drift, *found]), importance_of(report.column, baseline.importance)
    # Most columns are as their drift is, and a history has tens of thousands that would be copied.
    if (severity, importance) == (report.severity, report.importance):
        return report
    return replace(report, severity=severity, importance=importance)
