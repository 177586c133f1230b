"""Whether a challenger may be proposed: paired on the same holdout rows, with a minimum effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.model_config import GatePolicy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Verdict = Literal["PASS", "REFUSE"]
SLICE_MINIMUM_PER_CLASS = 50


@dataclass(frozen=True)
class GateRow:
    """One requirement: what was asked, what was found, and the verdict in words."""

    gate: str
    limit: float
    value: float
    verdict: Verdict
    reason: str
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As DESIGN.md's gate row; what does not apply is absent."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class GateReport:
    """PASS only if every row passes."""

    rows: tuple[GateRow, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst row's verdict."""
        return "PASS" if all(row.verdict == "PASS" for row in self.rows) else "REFUSE"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was refused, or by how much it passed."""
        refused = tuple(row.reason for row in self.rows if row.verdict == "REFUSE")
        return refused or tuple(row.reason for row in self.rows)


def paired_auc_difference(labels: Ints, challenger: Floats, champion: Floats) -> tuple[float, float]:
    """AUC of the challenger less the champion's on the same rows, and its standard error.

    The variance of paired placements: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837.
    Both classes must be present.

    Parameters
    ----------
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    challenger, champion : ndarray of float, shape (n_rows,)
        Scores of the same rows.

    >>> labels = np.array([0, 0, 1, 1])
    >>> paired_auc_difference(labels, np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.1, 0.4, 0.35, 0.8]))[0]
    0.25
    """
    positive = labels == 1
    of_challenger = _placements(challenger[positive], challenger[~positive])
    of_champion = _placements(champion[positive], champion[~positive])
    by_positive, by_negative = (a - b for a, b in zip(of_challenger, of_champion, strict=True))
    variance = np.var(by_positive, ddof=1) / len(by_positive) + np.var(by_negative, ddof=1) / len(by_negative)
    return float(by_positive.mean()), math.sqrt(float(variance))


def _placements(positives: Floats, negatives: Floats) -> tuple[Floats, Floats]:
    """Share of the other class that each row outranks (positives) or is outranked by (negatives)."""
    return _share_below(positives, negatives), 1.0 - _share_below(negatives, positives)


def _share_below(values: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (left + right) / (2 * len(others))


def _mean_improvement(metric: str, labels: Ints, challenger: Floats, champion: Floats) -> tuple[float, float]:
    gain = _row_losses(metric, labels, champion) - _row_losses(metric, labels, challenger)
    return float(gain.mean()), float(gain.std(ddof=1) / math.sqrt(len(gain)))


def _row_losses(metric: str, labels: Ints, scores: Floats) -> Floats:
    if metric == "brier":
        return (scores - labels) ** 2
    safe = np.clip(scores, 1e-15, 1 - 1e-15)
    return -np.where(labels == 1, np.log(safe), np.log1p(-safe))


def improvement(metric: str, labels: Ints, challenger: Floats, champion: Floats) -> tuple[float, float]:
    """How much better the challenger is in `metric`, positive is better, and its standard error.

    >>> improvement("brier", np.array([0, 1]), np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    (0.25, 0.0)
    """
    if metric == "auc":
        return paired_auc_difference(labels, challenger, champion)
    return _mean_improvement(metric, labels, challenger, champion)


def judge_challenger(
    labels: Ints,
    challenger: Floats,
    champion: Floats | None,
    policy: GatePolicy,
    *,
    slices: Mapping[str, NDArray[np.bool_]] | None = None,
) -> GateReport:
    """Judge a challenger on the holdout that both models scored.

    It passes when there are enough rows of both classes, every score is a probability, it is better than
    the champion beyond chance (the interval of the paired difference is above zero) and by at
    least the minimum effect, and no slice is worse beyond chance (Bonferroni over the slices). Without a champion
    it must beat chance.

    Parameters
    ----------
    labels : ndarray of int, shape (n_rows,)
        1 for the positive class, 0 for the other.
    challenger, champion : ndarray of float, shape (n_rows,)
        Scores of the same rows; `champion` is None for a model's first package.
    slices : mapping of str to ndarray of bool, shape (n_rows,), optional
        Named groups of rows; those with fewer than 50 rows of a class are passed over.
    """
    rows = [_enough_rows(labels, policy), _scores_are_probabilities(challenger)]
    if all(row.verdict == "PASS" for row in rows):
        z = NormalDist().inv_cdf(0.5 + policy.confidence / 2)
        if champion is None:
            rows.append(_beats_chance(labels, challenger, z))
        else:
            rows.append(_beats_champion(labels, challenger, champion, policy, z))
            rows.extend(_no_slice_worse(labels, challenger, champion, policy, slices or {}))
    return GateReport(tuple(rows))


def _enough_rows(labels: Ints, policy: GatePolicy) -> GateRow:
    positives = int((labels == 1).sum())
    smaller = min(positives, len(labels) - positives)
    enough = len(labels) >= policy.minimum_holdout_rows and smaller >= 2
    reason = f"the holdout has {len(labels)} rows, {positives} of them positive; {policy.minimum_holdout_rows} rows of both classes are needed"
    return GateRow("holdout_rows", policy.minimum_holdout_rows, len(labels), "PASS" if enough else "REFUSE", reason)


def _scores_are_probabilities(scores: Floats) -> GateRow:
    bad = int((~((scores >= 0) & (scores <= 1))).sum())
    reason = f"{bad} of {len(scores)} answers of the challenger are not between 0 and 1"
    return GateRow("valid_scores", 0, bad, "REFUSE" if bad else "PASS", reason)


def _beats_chance(labels: Ints, challenger: Floats, z: float) -> GateRow:
    positive = labels == 1
    of_positive, of_negative = _placements(challenger[positive], challenger[~positive])
    value = float(of_positive.mean())
    error = math.sqrt(np.var(of_positive, ddof=1) / len(of_positive) + np.var(of_negative, ddof=1) / len(of_negative))
    low, high = value - z * error, min(value + z * error, 1.0)
    reason = (
        f"AUC {value:.3f} ({low:.3f} to {high:.3f}) on the holdout; there is no champion, so it must beat chance, 0.5"
    )
    return GateRow("auc_above_chance", 0.5, value, "PASS" if low > 0.5 else "REFUSE", reason, low, high)


def _beats_champion(labels: Ints, challenger: Floats, champion: Floats, policy: GatePolicy, z: float) -> GateRow:
    value, error = improvement(policy.metric, labels, challenger, champion)
    low, high = value - z * error, value + z * error
    passes = low > 0 and value >= policy.minimum_effect
    reason = (
        f"{policy.metric} is better by {value:+.4f} ({low:+.4f} to {high:+.4f}) on {len(labels)} paired rows; "
        f"at least {policy.minimum_effect:g}, and more than chance, is asked for"
    )
    return GateRow(
        f"{policy.metric}_improvement", policy.minimum_effect, value, "PASS" if passes else "REFUSE", reason, low, high
    )


def _no_slice_worse(
    labels: Ints, challenger: Floats, champion: Floats, policy: GatePolicy, slices: Mapping[str, NDArray[np.bool_]]
) -> list[GateRow]:
    large = {
        name: rows for name, rows in slices.items()
        if min((labels[rows] == 1).sum(), (labels[rows] == 0).sum()) >= SLICE_MINIMUM_PER_CLASS
    }  # fmt: skip
    found = []
    for name, rows in large.items():
        z = NormalDist().inv_cdf(1 - (1 - policy.confidence) / (2 * len(large)))
        value, error = improvement(policy.metric, labels[rows], challenger[rows], champion[rows])
        low, high = value - z * error, value + z * error
        worse = high < -policy.minimum_effect
        reason = f"on {name} {policy.metric} moves by {value:+.4f} ({low:+.4f} to {high:+.4f}, {int(rows.sum())} rows)"
        found.append(
            GateRow(f"slice {name}", -policy.minimum_effect, value, "REFUSE" if worse else "PASS", reason, low, high)
        )
    return found
