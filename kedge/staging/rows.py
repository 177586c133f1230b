"""The rows of the gate's table about a challenger's trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kedge.comparisons import counted, figures, percent
from kedge.config.staging import Staging
from kedge.gate.holdout import GateRow, Verdict
from kedge.intervals import Estimate, wilson_interval, z_of
from kedge.staging.record import TrialRecord

# How the names of these rows begin: a second judgement replaces them.
PREFIX = "staging"


def staging_rows(found: TrialRecord, policy: Staging, *, confidence: float) -> list[GateRow]:
    """Judge a trial: latency, failed requests, and answers that differ from the transform job's.

    What is clearly beyond its limit (the whole interval is) refuses the model; what is beyond it by its value alone is a warning. A
    trial that did not come to its end says nothing of the model: then one row says so, with `not_measured` as its verdict.
    """
    if found.refused:
        said = f"SageMaker could not put the challenger into service: {found.refused}"
        return [GateRow(f"{PREFIX}_endpoint", None, None, "REFUSE", said)]
    if not found.done or not found.sent:
        why = found.unfinished or "the trial did not come to its end"
        said = f"staging is not measured: {why} (staging.not_measured is {policy.not_measured})"
        return [GateRow(PREFIX, None, None, policy.not_measured, said)]
    z = z_of(confidence)
    return [*_latency(found, policy, z), _errors(found, policy, z), *_skew(found, policy, z)]


def percentile(values: Sequence[float], part: int, z: float) -> Estimate:
    """A percentile by its nearest rank, with the order statistics that enclose it.

    The ranks are n p -+ z sqrt(n p (1 - p)), rounded up, by the normal approximation of the binomial: Conover (1999), Practical Nonparametric
    Statistics, 3.2. No distribution is assumed.

    Parameters
    ----------
    values : sequence of float
        Not empty.
    part : int
        1 to 99.

    >>> found = percentile([float(n) for n in range(1, 101)], 50, 1.96)
    >>> found.value, found.low, found.high
    (50.0, 41.0, 60.0)
    """
    ordered, share = sorted(values), part / 100
    middle, reach = len(ordered) * share, z * math.sqrt(len(ordered) * share * (1 - share))

    def at(rank: float) -> float:
        return ordered[min(max(math.ceil(rank - 1e-9), 1), len(ordered)) - 1]

    return Estimate(f"p{part}", at(middle), 0.0, at(middle - reach), at(middle + reach))


def _judged(found: Estimate, limit: float) -> Verdict:
    if found.value <= limit:
        return "PASS"
    return "REFUSE" if found.low > limit else "WARN"


def _latency(found: TrialRecord, policy: Staging, z: float) -> list[GateRow]:
    rows = []
    for part, limit in policy.percentiles if found.milliseconds else ():
        value = percentile(found.milliseconds, part, z)
        said = figures(value.value, value.low, value.high)
        # What is replayed is told once.
        load = f" ({found.load})" if part == policy.percentiles[0][0] else ""
        words = f"the {part}th percentile of the latency on staging is {said[0]} ms ({said[1]} to {said[2]}){load}"
        words += "; no limit is set" if limit is None else f"; staging.p{part}_milliseconds is {limit:g}"
        verdict: Verdict = "PASS" if limit is None else _judged(value, limit)
        rows.append(GateRow(f"{PREFIX}_p{part}_ms", limit, value.value, verdict, words, value.low, value.high))
    return rows


def _errors(found: TrialRecord, policy: Staging, z: float) -> GateRow:
    share, limit = wilson_interval("errors", found.failed, found.sent, z), policy.error_fraction_max
    words = f"{found.failed:,} of {counted(found.sent, 'replayed request')} failed on staging ({percent(share.value)})"
    if found.failures:
        words += f", most of them with {max(found.failures, key=found.failures.__getitem__)}"
    words += f"; staging.error_fraction_max is {limit:g}"
    return GateRow(f"{PREFIX}_errors", limit, share.value, _judged(share, limit), words, share.low, share.high)


def _skew(found: TrialRecord, policy: Staging, z: float) -> list[GateRow]:
    if not found.compared:
        return []
    share, limit = wilson_interval("skew", found.different, found.compared, z), policy.skew_fraction_max
    words = (
        f"{found.different:,} of {counted(found.compared, 'holdout row')} ({percent(share.value)}) were answered otherwise by the "
        f"challenger's endpoint than by its transform job; staging.skew_fraction_max is {limit:g}"
    )
    return [GateRow(f"{PREFIX}_skew", limit, share.value, _judged(share, limit), words, share.low, share.high)]
