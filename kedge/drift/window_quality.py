"""Data quality of a window as a whole: its age, its rows against earlier weeks, silent hours, and its captured requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from kedge.comparisons import counted
from kedge.config.policies import QualityPolicy
from kedge.drift.column_quality import QualityCheck, binomial_tail
from kedge.severity import Severity, warned_if, worst

HOUR = timedelta(hours=1)
# One window in a thousand warns although nothing is wrong.
LEVEL = 0.001
# This many earlier weeks are needed to know how much weeks differ.
WEEKS_NEEDED = 3
# A gap is a silence if it is this many times as long as any before, among at least this many gaps.
SILENCE_RATIO, GAPS_NEEDED = 2.0, 10
# From this many requests without a capture it is certain that capture does not work.
UNCAPTURED_CERTAIN = 100
# If a tenth of the records is unreadable, it is not noise.
UNREADABLE_CRITICAL = 0.1


@dataclass(frozen=True)
class WindowFacts:
    """Facts about a window beside its columns.

    Attributes
    ----------
    end : datetime
        The window's end; its last row should be near.
    cadence : timedelta
        How often it is judged: the new part of the window.
    rows_by_hour : sequence of int
        Rows of each hour of the window that were read, the last one before `end`.
    earlier_weeks : sequence of sequence of int
        Rows of the same hours as the new stretch one week earlier, two weeks earlier, and so on.
    records, quarantined, duplicates : int
        Captured records, the unreadable ones among them, and rows whose id had been counted before.
    requests, invocations : int, optional
        In the new stretch: requests that were captured, and requests that the endpoint answered; None if unknown.
    sampled_fraction : float
        The share of its requests that the endpoint is to capture.
    rows_counted : int, optional
        Rows of the window that are counted; None where all are.
    """

    end: datetime
    cadence: timedelta
    rows_by_hour: Sequence[int]
    earlier_weeks: Sequence[Sequence[int]] = ()
    records: int = 0
    quarantined: int = 0
    duplicates: int = 0
    requests: int | None = None
    invocations: int | None = None
    sampled_fraction: float = 1.0
    rows_counted: int | None = None

    @property
    def stretch(self) -> Sequence[int]:
        """Rows of each hour that is new since the last judgement; empty if the window is shorter."""
        return newest_stretch(self.rows_by_hour, self.cadence)


def newest_stretch(rows_by_hour: Sequence[int], cadence: timedelta) -> Sequence[int]:
    """The last hours of a window, new since the last judgement; empty if the window is shorter.

    >>> newest_stretch([4, 5, 6], timedelta(hours=2))
    [5, 6]
    """
    hours = max(int(cadence / HOUR), 1)
    return rows_by_hour[-hours:] if len(rows_by_hour) >= hours else []


def by_hour(counts: Mapping[date, Mapping[int, int]], start: datetime, end: datetime) -> list[int]:
    """Counts of each whole hour of `[start, end)`, 0 if a day or an hour has none.

    Parameters
    ----------
    counts : mapping of date to mapping of int to int
        For each UTC day, by hour.

    >>> by_hour({date(2016, 1, 4): {0: 7, 2: 9}}, datetime(2016, 1, 3, 23, 30), datetime(2016, 1, 4, 3))
    [7, 0, 9]
    """
    first = start.replace(minute=0, second=0, microsecond=0)
    first += HOUR if first < start else timedelta(0)
    hours = (first + n * HOUR for n in range(max((end - first) // HOUR, 0)))
    return [counts.get(hour.date(), {}).get(hour.hour, 0) for hour in hours]


def in_words(cadence: timedelta) -> str:
    """The new stretch in people's words.

    >>> in_words(timedelta(days=7))
    'week'
    """
    hours = int(cadence / HOUR)
    return {1: "hour", 24: "day", 168: "week"}.get(hours, f"{hours} hours")


def volume_p_value(rows: int, earlier: Sequence[int]) -> float:
    """Probability of a total this far from the earlier weeks' totals if it is one more of them, two-sided.

    Student's t of the next logarithm given k earlier ones, (x - mean) / (s sqrt(1 + 1/k)) with k - 1 degrees of freedom
    (Hahn and Meeker 1991, Statistical Intervals, section 4.8). s is the real spread of weeks, and at least the spread of
    a pure count: requests are not a Poisson stream, and a holiday is not an outage.

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

    A WARNING if the ratio to their geometric mean is beyond the policy's *and* `volume_p_value` is below `LEVEL`: the ratio
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
        f"{counted(rows, 'row')} in the last {in_words(facts.cadence)}; the same hours of {len(totals)} earlier weeks had "
        f"{min(totals):,} to {max(totals):,}"
    )
    limit = policy.volume_ratio_max if ratio > 1 else 1 / policy.volume_ratio_max
    return QualityCheck("volume", "", warned_if(beyond and certain), ratio, limit, reason)


def judge_silence(facts: WindowFacts) -> QualityCheck | None:
    """The run of hours without any row in which the earlier weeks had the most rows; None if there is no such run.

    A WARNING if this many rows cannot be missing by chance, and no earlier week had such a pause.

    >>> from datetime import datetime, timedelta
    >>> facts = WindowFacts(datetime(2016, 1, 4), timedelta(hours=4), [9, 0, 0, 8], [[9] * 4] * 3)
    >>> judge_silence(facts).severity.value
    'WARNING'
    """
    stretch, weeks = np.asarray(facts.stretch), np.asarray(facts.earlier_weeks, float)
    if not stretch.any() or len(weeks) < WEEKS_NEEDED:
        return None
    # The median: one burst in one week does not make an hour a busy one.
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
        f"about {expected:,.0f}"
    )
    return QualityCheck("silence", "", warned_if(expected > limit), expected, limit, reason)


