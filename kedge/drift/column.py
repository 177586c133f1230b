"""One column's drift: its statistics, whether they are beyond chance and beyond the limits, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kedge.columns.casting import Column
from kedge.comparisons import counted, figures, in_words
from kedge.config.policies import DriftPolicy
from kedge.config.sections import Feature
from kedge.drift.evidence import ColumnEvidence, Measured
from kedge.profile.baseline import ColumnCounts
from kedge.severity import Severity


@dataclass(frozen=True)
class DriftRule:
    """One column's limits.

    Attributes
    ----------
    by_psi : bool
        Whether the limits are on the raw PSI, without a test. Else they are on the effect beyond the effect without drift, and the
        p-value must be below the level too: the p-value alone would call every large window drifted, the effect alone every small one.
    warning, critical : float
    """

    by_psi: bool
    warning: float
    critical: float

    @classmethod
    def of(cls, policy: DriftPolicy, feature: Feature | None = None) -> DriftRule:
        """The model's rule with a feature's own limits; if that for CRITICAL is below that for WARNING, both get it.

        >>> DriftRule.of(DriftPolicy(rule="sensitive"), Feature(name="x", kind="numeric", effect_max=0.01))
        DriftRule(by_psi=False, warning=0.01, critical=0.01)
        """
        by_psi = policy.rule == "psi"
        warning, critical = (policy.psi_warning, policy.psi_max) if by_psi else policy.effect_floors
        own = None if feature is None else feature.psi_max if by_psi else feature.effect_max
        critical = critical if own is None else own
        if feature is not None and feature.effect_warning is not None and not by_psi:
            warning = feature.effect_warning
        return cls(by_psi, min(warning, critical), critical)

    def severity(self, measured: Measured, p_value_adjusted: float, level: float) -> Severity:
        """OK, WARNING or CRITICAL.

        Parameters
        ----------
        p_value_adjusted : float
            Corrected over every test of the run.
        level : float
            Probability that a window alarms although nothing has drifted.
        """
        if self.by_psi:
            psi = measured.statistics["psi"]
            return Severity.CRITICAL if psi > self.critical else Severity.WARNING if psi > self.warning else Severity.OK
        beyond = measured.effect - measured.effect_without_drift
        if p_value_adjusted >= level or beyond < self.warning:
            return Severity.OK
        return Severity.CRITICAL if beyond >= self.critical else Severity.WARNING

    def smallest_detectable(self, measured: Measured) -> float | None:
        """The effect from which this window would certainly have been called drifted; None under the PSI rule.

        Parameters
        ----------
        measured : Measured
            Its `certain_effect` for the level that the smallest p-value of the run must pass.
        """
        if self.by_psi:
            return None
        return min(max(measured.certain_effect, measured.effect_without_drift + self.warning), 1.0)

    def words(self, measured: Measured, severity: Severity, *, effect: str) -> str:
        """The measured value and its limit.

        Parameters
        ----------
        effect : str
            Name of the effect: KS, or total variation.
        """
        limit = self.critical if severity is Severity.CRITICAL else self.warning
        psi = f"PSI {in_words(measured.statistics['psi'])}"
        if self.by_psi:
            return f"{psi} (limit {in_words(limit)})"
        repeats = f", {measured.design_effect:.1f} rows counted as one" if measured.design_effect > 1 else ""
        found, chance, bound = figures(measured.effect, measured.effect_without_drift, limit)
        return f"{effect} {found} ({chance} without drift{repeats}; limit {bound}), {psi}"


@dataclass(frozen=True)
class ColumnReport:
    """One column's verdict.

    Attributes
    ----------
    severity : Severity
        The worst of the tests that ran, data quality among them.
    drift : Severity
        Severity of the drift test alone.
    words : callable
        Gives the reason: of most columns of most windows nobody reads it.
    statistics : mapping of str to float
        By the names of `kedge.statistics.every_statistic`; what does not apply is absent.
    p_value_adjusted : float
        Of KS or chi-square under the design effect, Holm-corrected over every test of the run.
    effect : float
        KS statistic of a numeric column, total variation of a categorical one, 0 to 1.
    effect_without_drift : float
        The average effect at these sizes when nothing has moved.
    smallest_detectable_effect : float
        The smallest effect that this window would certainly have called drift; absent if the rule makes no test.
    design_effect : float
        How many rows count as one independent row, at least 1.
    rows_needed : int
        Needed rows with a value; absent if there are enough.
    importance : float
        The feature's share in the model, 0 to 1; absent if unknown, and for the prediction.
    against : str
        The baseline, if it is not the training data.
    """

    column: Column
    severity: Severity
    drift: Severity
    rows: int
    words: Callable[[], str]
    statistics: Mapping[str, float]
    p_value_adjusted: float | None = None
    effect: float | None = None
    effect_without_drift: float | None = None
    smallest_detectable_effect: float | None = None
    design_effect: float | None = None
    rows_needed: int | None = None
    missing_fraction: float = 0.0
    unseen_fraction: float | None = None
    out_of_range_fraction: float | None = None
    unparsable_fraction: float | None = None
    importance: float | None = None
    against: str | None = None

    @cached_property
    def reason(self) -> str:
        """The verdict in words."""
        return self.words()

    @property
    def relevance(self) -> float:
        """The rank of a column: its effect beyond chance times its importance (1 if unknown)."""
        beyond = max((self.effect or 0.0) - (self.effect_without_drift or 0.0), 0.0)
        return beyond * (1.0 if self.importance is None else self.importance)

    def to_json(self) -> dict[str, Any]:
        """As the report's JSON has it under "columns"; what does not apply is absent."""
        facts: dict[str, Any] = {
            "name": self.column.name,
            "role": self.column.role,
            "kind": self.column.counted_as,
            "severity": self.severity.value,
            "reason": self.reason,
            "statistics": dict(self.statistics),
            "rows": self.rows,
        }
        optional = (
            "p_value_adjusted",
            "effect",
            "effect_without_drift",
            "smallest_detectable_effect",
            "design_effect",
            "rows_needed",
            "missing_fraction",
            "unseen_fraction",
            "out_of_range_fraction",
            "unparsable_fraction",
            "importance",
            "against",
        )
        return facts | {name: getattr(self, name) for name in optional if getattr(self, name) is not None}


