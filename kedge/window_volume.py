"""Rows of a window against the same hours of earlier weeks: how many there are, and hours that are silent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from kedge.model_policies import QualityPolicy
from kedge.quality import QualityCheck
from kedge.severity import warned_if
from kedge.window_facts import HOUR, WindowFacts, in_words

# Of a thousand windows in which nothing is wrong one is told.
LEVEL = 0.001
# So many earlier weeks are needed to know how much weeks differ.
WEEKS_NEEDED = 3


def volume_p_value(rows: int, earlier: Sequence[int]) -> float:
    """Probability of a total this far from the earlier weeks' totals if it is one more of them, two-sided.

    Student's t of the next logarithm given k earlier ones, (x - mean) / (s sqrt(1 + 1/k)) with k - 1 degrees of freedom
    (Hahn and Meeker 1991, Statistical Intervals, section 4.8). s is what weeks really differ by, and never less than what
    counting alone makes them differ by: requests are no Poisson stream, and a holiday is no outage.

    >>> volume_p_value(100, [100, 100, 100])
    1.0
    >>> volume_p_value(0, [1000, 1100, 900]) < 0.01 < volume_p_value(0, [5, 100, 1000])
    True
    """
    logs = np.log(np.asarray(earlier, float) + 0.5)
    weeks, mean = len(logs), float(logs.mean())
    spread = max(float(logs.std(ddof=1)), float(np.exp(-mean / 2)))
    distance = abs(float(np.log(rows + 0.5)) - mean) / (spread * np.sqrt(1 + 1 / weeks))
    return 2 * float(stdtr(weeks - 1, -distance))


def judge_volume(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    """The new stretch's total against the same hours of earlier weeks; None with fewer than three of those.

    A WARNING where the ratio to their geometric mean is beyond the policy's *and* `volume_p_value` is below `LEVEL`: the ratio
    alone would call every small stream's night a fault, the p-value alone every steady stream's holiday.

    >>> from datetime import datetime, timedelta
    >>> facts = WindowFacts(datetime(2016, 1, 4), timedelta(hours=1), [10], [[100], [90], [110], [105]])
    >>> judge_volume(facts, QualityPolicy()).severity.value
    'WARNING'
    """
    totals = [sum(week) for week in facts.earlier_weeks]
    if not facts.stretch or len(totals) < WEEKS_NEEDED or not any(totals):
        return None
    rows, usual = sum(facts.stretch), float(np.exp(np.log(np.asarray(totals) + 0.5).mean()))
    ratio = (rows + 0.5) / usual
    beyond = max(ratio, 1 / ratio) > policy.volume_ratio_max
    certain = volume_p_value(rows, totals) < LEVEL
    reason = (
        f"{rows} rows in the last {in_words(facts.cadence)}; the same hours of {len(totals)} earlier weeks had {min(totals)} to "
        f"{max(totals)}"
    )
    limit = policy.volume_ratio_max if ratio > 1 else 1 / policy.volume_ratio_max
    return QualityCheck("volume", "", warned_if(beyond and certain), ratio, limit, reason)


def judge_silence(facts: WindowFacts) -> QualityCheck | None:
    """The run of hours without any row in which the earlier weeks had the most; None where there is none.

    A WARNING where so many rows cannot be missing by chance, and no earlier week has paused like that.

    >>> from datetime import datetime, timedelta
    >>> facts = WindowFacts(datetime(2016, 1, 4), timedelta(hours=4), [9, 0, 0, 8], [[9] * 4] * 3)
    >>> judge_silence(facts).severity.value
    'WARNING'
    """
    stretch, weeks = np.asarray(facts.stretch), np.asarray(facts.earlier_weeks, float)
    if not stretch.any() or len(weeks) < WEEKS_NEEDED:
        return None
    # The median: a burst in one of the weeks makes no hour a busy one.
    usual = np.median(weeks, axis=0)
    run = _longest_silence(stretch, usual)
    if run is None:
        return None
    start, end = run
    expected = float(usual[start:end].sum())
    paused = [float(usual[slice(*found)].sum()) for week in weeks if (found := _longest_silence(week, usual))]
    limit = max(_credible_silence(LEVEL / len(stretch), _dispersion(weeks), len(weeks)), *paused, 0.0)
    since = facts.end - (len(stretch) - start) * HOUR
    reason = (
        f"no row in {end - start} hours from {since:%Y-%m-%d %H:%M}; the same hours of {len(weeks)} earlier weeks had "
        f"about {expected:.0f}"
    )
    return QualityCheck("silence", "", warned_if(expected > limit), expected, limit, reason)


def _longest_silence(counts: NDArray[Any], usual: NDArray[np.float64]) -> tuple[int, int] | None:
    """First and past-the-last hour of the run without rows that usually has the most, cut to hours that usually have some."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], counts == 0, [False]]).astype(np.int8)))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    if not runs:
        return None
    start, end = max(runs, key=lambda run: float(usual[slice(*run)].sum()))
    busy = np.flatnonzero(usual[start:end])
    return (start + int(busy[0]), start + int(busy[-1]) + 1) if len(busy) else None


def _dispersion(weeks: NDArray[np.float64]) -> float:
    """Variance over mean of the hours' counts between weeks (Pearson's), at least a Poisson stream's 1."""
    mean = weeks.mean(axis=0)
    known = mean > 0
    squares = (weeks[:, known] - mean[known]) ** 2 / mean[known]
    return max(float(squares.sum() / max((len(weeks) - 1) * int(known.sum()), 1)), 1.0)


def _credible_silence(level: float, clumps: float, weeks: int) -> float:
    """The mean of so many weeks at which all of their rows, and none of the next week's, come together with this probability.

    Rows come in clumps, log-series distributed so that counts are negative binomial; each clump of all the weeks would as
    well have fallen into the next one (the conditional test of two Poisson rates: Przyborowski and Wilenski 1940, Biometrika
    31, 313).
    """
    rows_a_clump = (clumps - 1) / float(np.log(clumps)) if clumps > 1 else 1.0
    return -float(np.log(level)) * rows_a_clump / (weeks * float(np.log1p(1 / weeks)))
