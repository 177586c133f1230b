"""Measured quality of a window, from counts that add, against the champion's own reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kedge.comparisons import counted, in_words
from kedge.config.metrics import metrics_of
from kedge.config.policies import PerformanceLimit, PerformancePolicy
from kedge.intervals import Estimate
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import OutcomeCounts, measure
from kedge.performance.limits import LimitVerdict, default_limits, is_absolute, judge_limit
from kedge.performance.losses import MetricLoss, judge_losses
from kedge.severity import Severity, worst

# The AUC of answers that know nothing.
_NO_ORDER = 0.5
# What a column of costs gives.
_COSTS = {"cost_per_thousand", "cost_adjusted_accuracy"}
# This number of losses is told in full, the others by name.
_LOSSES_TOLD = 3
_FEW_ROWS = 30
_ONLY_THE_LEVEL = "auc holds: the answers' order is right, but their level is wrong; a recalibration corrects that as well as a retraining"


@dataclass(frozen=True)
class LabelledOutcomes:
    """Answers beside their labels, counted.

    Attributes
    ----------
    counts : BinaryCounts, ClassCounts or ErrorCounts
        Of rows whose label is old enough to be believed.
    unlabelled_rows : int
        Rows as old whose label has not come.
    horizon_reason : str
        Why labels of that age are believed.
    provisional_rows : int
        Labelled rows that are younger: shown, not judged.
    notes : tuple of str
        What else a reader should know of these rows: `OutcomeFaults.sentences`.
    """

    counts: OutcomeCounts
    unlabelled_rows: int
    horizon_reason: str
    provisional_rows: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PerformanceReport:
    """The measured quality of one window.

    Attributes
    ----------
    severity : Severity
        The worst verdict of a limit; a loss in any other metric makes it at least a WARNING.
    verdicts : dict of str to LimitVerdict
        Of the metrics that a limit judges: no other may make the window CRITICAL.
    losses : dict of str to MetricLoss
        Of every metric that is worse than its reference, the largest first.
    """

    severity: Severity
    reasons: tuple[str, ...]
    metrics: dict[str, Estimate]
    reference: dict[str, Estimate]
    verdicts: dict[str, LimitVerdict]
    coverage_fraction: float
    ripe_rows: int
    provisional_rows: int
    horizon_reason: str
    problem: str
    classes: dict[str, int]
    notes: tuple[str, ...] = ()
    losses: dict[str, MetricLoss] = field(default_factory=dict)

    @property
    def limits_severity(self) -> Severity:
        """The worst verdict of a limit; INSUFFICIENT_DATA where none could be judged, whatever else was measured."""
        return worst(verdict.severity for verdict in self.verdicts.values())

    def to_json(self) -> dict[str, Any]:
        """As the report's JSON has it under "performance"; what does not apply is absent."""
        document = {
            "severity": self.severity.value,
            "reasons": list(self.reasons),
            "problem": self.problem,
            "reference": {name: {"value": e.value, "low": e.low, "high": e.high} for name, e in self.reference.items()},
            "metrics": [self._row(estimate) for estimate in self.metrics.values()],
            "coverage_fraction": self.coverage_fraction,
            "ripe_rows": self.ripe_rows,
            "provisional_rows": self.provisional_rows,
            "label_horizon": self.horizon_reason,
        }
        optional = {"classes": self.classes, "notes": list(self.notes)}
        return document | {name: value for name, value in optional.items() if value}

    def _row(self, estimate: Estimate) -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": estimate.name,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
        }
        verdict, loss = self.verdicts.get(estimate.name), self.losses.get(estimate.name)
        row |= {"limit": verdict.limit, "severity": verdict.severity.value} if verdict else {}
        return row | ({"loss": loss.to_json()} if loss else {})


def not_measured(reason: str) -> PerformanceReport:
    """The report of a window whose labels were not read, and why.

    >>> not_measured("no time was left").reasons
    ('performance was not measured: no time was left',)
    """
    said = f"performance was not measured: {reason}"
    horizon = "the labels have not been read"
    return PerformanceReport(
        Severity.INSUFFICIENT_DATA, (said,), {}, {}, {}, 0.0, 0, 0, horizon, problem="", classes={}
    )


