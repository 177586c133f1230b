"""The challenger compared with the champion on the same holdout rows: beyond chance, and with a minimum effect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from kedge.arrays import Bools
from kedge.comparisons import Difference, change, counted, figures, in_words
from kedge.config.metrics import direction, find, gate_metrics
from kedge.config.policies import GatePolicy
from kedge.config.sections import Problem
from kedge.gate.holdout import GateRow, Holdout, Verdict
from kedge.intervals import z_of
from kedge.performance.paired import Numbers, improvement, metric_value, placements

# The AUC of answers that know nothing.
NO_ORDER = 0.5
SLICE_MINIMUM_ROWS, SLICE_MINIMUM_PER_CLASS = 100, 50


def better(holdout: Holdout) -> Sequence[GateRow]:
    """Better than the champion beyond chance, and by at least the minimum effect.

    Where the champion's probabilities have come off the real rate, a challenger that mends that without ranking worse is
    enough. Without a champion it must beat what can be said without looking at a row: an AUC of 0.5, or the most
    frequent class or the median of the labels that it has learnt from.
    """
    labels, policy, problem = holdout.labels, holdout.config.gate, holdout.config.problem
    if holdout.champion is None:
        learnt = labels if holdout.learnt is None else holdout.learnt
        return [_beats_chance(labels, holdout.challenger, learnt, policy, problem)]
    return [_beats_champion(labels, holdout.challenger, holdout.champion, policy, problem)]


def no_slice_worse(holdout: Holdout) -> Sequence[GateRow]:
    """No group of rows worse than the champion beyond chance (Bonferroni over the groups); small ones are passed over."""
    if holdout.champion is None:
        return []
    sides = holdout.labels, holdout.challenger, holdout.champion
    return _no_slice_worse(*sides, holdout.config.gate, holdout.config.problem, holdout.slices)


def _metric(policy: GatePolicy, problem: Problem) -> str:
    return policy.metric or gate_metrics(problem)[0]


def enough_rows(holdout: Holdout) -> GateRow:
    """As many rows as the policy wants, and of classes some of each."""
    labels, policy, problem = holdout.labels, holdout.config.gate, holdout.config.problem
    enough = len(labels) >= policy.minimum_holdout_rows
    reason = f"the holdout has {counted(len(labels), 'row')}; {policy.minimum_holdout_rows:,} are needed"
    if problem != "regression":
        _, counts = np.unique(labels, return_counts=True)
        enough = enough and len(counts) >= 2 and int(counts.min()) >= (2 if problem == "binary_classification" else 1)
        reason += f"; {int((labels == 1).sum()):,} of the rows are positive" if len(counts) <= 2 else ""
    return GateRow("holdout_rows", policy.minimum_holdout_rows, len(labels), "PASS" if enough else "REFUSE", reason)


def answers_are_possible(holdout: Holdout) -> GateRow:
    """Each answer of the challenger can be one: a probability, a class of the model, a number."""
    answers = holdout.challenger
    possible, words = {
        "binary_classification": ((answers >= 0) & (answers <= 1), "between 0 and 1"),
        "multiclass_classification": (answers >= 0, "among the model's classes"),
        "regression": (np.isfinite(answers), "finite numbers"),
    }[holdout.config.problem]
    bad = int((~possible).sum())
    reason = (
        f"{bad:,} of the challenger's {counted(len(answers), 'answer')} {'is' if bad == 1 else 'are'} not {words}"
        if bad
        else f"all {counted(len(answers), 'answer')} of the challenger are valid ({words})"
    )
    return GateRow("valid_scores", 0, bad, "REFUSE" if bad else "PASS", reason)


def _beats_chance(
    labels: Numbers, challenger: Numbers, learnt: Numbers, policy: GatePolicy, problem: Problem
) -> GateRow:
    """Whether it is better than one answer for all rows: an AUC of 0.5, the most frequent class, the median."""
    if problem == "binary_classification":
        return _ranks_at_all(labels, challenger, policy)
    metric, z = _metric(policy, problem), z_of(policy.confidence)
    known, counts = np.unique(learnt, return_counts=True)
    constant = np.full(len(labels), known[counts.argmax()] if problem != "regression" else np.median(learnt))
    value, error = improvement(metric, labels, challenger, constant)
    low, high = value - z * error, value + z * error
    before, after = (metric_value(metric, labels, answers) for answers in (constant, challenger))
    found = Difference(metric, direction(metric), before, after, value, low, high, len(labels))
    reason = (
        f"against one constant answer, {found.words}; no champion serves, so the challenger must be clearly better "
        "than a constant"
    )
    verdict: Verdict = "PASS" if low > 0 else "REFUSE"
    return GateRow(f"{metric}_beyond_chance", 0.0, value, verdict, reason, low, high, metric, challenger=after)


def _ranks_at_all(labels: Numbers, challenger: Numbers, policy: GatePolicy) -> GateRow:
    z, positive, scores = z_of(policy.confidence), labels == 1, np.asarray(challenger, np.float64)
    of_positive, of_negative = placements(scores[positive], scores[~positive])
    spread = np.var(of_positive, ddof=1) / len(of_positive) + np.var(of_negative, ddof=1) / len(of_negative)
    value, error = float(of_positive.mean()), math.sqrt(float(spread))
    low, high = value - z * error, value + z * error
    found = figures(value, low, high)
    reason = (
        f"auc is {found[0]} ({found[1]} to {found[2]} on {len(labels):,} holdout rows); no champion serves, "
        f"so the challenger must be clearly above chance ({NO_ORDER:g})"
    )
    verdict: Verdict = "PASS" if low > NO_ORDER else "REFUSE"
    return GateRow("auc_above_chance", NO_ORDER, value, verdict, reason, low, high, "auc", challenger=value)


def _beats_champion(
    labels: Numbers, challenger: Numbers, champion: Numbers, policy: GatePolicy, problem: Problem
) -> GateRow:
    metric, z = _metric(policy, problem), z_of(policy.confidence)
    value, error = improvement(metric, labels, challenger, champion)
    least = _minimum_effect(metric, labels, champion, policy)
    low, high = value - z * error, value + z * error
    passes = low > 0 and value >= least
    before, after = (metric_value(metric, labels, answers) for answers in (champion, challenger))
    found = Difference(metric, direction(metric), before, after, value, low, high, len(labels))
    side = "above" if found.side == "higher" else "below"
    reason = f"{found.words}; the gate needs {found.needed(least)} and an interval {side} 0"
    if not passes and problem == "binary_classification":
        mended = _mends_calibration(labels, challenger, champion, policy)
        passes, reason = bool(mended), f"{reason}; {mended}" if mended else reason
    verdict: Verdict = "PASS" if passes else "REFUSE"
    return GateRow(f"{metric}_improvement", least, value, verdict, reason, low, high, metric, before, after)


def _minimum_effect(metric: str, labels: Numbers, champion: Numbers, policy: GatePolicy) -> float:
    """In the metric's unit; an error has the champion's own as its unit."""
    known = find(metric)
    relative = known is not None and known.unit == "label"
    scale = metric_value(metric, labels, champion) if relative else 1.0
    return policy.minimum_effect * scale


def _mends_calibration(labels: Numbers, challenger: Numbers, champion: Numbers, policy: GatePolicy) -> str:
    """A sentence if the challenger's probabilities fit and the champion's do not; else empty."""
    z = z_of(policy.confidence)
    off, left = champion - labels, float((challenger - labels).mean())
    mean, error = float(off.mean()), float(off.std(ddof=1)) / math.sqrt(len(off))
    if abs(mean) - z * error <= policy.calibration_max or abs(left) > policy.calibration_max:
        return ""
    brier, brier_error = improvement("brier", labels, challenger, champion)
    auc, auc_error = improvement("auc", labels, challenger, champion)
    if brier - z * brier_error <= 0 or auc - z * auc_error < -policy.minimum_effect:
        return ""
    values = {
        name: change(
            name, metric_value(name, labels, champion), metric_value(name, labels, challenger), direction(name)
        )
        for name in ("brier", "auc")
    }
    return (
        f"it passes, because it corrects the probabilities: the champion's mean score is {in_words(abs(mean))} too "
        f"{'high' if mean > 0 else 'low'} (limit {policy.calibration_max:g}), the challenger's is off by {in_words(abs(left))}; "
        f"{values['brier']}, {values['auc']}"
    )


def _no_slice_worse(
    labels: Numbers,
    challenger: Numbers,
    champion: Numbers,
    policy: GatePolicy,
    problem: Problem,
    slices: Mapping[str, Bools],
) -> list[GateRow]:
    large = {name: rows for name, rows in slices.items() if _is_large(labels[rows], problem)}
    metric = _metric(policy, problem)
    least = _minimum_effect(metric, labels, champion, policy)
    found = []
    for name, rows in large.items():
        z = z_of(1 - (1 - policy.confidence) / len(large))
        value, error = improvement(metric, labels[rows], challenger[rows], champion[rows])
        low, high = value - z * error, value + z * error
        worse = high < -least
        before, after = (metric_value(metric, labels[rows], given[rows]) for given in (champion, challenger))
        reason = f"on {name}: {Difference(metric, direction(metric), before, after, value, low, high, int(rows.sum())).words}"
        if worse:
            reason += f"; no slice may be clearly worse by more than {in_words(least)}"
        verdict: Verdict = "REFUSE" if worse else "PASS"
        found.append(GateRow(f"slice {name}", -least, value, verdict, reason, low, high, metric, before, after))
    refused = [row for row in found if row.verdict == "REFUSE"]
    return refused or _no_slice_lost(found)


def _no_slice_lost(found: list[GateRow]) -> list[GateRow]:
    """One row instead of a hundred that pass: the number of slices, and the slice that gained least or lost most."""
    if not found:
        return []
    nearest = min(found, key=lambda row: row.value)
    if nearest.value >= 0:
        which = f"the smallest gain is {nearest.reason}"
    else:
        which = f"the largest loss is {nearest.reason}, not enough to call it worse"
    reason = f"no slice is clearly worse ({len(found)} compared); {which}"
    return [GateRow("slices", nearest.limit, nearest.value, "PASS", reason, nearest.low, nearest.high)]


def _is_large(labels: Numbers, problem: Problem) -> bool:
    if problem == "binary_classification":
        return min(int((labels == 1).sum()), int((labels == 0).sum())) >= SLICE_MINIMUM_PER_CLASS
    return len(labels) >= SLICE_MINIMUM_ROWS
