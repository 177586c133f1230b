"""Every test of one run, drift and data quality alike, corrected together and judged at one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kedge.config.model import ModelConfig
from kedge.config.policies import DriftPolicy
from kedge.drift.column import ColumnReport, DriftRule, judge_column
from kedge.drift.column_quality import QualityCheck, QualityTest, measure_quality
from kedge.drift.evidence import ColumnEvidence
from kedge.drift.importance import importance_of
from kedge.profile.baseline import Baseline
from kedge.severity import Severity, worst
from kedge.statistics.holm import holm_adjusted


@dataclass(frozen=True)
class Verdicts:
    """The results of a run.

    Attributes
    ----------
    columns : tuple of ColumnReport
    quality : tuple of QualityCheck
        Of the columns, in their order.
    tests : int
        How many tests were corrected together.
    derived : tuple of ColumnReport
        Of the columns that were derived from others.
    """

    columns: tuple[ColumnReport, ...]
    quality: tuple[QualityCheck, ...]
    tests: int
    derived: tuple[ColumnReport, ...] = ()


def judge_columns(
    baseline: Baseline,
    evidence: Sequence[ColumnEvidence],
    config: ModelConfig,
    *,
    level: float,
    derived: Sequence[ColumnEvidence] = (),
) -> Verdicts:
    """Measure every column, correct all p-values together, and judge each column by the worst of its tests.

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
    policy, tested = config.drift, (*evidence, *derived)
    quality = [_measure_quality(baseline, one, policy) for one in evidence]
    tests = [test for column_tests in quality for test in column_tests]
    # The smallest p-value of the run must pass this level; the others have easier ones.
    first = level / max(len(tested) + len(tests), 1)
    measured = [one.measure(minimum_rows=policy.minimum_rows, level=first) for one in tested]
    drifts = [found.p_value for found in measured if found is not None]
    adjusted = iter(holm_adjusted(np.array(drifts + [test.p_value for test in tests])).tolist())
    features = {feature.name: feature for feature in config.features}
    reports = [
        judge_column(
            one,
            found,
            DriftRule.of(policy, features.get(one.column.name)),
            level=level,
            minimum_rows=policy.minimum_rows,
            p_value_adjusted=1.0 if found is None else next(adjusted),
        )
        for one, found in zip(tested, measured, strict=True)
    ]
    checks = [[test.judged(next(adjusted), level=level) for test in column_tests] for column_tests in quality]
    columns = [_with_checks(baseline, *pair) for pair in zip(reports[: len(evidence)], checks, strict=True)]
    return Verdicts(
        tuple(columns),
        tuple(c for found in checks for c in found),
        len(drifts) + len(tests),
        tuple(reports[len(evidence) :]),
    )


def _measure_quality(baseline: Baseline, one: ColumnEvidence, policy: DriftPolicy) -> list[QualityTest]:
    healthy = baseline.own[one.column.name]
    return measure_quality(
        one.column, healthy, one.now, policy, design_effect=one.design_effect, rare_levels=len(one.bins.rare)
    )


def _with_checks(baseline: Baseline, report: ColumnReport, checks: Sequence[QualityCheck]) -> ColumnReport:
    found = [check.severity for check in checks if check.severity >= Severity.WARNING]
    importance = importance_of(report.column, baseline.importance)
    return replace(report, severity=worst([report.drift, *found]), importance=importance)