def judge_performance(
    outcomes: LabelledOutcomes, reference: OutcomeCounts, policy: PerformancePolicy
) -> PerformanceReport:
    """Judge a window's ripe rows against the champion's out-of-sample reference.

    Each limit is judged on its own (`limits.judge_limit`); the worst verdict is the window's. Beside them every metric is
    compared with its reference (`losses.judge_losses`): a loss is a WARNING, however well the limits are kept. Nothing is
    judged if there are too few ripe rows, labels for too few of them, or labels of one class alone. A metric that compares
    classes is not judged if one class has too few rows. A window whose costs would be judged and are not known is not OK.

    Parameters
    ----------
    reference : OutcomeCounts
        Of the same kind: holdout rows of the champion, which it has not trained on.
    """
    window = outcomes.counts
    coverage = window.rows / max(window.rows + outcomes.unlabelled_rows, 1)
    measured, expected = measure(window, policy), measure(reference, policy)
    missing, unseen = _what_is_missing(window, coverage, policy), _costs_unseen(window, reference, policy)
    if unseen:
        measured = {name: metric for name, metric in measured.items() if name not in _COSTS}
    verdicts: dict[str, LimitVerdict] = {}
    losses: dict[str, MetricLoss] = {}
    if not missing:
        verdicts, missing = _judge_limits(window, reference, policy, measured, expected)
        rare = _uncertain(window, policy) | _averages_of_few(window, reference)
        losses = judge_losses(measured, expected, window.problem, confidence=policy.confidence, without=rare)
        missing += unseen
    severity = worst([*(verdict.severity for verdict in verdicts.values()), *([Severity.WARNING] if losses else [])])
    if unseen and severity is Severity.OK:
        severity = Severity.INSUFFICIENT_DATA
    return PerformanceReport(
        severity,
        _reasons(verdicts, losses, severity, missing),
        measured,
        expected,
        verdicts,
        coverage,
        window.rows,
        outcomes.provisional_rows,
        outcomes.horizon_reason,
        window.problem,
        window.by_class,
        (*_what_is_undefined(window), *answers_against_labels(expected), *outcomes.notes),
        losses,
    )


def limits_of(
    window: OutcomeCounts, reference: OutcomeCounts, policy: PerformancePolicy
) -> tuple[PerformanceLimit, ...]:
    """The policy's limits, else the defaults of the kind of problem; if answers are classes, balanced accuracy replaces AUC.

    >>> nothing = BinaryCounts()
    >>> [limit.metric for limit in limits_of(nothing, nothing, PerformancePolicy())]
    ['balanced_accuracy']
    """
    if policy.limits:
        return policy.limits
    decisions_only = any(isinstance(side, BinaryCounts) and side.decisions_only for side in (window, reference))
    return default_limits(window.problem, decisions_only=decisions_only)


def _judge_limits(
    window: OutcomeCounts,
    reference: OutcomeCounts,
    policy: PerformancePolicy,
    measured: Mapping[str, Estimate],
    expected: Mapping[str, Estimate],
) -> tuple[dict[str, LimitVerdict], list[str]]:
    verdicts: dict[str, LimitVerdict] = {}
    missing = []
    rare, uncertain = _rare_classes(window, policy), _uncertain(window, policy)
    for limit in limits_of(window, reference, policy):
        name = limit.metric
        if name not in measured or (name not in expected and not is_absolute(limit)):
            side = "window" if name not in measured else "reference"
            missing.append(f"{name} is not judged: it is undefined on the {side}")
        elif name in uncertain:
            missing.append(f"{name} is not judged: {rare}")
        else:
            verdict = judge_limit(limit, measured[name], expected.get(name), confidence=policy.confidence)
            # If a metric has two limits, the worse verdict counts.
            verdicts[name] = max(verdicts.get(name, verdict), verdict, key=lambda v: v.severity)
    return verdicts, missing


def _what_is_missing(window: OutcomeCounts, coverage: float, policy: PerformancePolicy) -> list[str]:
    missing = []
    if window.rows < policy.minimum_rows:
        missing.append(f"{counted(window.rows, 'ripe labelled row')}; {policy.minimum_rows:,} are needed")
    elif isinstance(window, BinaryCounts) and min(window.positives, window.negatives) == 0:
        missing.append(f"{_rare_classes(window, policy)}: with one class alone nothing is judged")
    if window.rows and coverage < policy.coverage_min:
        missing.append(f"labels are in for {coverage:.0%} of the ripe rows; {policy.coverage_min:.0%} are needed")
    return missing