def _longest_silence(counts: NDArray[Any], usual: NDArray[np.float64]) -> tuple[int, int] | None:
    """The run without rows that usually has the most rows: its first hour and the hour after its last, cut to hours that usually have rows."""
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
    """The mean of this many weeks at which this is the probability that they have all of the rows and the next week has none.

    Rows come in clumps, log-series distributed so that counts are negative binomial; each clump could just as well fall
    into the next week (the conditional test of two Poisson rates: Przyborowski and Wilenski 1940, Biometrika
    31, 313).
    """
    rows_a_clump = (clumps - 1) / float(np.log(clumps)) if clumps > 1 else 1.0
    return -float(np.log(level)) * rows_a_clump / (weeks * float(np.log1p(1 / weeks)))


def judge_window_quality(facts: WindowFacts, policy: QualityPolicy) -> list[QualityCheck]:
    """Judge freshness, volume, silence, duplicates, unreadable records, and captured against invoked.

    A check without data is absent. All are at most a WARNING, except two that blind the monitor: no request was captured at
    all, or more than a tenth of the records cannot be read.

    >>> from datetime import UTC, datetime, timedelta
    >>> week, weeks = [10] * 168, [[11] * 168, [9] * 168, [10] * 168]
    >>> facts = WindowFacts(datetime(2016, 1, 4, tzinfo=UTC), timedelta(days=7), [0] * 168, weeks)
    >>> [(check.check, check.severity.value) for check in judge_window_quality(facts, QualityPolicy())]
    [('volume', 'WARNING')]
    """
    found = (
        _freshness(facts),
        judge_volume(facts, policy),
        judge_silence(facts),
        _duplicates(facts, policy),
        _unreadable(facts, policy),
        _captured(facts, policy),
    )
    return [check for check in found if check is not None]


def _freshness(facts: WindowFacts) -> QualityCheck | None:
    """The gap at the end against the longest one before: among n gaps, one is twice the longest other with probability 2/n^2."""
    filled = np.flatnonzero(np.asarray(facts.rows_by_hour))
    if len(filled) <= GAPS_NEEDED:
        return None
    age, longest = len(facts.rows_by_hour) - 1 - int(filled[-1]), int(np.diff(filled).max())
    limit = max(SILENCE_RATIO * longest, 1.0)
    newest = facts.end - (age + 1) * HOUR
    reason = (
        f"the newest row is of the hour of {newest:%Y-%m-%d %H:%M}, {age} hours before the window's end; until then no "
        f"more than {longest} hours lay between rows"
    )
    return QualityCheck("freshness", "", warned_if(age > limit), float(age), limit, reason)


def _duplicates(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    # Where no row of an id is counted, nobody knows whether it comes again.
    once = sum(facts.rows_by_hour) if facts.rows_counted is None else facts.rows_counted
    rows = once + facts.duplicates
    if not rows:
        return None
    reason = f"{facts.duplicates:,} of {counted(rows, 'row')} had an id that was counted before, and were left out"
    severity = _beyond(facts.duplicates, rows, policy.duplicate_fraction_max)
    return QualityCheck("duplicates", "", severity, facts.duplicates / rows, policy.duplicate_fraction_max, reason)


def _unreadable(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    if not facts.records:
        return None
    value = facts.quarantined / facts.records
    severity = _beyond(facts.quarantined, facts.records, policy.unreadable_fraction_max)
    if severity is Severity.WARNING and value > max(UNREADABLE_CRITICAL, policy.unreadable_fraction_max):
        severity = Severity.CRITICAL
    reason = (
        f"{facts.quarantined:,} of {counted(facts.records, 'captured record')} could not be read, and are in quarantine"
    )
    return QualityCheck("unreadable", "", severity, value, policy.unreadable_fraction_max, reason)


def _captured(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    """Captured requests against the requests that the endpoint answered, failed ones included, by the share that it samples."""
    if facts.requests is None or not facts.invocations:
        return None
    sampled, value = facts.sampled_fraction, facts.requests / facts.invocations
    least = policy.captured_fraction_min * sampled
    missed = max(facts.invocations - facts.requests, 0)
    severity = _beyond(missed, facts.invocations, 1 - least)
    if not facts.requests and facts.invocations * sampled >= UNCAPTURED_CERTAIN:
        severity = Severity.CRITICAL
    reason = f"{facts.requests:,} of {facts.invocations:,} requests of the last {in_words(facts.cadence)} were captured ({value:.0%})"
    if sampled < 1:
        reason += f", where {sampled:.0%} are to be sampled"
        # More than are to be: then every volume that is scaled by the share is wrong.
        most = min(sampled / policy.captured_fraction_min, 1.0) if policy.captured_fraction_min else 1.0
        severity = worst([severity, _beyond(min(facts.requests, facts.invocations), facts.invocations, most)])
    return QualityCheck("captured", "", severity, value, least, reason)


def _beyond(found: int, rows: int, limit: float) -> Severity:
    """A WARNING if this many are too many for a true rate at the limit."""
    return warned_if(found / rows > limit and binomial_tail(found, rows, limit) < LEVEL)
