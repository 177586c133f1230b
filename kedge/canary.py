"""Whether a canary's answers behave like the champion's: over the same minutes, or just before where all traffic moves at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kedge.canary_reading import NOTHING_READ, SAME_MINUTES, AnswersRead
from kedge.comparisons import counted, figures, in_words
from kedge.model_policies import CanaryPolicy
from kedge.statistics.chi_square import chi_square
from kedge.statistics.kolmogorov_smirnov import ks_exact_p_value, ks_p_value
from kedge.statistics.total_variation import total_variation_distance

Floats = NDArray[np.float64]
# Below this product of answers the exact tail is cheap, and the asymptotic one not yet true.
EXACT_PRODUCT_MAX = 40_000


@dataclass(frozen=True)
class CanaryVerdict:
    """The verdict, with reasons, and how many of the canary's captured answers it rests on.

    HEALTHY, MISBEHAVING, UNDECIDED (no answer was read so far, or none of the champion's to compare it with), or UNPROVEN (that
    still, or too few requests, by the end of the bake).
    """

    verdict: Literal["HEALTHY", "MISBEHAVING", "UNDECIDED", "UNPROVEN"]
    reasons: tuple[str, ...]
    judged: int = 0

    @property
    def gauge(self) -> int:
        """What the rollback alarm reads: 1 sends the canary back."""
        return 1 if self.verdict in ("MISBEHAVING", "UNPROVEN") else 0


@dataclass(frozen=True)
class Unread:
    """Captured records of a fleet that could not be read, and why most of them could not."""

    records: int = 0
    reason: str = ""


def judge_canary(
    canary: Floats,
    champion: Floats,
    policy: CanaryPolicy,
    *,
    requests: int,
    bake_is_ending: bool,
    classes: bool = False,
    unread: tuple[Unread, Unread] = (Unread(), Unread()),
    read: AnswersRead = NOTHING_READ,
) -> CanaryVerdict:
    """Compare the canary's captured answers with the champion's.

    Over the same minutes both fleets answer a random share of the same traffic, so their inputs have one distribution, and a
    two-sample Kolmogorov-Smirnov test on the answers needs no labels; of classes, which have no order, chi-square and
    total variation. A new model is meant to answer a little differently: only a difference that is both certain and
    large sends it back.

    Parameters
    ----------
    canary, champion : ndarray of float, shape (n_answers,)
        Captured answers since the bake began, of several classes their codes; NaN where an answer could not be read.
    requests : int
        Requests the canary has answered by the endpoint's own count.
    bake_is_ending : bool
        Whether this is the last look: then too few requests are UNPROVEN, and so is a canary of which no answer was read.
    classes : bool
        Whether the answers are codes of classes.
    unread : tuple of Unread
        What could not be read of the canary's captures, and of the champion's.
    read : AnswersRead
        What all looks have counted of the canary's answers: one that is no number sends it back, also where it is not in a sample.

    >>> scores = np.linspace(0.1, 0.9, 200)
    >>> judge_canary(scores, scores, CanaryPolicy(), requests=200, bake_is_ending=True).verdict
    'HEALTHY'
    """
    rows, invalid = len(canary), int((~np.isfinite(canary)).sum())
    if read.wrong or invalid:
        wrong, of = (read.wrong, read.rows) if read.wrong >= invalid else (invalid, rows)
        what = "classes that the model's YAML names" if classes else "numbers"
        return CanaryVerdict("MISBEHAVING", (f"{wrong:,} of {of:,} answers of the canary are not {what}",))
    judged = max(read.rows, rows)
    reference = champion[np.isfinite(champion)]
    if len(canary) and len(reference):
        distance, p_value = (_total_variation if classes else _ks)(canary, reference)
        if p_value < policy.behaviour_p_value_min and distance > policy.behaviour_effect_max:
            means = "; means " + " and ".join(figures(float(canary.mean()), float(reference.mean())))
            reason = (
                f"the canary's answers differ from the champion's {read.when}: "
                f"{'total variation' if classes else 'KS'} {in_words(distance)} against {policy.behaviour_effect_max:g}, p {p_value:.1g}"
            )
            return CanaryVerdict("MISBEHAVING", (reason if classes else reason + means,), judged)
    if bake_is_ending and requests < policy.minimum_requests:
        return CanaryVerdict(
            "UNPROVEN",
            (
                f"the canary answered {counted(requests, 'request')}, {policy.minimum_requests:,} are needed to believe it",
            ),
        )
    if not len(canary) or not len(reference):
        reason = _nothing_compared(len(canary), len(reference), unread, requests)
        return CanaryVerdict("UNPROVEN" if bake_is_ending else "UNDECIDED", (reason,))
    against = "" if read.when == SAME_MINUTES else f" with the champion's {read.when}"
    reasons = [f"{counted(requests, 'request')}, {counted(rows, 'captured answer')} compared{against}"]
    if read.sampled:
        reasons.append(f"they are an even sample; {judged:,} answers of the canary were read for errors")
    if read.behind:
        reasons.append(f"{read.behind / 2**20:.0f} MiB of the canary's captures were not read for errors so far")
    return CanaryVerdict("HEALTHY", ("; ".join(reasons),), judged)


def _nothing_compared(canary: int, champion: int, unread: tuple[Unread, Unread], requests: int) -> str:
    """Say why no answer was compared: how many were captured, and what came instead."""
    parts = []
    for fleet, readable, lost in (("canary", canary, unread[0]), ("champion", champion, unread[1])):
        if readable:
            continue
        why = f"none of the {lost.records} captured requests of the {fleet} could be read ({lost.reason})"
        parts.append(why if lost.records else f"nothing was captured of the {fleet}")
    return f"the canary answered {requests} requests, but no answer was compared: {'; '.join(parts)}"


def _total_variation(first: Floats, second: Floats) -> tuple[float, float]:
    codes, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    here, there = (np.bincount(side, minlength=len(codes)) for side in np.split(places, [len(first)]))
    return total_variation_distance(there, here), chi_square(there, here)[1]


def _ks(first: Floats, second: Floats) -> tuple[float, float]:
    pooled = np.sort(np.concatenate([first, second]))
    gap = np.searchsorted(np.sort(first), pooled, "right") / len(first) - np.searchsorted(
        np.sort(second), pooled, "right"
    ) / len(second)
    distance = float(np.abs(gap).max())
    few = len(first) * len(second) <= EXACT_PRODUCT_MAX
    return distance, (ks_exact_p_value if few else ks_p_value)(distance, len(first), len(second))