def _costs_unseen(window: OutcomeCounts, reference: OutcomeCounts, policy: PerformancePolicy) -> list[str]:
    """A sentence where the costs of `cost_column` would be judged, and no row of the window says any."""
    judged = reference.costs.rows or _COSTS & {limit.metric for limit in policy.limits}
    # A cost that is not known counts as 0: where all are 0, nothing was looked at.
    if policy.cost_column is None or window.costs.staked_squared or not judged:
        return []
    return [f"costs are not judged: no measured row says its {policy.cost_column} (performance.cost_column)"]


def _what_is_undefined(window: OutcomeCounts) -> list[str]:
    said = []
    if window.rows and isinstance(window, BinaryCounts) and window.decisions_only:
        said.append(
            "the answers are classes, not probabilities: only decisions are measured; AUC, average precision, Brier, "
            "log loss and calibration are undefined"
        )
    only = [name for name, rows in window.by_class.items() if rows == window.rows]
    if window.rows and only:
        said.append(
            f"every label is of one class, {only[0]}: AUC and every other metric that compares classes are undefined"
        )
    return said


def answers_against_labels(reference: Mapping[str, Estimate]) -> tuple[str, ...]:
    """A sentence if the reference's answers rank its labels the wrong way round: then a loss looks like a gain.

    >>> answers_against_labels({"auc": Estimate("auc", 0.3, 0.05, 0.2, 0.4)})[0][:45]
    'auc of the reference is 0.3, below one half: '
    """
    found = reference.get("auc")
    if found is None or found.high >= _NO_ORDER:
        return ()
    return (
        f"auc of the reference is {in_words(found.value)}, below one half: its answers point to the other class; let the "
        "prediction be the probability of the last of labels.classes",
    )


def _rare_classes(window: OutcomeCounts, policy: PerformancePolicy) -> str:
    if not isinstance(window, BinaryCounts) or min(window.positives, window.negatives) >= policy.minimum_per_class:
        return ""
    return (
        f"{window.positives} positive and {window.negatives} negative ripe rows; "
        f"{policy.minimum_per_class} of each are needed"
    )


def _uncertain(window: OutcomeCounts, policy: PerformancePolicy) -> set[str]:
    """The metrics that few rows of one class make uncertain."""
    if not _rare_classes(window, policy):
        return set()
    return {metric.name for metric in metrics_of(window.problem) if not metric.over_all_rows}


def _averages_of_few(*sides: OutcomeCounts) -> set[str]:
    """The averages over classes, if a side has few rows of a class: their error is then too small."""
    if all(rows >= _FEW_ROWS for side in sides for rows in side.by_class.values()):
        return set()
    return {metric.name for metric in metrics_of(sides[0].problem) if metric.classes_alike}


def _reasons(
    verdicts: Mapping[str, LimitVerdict],
    losses: Mapping[str, MetricLoss],
    severity: Severity,
    missing: Sequence[str],
) -> tuple[str, ...]:
    """The worst first, then the losses that no limit has told; if nothing is worse, only the first metric that holds."""
    ordered = sorted(verdicts.values(), key=lambda verdict: -verdict.severity.rank)
    told = [verdict.reason for verdict in ordered if verdict.severity > Severity.OK or severity is Severity.OK]
    found = {name: verdict.severity for name, verdict in verdicts.items()}
    if (found.get("auc"), found.get("calibration_in_the_large")) == (Severity.OK, Severity.CRITICAL):
        told.append(_ONLY_THE_LEVEL)
    if severity is Severity.OK:
        told = told[:1]
    untold = [loss for name, loss in losses.items() if found.get(name, Severity.OK) <= Severity.OK]
    more = untold[_LOSSES_TOLD:]
    told += [loss.reason for loss in untold[:_LOSSES_TOLD]]
    told += [f"{counted(len(more), 'more metric')} worse: {', '.join(loss.metric for loss in more)}"] if more else []
    return (*told, *missing)
