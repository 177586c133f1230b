"""The challenger compared with the champion on the same holdout rows: beyond chance, and with a minimum effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from kedge.comparisons import Difference, change, counted, figures, in_words, percent
from kedge.config.gate import GatePolicy
from kedge.config.metrics import direction, gate_metrics
from kedge.config.sections import Problem
from kedge.gate.holdout import GateRow, Holdout, Verdict
from kedge.intervals import z_of
from kedge.performance.measures import Numbers, Truth
from kedge.performance.paired import improvement, in_its_unit, metric_estimate, metric_value

# The AUC of answers that know nothing.
NO_ORDER = 0.5
SLICE_MINIMUM_ROWS, SLICE_MINIMUM_PER_CLASS = 100, 50


def better(holdout: Holdout) -> Sequence[GateRow]:
    """Better than the champion beyond chance, and by at least the minimum effect.

    Where the champion's probabilities have come off the real rate, a challenger that mends that without ranking worse is
    enough; and where the YAML lets a refresh replace an equal champion, so is one that is newer and not worse by the margin.
    Without a champion it must beat what can be said without looking at a row: an AUC of 0.5, or the most frequent class or the
    median of the labels that it has learnt from.
    """
    if holdout.champion is None:
        return [_beats_chance(holdout)]
    return [_beats_champion(holdout, holdout.champion)]


def absolute_limits(holdout: Holdout) -> Sequence[GateRow]:
    """A row for each of `gate.limits`: the challenger's own value, whatever the champion's is."""
    truth, z = holdout.truth, z_of(holdout.config.gate.confidence)
    found = []
    for limit in holdout.config.gate.limits:
        value, error = metric_estimate(limit.metric, truth, holdout.challenger)
        bound = float(limit.at_most if limit.at_least is None else limit.at_least)  # type: ignore[arg-type]
        kept = value >= bound if limit.at_least is not None else value <= bound
        low, high = value - z * error, value + z * error
        said = figures(value, low, high)
        side = "at least" if limit.at_least is not None else "at most"
        verdict: Verdict = "PASS" if kept else "REFUSE"
        reason = f"{limit.metric} is {said[0]} ({said[1]} to {said[2]}); gate.limits wants {side} {bound:g}"
        name = f"limit {limit.metric}"
        before = None if holdout.champion is None else metric_value(limit.metric, truth, holdout.champion)
        found.append(GateRow(name, bound, value, verdict, reason, low, high, limit.metric, before, value))
    return found


def calibration(holdout: Holdout) -> Sequence[GateRow]:
    """The challenger's mean score against the rate of positive rows.

    Refused if it is clearly beyond `gate.calibration_max` and the champion's is not. Otherwise it is a warning: a model may rank
    well with scores that are no probabilities.
    """
    config, labels, scores = holdout.config, holdout.labels, holdout.challenger
    if config.problem != "binary_classification" or np.isin(scores, (0.0, 1.0)).all():
        return []
    z, limit, rows = z_of(config.gate.confidence), config.gate.calibration_max, len(labels)
    off = scores - labels
    value, reach = float(off.mean()), z * float(off.std(ddof=1)) / math.sqrt(rows)
    beyond = abs(value) - reach > limit
    verdict: Verdict = "WARN" if beyond else "PASS"
    said = figures(value, value - reach, value + reach)
    reason = f"the mean score is {said[0]} ({said[1]} to {said[2]}) from the rate of positive rows; gate.calibration_max is {limit:g}"
    before = None
    if holdout.champion is not None:
        before = float((holdout.champion - labels).mean())
        reason += f"; the champion's is {figures(before, value)[0]} from it"
        verdict = "REFUSE" if beyond and abs(before) <= limit else verdict
    name = "calibration_in_the_large"
    return [GateRow("calibration", limit, value, verdict, reason, value - reach, value + reach, name, before, value)]


def no_slice_worse(holdout: Holdout) -> Sequence[GateRow]:
    """No group of rows worse than the champion beyond chance (Bonferroni over the groups); small ones are passed over."""
    if holdout.champion is None:
        return []
    return _no_slice_worse(holdout, holdout.champion)


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


def _beats_chance(holdout: Holdout) -> GateRow:
    """Whether it is better than one answer for all rows: an AUC of 0.5, the most frequent class, the median."""
    policy, problem, challenger = holdout.config.gate, holdout.config.problem, holdout.challenger
    labels = holdout.labels
    if problem == "binary_classification":
        return _ranks_at_all(holdout)
    metric, z, truth = _metric(policy, problem), z_of(policy.confidence), holdout.truth
    known, counts = np.unique(labels if holdout.learnt is None else holdout.learnt, return_counts=True)
    frequent = known[counts.argmax()] if problem != "regression" else np.median(np.repeat(known, counts))
    constant = np.full(len(labels), frequent)
    value, error = improvement(metric, truth, challenger, constant)
    low, high = value - z * error, value + z * error
    before, after = (metric_value(metric, truth, answers) for answers in (constant, challenger))
    found = Difference(metric, direction(metric), before, after, value, low, high, len(labels))
    reason = (
        f"against one constant answer, {found.words}; no champion serves, so the challenger must be clearly better "
        "than a constant"
    )
    verdict: Verdict = "PASS" if low > 0 else "REFUSE"
    return GateRow(f"{metric}_beyond_chance", 0.0, value, verdict, reason, low, high, metric, challenger=after)


def _ranks_at_all(holdout: Holdout) -> GateRow:
    value, error = metric_estimate("auc", holdout.truth, holdout.challenger)
    z = z_of(holdout.config.gate.confidence)
    low, high = value - z * error, value + z * error
    found = figures(value, low, high)
    reason = (
        f"auc is {found[0]} ({found[1]} to {found[2]} on {len(holdout.labels):,} holdout rows); no champion serves, "
        f"so the challenger must be clearly above chance ({NO_ORDER:g})"
    )
    verdict: Verdict = "PASS" if low > NO_ORDER else "REFUSE"
    return GateRow("auc_above_chance", NO_ORDER, value, verdict, reason, low, high, "auc", challenger=value)


def _beats_champion(holdout: Holdout, champion: Numbers) -> GateRow:
    policy, problem, truth, challenger = holdout.config.gate, holdout.config.problem, holdout.truth, holdout.challenger
    metric, z = _metric(policy, problem), z_of(policy.confidence)
    value, error = improvement(metric, truth, challenger, champion)
    least = in_its_unit(policy.minimum_effect, metric, truth, champion)
    low, high = value - z * error, value + z * error
    passes = low > 0 and value >= least
    before, after = (metric_value(metric, truth, answers) for answers in (champion, challenger))
    found = Difference(metric, direction(metric), before, after, value, low, high, len(holdout.labels))
    side = "above" if found.side == "higher" else "below"
    reason = f"{found.words}; the gate needs {found.needed(least)} and an interval {side} 0"
    if not passes and problem == "binary_classification":
        mended = _mends_calibration(truth, challenger, champion, policy)
        passes, reason = bool(mended), f"{reason}; {mended}" if mended else reason
    if not passes and policy.non_inferior is not None:
        passes, words = _not_worse(
            holdout, value, error, in_its_unit(policy.non_inferior.margin, metric, truth, champion)
        )
        reason = f"{reason}; {words}"
    verdict: Verdict = "PASS" if passes else "REFUSE"
    return GateRow(f"{metric}_improvement", least, value, verdict, reason, low, high, metric, before, after)


def _not_worse(holdout: Holdout, value: float, error: float, margin: float) -> tuple[bool, str]:
    """Whether a newer model may replace an equal champion, and the sentence: the one-sided interval stays within the margin."""
    policy, beside = holdout.config.gate, holdout.beside
    rule = policy.non_inferior
    others = [kind for kind in beside.triggers if rule is None or kind not in rule.triggers]
    if rule is None or others or not beside.triggers:
        wanted = ", ".join(others) or "an unknown cause"
        return False, f"gate.non_inferior does not hold for a retraining by {wanted}"
    if beside.fresher_days is not None and beside.fresher_days <= 0:
        return False, "gate.non_inferior is for newer training rows than the champion's"
    low = value - NormalDist().inv_cdf(policy.confidence) * error
    newer = "" if beside.fresher_days is None else f" by {counted(round(beside.fresher_days), 'day')}"
    found = (
        f"its training rows are newer{newer}, and with {percent(policy.confidence)} confidence it is at worst "
        f"{in_words(max(-low, 0.0))} worse (gate.non_inferior.margin allows {in_words(margin)})"
    )
    return (
        low >= -margin,
        f"it passes as not inferior: {found}" if low >= -margin else f"not proved not inferior: {found}",
    )


def _mends_calibration(truth: Truth, challenger: Numbers, champion: Numbers, policy: GatePolicy) -> str:
    """A sentence if the challenger's probabilities fit and the champion's do not; else empty."""
    z, labels = z_of(policy.confidence), truth.labels
    off, left = champion - labels, float((challenger - labels).mean())
    mean, error = float(off.mean()), float(off.std(ddof=1)) / math.sqrt(len(off))
    if abs(mean) - z * error <= policy.calibration_max or abs(left) > policy.calibration_max:
        return ""
    brier, brier_error = improvement("brier", truth, challenger, champion)
    auc, auc_error = improvement("auc", truth, challenger, champion)
    if brier - z * brier_error <= 0 or auc - z * auc_error < -policy.minimum_effect:
        return ""
    values = {
        name: change(name, metric_value(name, truth, champion), metric_value(name, truth, challenger), direction(name))
        for name in ("brier", "auc")
    }
    return (
        f"it passes, because it corrects the probabilities: the champion's mean score is {in_words(abs(mean))} too "
        f"{'high' if mean > 0 else 'low'} (limit {policy.calibration_max:g}), the challenger's is off by {in_words(abs(left))}; "
        f"{values['brier']}, {values['auc']}"
    )


def _no_slice_worse(holdout: Holdout, champion: Numbers) -> list[GateRow]:
    labels, challenger, truth = holdout.labels, holdout.challenger, holdout.truth
    policy, problem, slices = holdout.config.gate, holdout.config.problem, holdout.slices
    large = {name: rows for name, rows in slices.items() if _is_large(labels[rows], problem)}
    metric = _metric(policy, problem)
    least = in_its_unit(policy.minimum_effect, metric, truth, champion)
    found = []
    for name, rows in large.items():
        z = z_of(1 - (1 - policy.confidence) / len(large))
        value, error = improvement(metric, truth.at(rows), challenger[rows], champion[rows])
        low, high = value - z * error, value + z * error
        worse = high < -least
        before, after = (metric_value(metric, truth.at(rows), given[rows]) for given in (champion, challenger))
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
    nearest = min(found, key=lambda row: row.value or 0.0)
    if (nearest.value or 0.0) >= 0:
        which = f"the smallest gain is {nearest.reason}"
    else:
        which = f"the largest loss is {nearest.reason}, not enough to call it worse"
    reason = f"no slice is clearly worse ({len(found)} compared); {which}"
    return [GateRow("slices", nearest.limit, nearest.value, "PASS", reason, nearest.low, nearest.high)]


def _is_large(labels: Numbers, problem: Problem) -> bool:
    if problem == "binary_classification":
        return min(int((labels == 1).sum()), int((labels == 0).sum())) >= SLICE_MINIMUM_PER_CLASS
    return len(labels) >= SLICE_MINIMUM_ROWS