def judge_column(
    evidence: ColumnEvidence,
    measured: Measured | None,
    rule: DriftRule,
    *,
    level: float,
    minimum_rows: int,
    p_value_adjusted: float = 1.0,
) -> ColumnReport:
    """Judge a column by its rule.

    Parameters
    ----------
    measured : Measured, optional
        None if there were too few rows to measure anything.
    level : float
        Probability that the window alarms although nothing has drifted.
    minimum_rows : int
        Needed rows with a value.
    p_value_adjusted : float
        Corrected over every test of the run.
    """
    column, now = evidence.column, evidence.now
    if measured is None:
        return _unmeasured(evidence, minimum_rows)
    severity = rule.severity(measured, p_value_adjusted, level)
    effect = "KS" if column.is_number else "total variation"
    return ColumnReport(
        column,
        severity,
        severity,
        now.rows,
        lambda: f"{column.name}: {rule.words(measured, severity, effect=effect)}; {evidence.moved}",
        measured.statistics,
        p_value_adjusted,
        measured.effect,
        measured.effect_without_drift,
        rule.smallest_detectable(measured),
        measured.design_effect,
        **_fractions(column, now),
    )


def _unmeasured(evidence: ColumnEvidence, minimum_rows: int) -> ColumnReport:
    column, now, nothing = evidence.column, evidence.now, Severity.INSUFFICIENT_DATA
    found = int(now.with_unseen.sum())
    needed = minimum_rows if found < minimum_rows else None
    why = f"{counted(found, 'row')} with a value; {minimum_rows:,} are needed to judge drift"
    if needed is None:
        why = "no row of the baseline has a value, so drift cannot be judged"
    reason = f"{column.name}: {why}"
    return ColumnReport(
        column, nothing, nothing, now.rows, lambda: reason, {}, rows_needed=needed, **_fractions(column, now)
    )


def _fractions(column: Column, counts: ColumnCounts) -> dict[str, Any]:
    rows = max(counts.rows, 1)
    fractions = {"missing_fraction": counts.missing / rows}
    if not column.is_number:
        return fractions | {"unseen_fraction": counts.unseen / rows}
    return fractions | {
        "out_of_range_fraction": counts.out_of_range / rows,
        "unparsable_fraction": (counts.unparsable + counts.infinite) / rows,
    }
