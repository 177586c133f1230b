"""Data quality of a window as a whole: how old its newest row is, how many there are, and what became of its requests."""

from __future__ import annotations

import numpy as np

from kedge.model_policies import QualityPolicy
from kedge.quality import QualityCheck, binomial_tail
from kedge.severity import Severity, warned_if
from kedge.window_facts import HOUR, WindowFacts, in_words
from kedge.window_volume import LEVEL, judge_silence, judge_volume

# A silence is one when it is so many times as long as any before; of so many gaps at least.
SILENCE_RATIO, GAPS_NEEDED = 2.0, 10
# Requests without a capture from which on it is certain that capture does not work.
UNCAPTURED_CERTAIN = 100
# A tenth of the records that nobody can read is no noise.
UNREADABLE_CRITICAL = 0.1


def judge_window_quality(facts: WindowFacts, policy: QualityPolicy) -> list[QualityCheck]:
    """Judge freshness, volume, silence, duplicates, unreadable records, and captured against invoked.

    A check of which nothing is known is absent. All are a WARNING at most, but for two that blind the monitor: requests of
    which not one was captured, and records of which more than a tenth cannot be read.

    >>> from datetime import UTC, datetime, timedelta
    >>> week, weeks = [10] * 168, [[11] * 168, [9] * 168, [10] * 168]
    >>> facts = WindowFacts(datetime(2016, 1, 4, tzinfo=UTC), timedelta(days=7), [0] * 168, weeks)
    >>> [(check.check, check.severity.value) for check in judge_window_quality(facts, QualityPolicy())]
    [('volume', 'WARNING')]
    """
    found = (
        _freshness(facts), judge_volume(facts, policy), judge_silence(facts), _duplicates(facts, policy),
        _unreadable(facts, policy), _captured(facts, policy),
    )  # fmt: skip
    return [check for check in found if check is not None]


def _freshness(facts: WindowFacts) -> QualityCheck | None:
    """The gap at the end against the longest one before: of n gaps, one is twice the longest other with probability 2/n^2."""
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
    rows = sum(facts.rows_by_hour) + facts.duplicates
    if not rows:
        return None
    reason = f"{facts.duplicates} of {rows} rows bore an id that had been counted before, and were left out"
    severity = _beyond(facts.duplicates, rows, policy.duplicate_fraction_max)
    return QualityCheck("duplicates", "", severity, facts.duplicates / rows, policy.duplicate_fraction_max, reason)


def _unreadable(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    if not facts.records:
        return None
    value = facts.quarantined / facts.records
    severity = _beyond(facts.quarantined, facts.records, policy.unreadable_fraction_max)
    if severity is Severity.WARNING and value > max(UNREADABLE_CRITICAL, policy.unreadable_fraction_max):
        severity = Severity.CRITICAL
    reason = f"{facts.quarantined} of {facts.records} captured records could not be read, and lie in quarantine"
    return QualityCheck("unreadable", "", severity, value, policy.unreadable_fraction_max, reason)


def _captured(facts: WindowFacts, policy: QualityPolicy) -> QualityCheck | None:
    """Requests that were captured against those that the endpoint answered, failed ones among them."""
    if facts.requests is None or not facts.invocations:
        return None
    value, least = facts.requests / facts.invocations, policy.captured_fraction_min
    missed = max(facts.invocations - facts.requests, 0)
    severity = _beyond(missed, facts.invocations, 1 - least)
    if not facts.requests and facts.invocations >= UNCAPTURED_CERTAIN:
        severity = Severity.CRITICAL
    reason = f"{facts.requests:,} of {facts.invocations:,} requests of the last {in_words(facts.cadence)} were captured ({value:.0%})"
    return QualityCheck("captured", "", severity, value, least, reason)


def _beyond(found: int, rows: int, limit: float) -> Severity:
    """A WARNING where so many are too many for a true rate at the limit."""
    return warned_if(found / rows > limit and binomial_tail(found, rows, limit) < LEVEL)
