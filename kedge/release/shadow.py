"""Whether a shadow may be released: its answers, and once labels are in its quality, against the champion's to the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kedge.arrays import Bools, Floats
from kedge.comparisons import Difference, counted, figures, in_words, percent
from kedge.config.metrics import direction, find, gate_metrics
from kedge.config.model import ModelConfig
from kedge.intervals import z_of
from kedge.performance.measures import truth_of
from kedge.performance.paired import improvement, in_its_unit, metric_value
from kedge.release.canary import distance_between
from kedge.release.look_table import FleetCounts, LookRow
from kedge.statistics.confidence_sequence import always_valid_z

ShadowState = Literal["GOING_ON", "PROVED", "WITHDRAWN"]
# Verdicts of a row that are against the shadow.
AGAINST = ("ABOVE", "BELOW", "DIFFERENT", "WORSE", "TOO FEW", "WRONG")
# What is against it before its days are over: users would get errors, or worse answers. All else is judged once, at the end, so
# that looking often makes no chance difference a finding; quality has an interval of its own for the looks before.
AT_ONCE = ("server errors", "client errors", "answers that are none", "quality")


@dataclass(frozen=True)
class PairedAnswers:
    """What both models answered to the same requests.

    Attributes
    ----------
    champion, challenger : ndarray of float, shape (n_rows,)
        Numbers, or codes of classes; NaN for an answer that is none.
    labels : ndarray of float, shape (n_rows,)
        What came true: numbers, or codes of classes; NaN where no label is in yet.
    """

    champion: Floats
    challenger: Floats
    labels: Floats

    def at(self, rows: Bools) -> PairedAnswers:
        """Some of the rows."""
        return PairedAnswers(self.champion[rows], self.challenger[rows], self.labels[rows])


@dataclass(frozen=True)
class ShadowFleet:
    """One of the two fleets: its requests, and the 90th percentile of its latency on its slowest day; None without requests."""

    counts: FleetCounts
    latency_ms: float | None = None


@dataclass(frozen=True)
class ShadowVerdict:
    """GOING_ON until the days are over or errors end them; then PROVED or WITHDRAWN. With reasons, and the table of the look."""

    verdict: ShadowState
    reasons: tuple[str, ...]
    table: tuple[LookRow, ...]


def judge_shadow(
    answers: PairedAnswers, challenger: ShadowFleet, champion: ShadowFleet, config: ModelConfig, *, days_are_over: bool
) -> ShadowVerdict:
    """Judge one look at a shadow.

    Parameters
    ----------
    answers : PairedAnswers
        A sample of the requests of all days so far.
    days_are_over : bool
        Whether this is the last look, which decides.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> scores = np.linspace(0.1, 0.9, 2000)
    >>> same, fleet = PairedAnswers(scores, scores, np.full(2000, np.nan)), ShadowFleet(FleetCounts(2000, 0, 0), 12.0)
    >>> judge_shadow(same, fleet, fleet, config, days_are_over=True).verdict
    'PROVED'
    """
    found = tuple(_rows(answers, challenger, champion, config, days_are_over=days_are_over))
    decides = [row for row in found if row.verdict in AGAINST and (days_are_over or _is_at_once(row))]
    if not days_are_over:
        # What is not judged yet has no verdict.
        found = tuple(row if _is_at_once(row) or row.verdict == "OK" else _open(row) for row in found)
    if decides:
        return ShadowVerdict("WITHDRAWN", tuple(_in_words(row) for row in decides), found)
    compared = (
        f"{counted(len(answers.champion), 'row')} compared, {int(np.isfinite(answers.labels).sum()):,} with a label"
    )
    return ShadowVerdict("PROVED" if days_are_over else "GOING_ON", (compared,), found)


def _is_at_once(row: LookRow) -> bool:
    """Whether a row may decide before the days are over; rows and labels come in until then."""
    return row.what in AT_ONCE and row.verdict != "TOO FEW"


def _open(row: LookRow) -> LookRow:
    return LookRow(row.what, row.canary, row.champion, row.limit, "")


def _in_words(row: LookRow) -> str:
    against = f" (champion {row.champion})" if row.champion else ""
    return f"{row.what}: {row.canary}{against}; {row.limit}"


def _rows(
    answers: PairedAnswers, challenger: ShadowFleet, champion: ShadowFleet, config: ModelConfig, *, days_are_over: bool
) -> Iterator[LookRow]:
    policy, trial = config.release.shadowed, config.canary
    yield LookRow("requests", f"{challenger.counts.requests:,}", f"{champion.counts.requests:,}", "", "")
    for what, here, there, limit in (
        (
            "server errors",
            challenger.counts.server_errors,
            champion.counts.server_errors,
            trial.server_error_fraction_max,
        ),
        (
            "client errors",
            challenger.counts.client_errors,
            champion.counts.client_errors,
            trial.client_error_fraction_max,
        ),
    ):
        # A few requests say nothing yet, of either fleet.
        known = challenger.counts.requests >= trial.minimum_requests
        verdict = "ABOVE" if known and here > limit * challenger.counts.requests else "OK"
        shares = _share(here, challenger.counts.requests), _share(there, champion.counts.requests)
        yield LookRow(what, *shares, f"at most {100 * limit:g} %", verdict)
    slow = challenger.latency_ms is not None and challenger.latency_ms > trial.latency_max_ms
    latencies = _milliseconds(challenger.latency_ms), _milliseconds(champion.latency_ms)
    yield LookRow("latency (p90)", *latencies, f"at most {trial.latency_max_ms:g} ms", "ABOVE" if slow else "OK")
    wrong = int((~np.isfinite(answers.challenger)).sum())
    of_champion = int((~np.isfinite(answers.champion)).sum())
    yield LookRow("answers that are none", f"{wrong:,}", f"{of_champion:,}", "none", "WRONG" if wrong else "OK")
    both = answers.at(np.isfinite(answers.champion) & np.isfinite(answers.challenger))
    rows = len(both.champion)
    few = rows < policy.minimum_rows
    yield LookRow("rows compared", f"{rows:,}", "", f"at least {policy.minimum_rows:,}", "TOO FEW" if few else "OK")
    if rows:
        yield _agreement(both, config)
        yield _shift(both, config)
    yield _quality(both.at(np.isfinite(both.labels)), config, days_are_over=days_are_over)


def _agreement(both: PairedAnswers, config: ModelConfig) -> LookRow:
    """How often both decide alike; of numbers, which are no decisions, how far they are apart."""
    if config.problem == "regression":
        apart = float(np.abs(both.champion - both.challenger).mean())
        return LookRow("answers apart", f"{in_words(apart)} on average", "", "", "")
    alike = both.champion == both.challenger
    if config.problem == "binary_classification":
        threshold = config.prediction.threshold
        alike = (both.champion >= threshold) == (both.challenger >= threshold)
    share, least = float(alike.mean()), config.release.shadowed.agreement_min
    limit = "" if least is None else f"at least {percent(least)}"
    verdict = "" if least is None else "BELOW" if share < least else "OK"
    return LookRow("the same decision", f"{100 * share:.3g} % of the rows", "", limit, verdict)


def _shift(both: PairedAnswers, config: ModelConfig) -> LookRow:
    """How the answers differ as a whole: by the canary's limits, for the canary that follows has them."""
    classes, policy = config.problem == "multiclass_classification", config.canary
    distance, p_value = distance_between(both.challenger, both.champion, classes=classes)
    differ = p_value < policy.behaviour_p_value_min and distance > policy.behaviour_effect_max
    name = "total variation" if classes else "KS"
    means = ("", "")
    if not classes:
        here, there = figures(float(both.challenger.mean()), float(both.champion.mean()))
        means = (f", mean {here}", f"mean {there}")
    said = f"{name} {in_words(distance)} from the champion's{means[0]}"
    limit = f"{name} at most {policy.behaviour_effect_max:g}"
    return LookRow("distribution of answers", said, means[1], limit, "DIFFERENT" if differ else "OK")


def _quality(labelled: PairedAnswers, config: ModelConfig, *, days_are_over: bool) -> LookRow:
    """The gate's metric on the rows whose label is in, with the interval of the paired difference.

    Worse is what chance excludes and what is at least as large as the gate's smallest effect. Before the days are over the
    interval is the wider one that looking often does not break: equal models are withdrawn for a loss at any of those looks in
    at most half of one minus the confidence of all cases, and at the last look in as many again.
    """
    policy, gate, rows = config.release.shadowed, config.gate, len(labelled.labels)
    metric = gate.metric or gate_metrics(config.problem)[0]
    few = "TOO FEW" if rows < policy.minimum_labelled else ""
    least = max(policy.minimum_labelled, config.performance.minimum_rows)
    limit = f"at least {policy.minimum_labelled:,} labels" if few else ""
    if (why := _not_measured(labelled, config, metric, least)) != "":
        return LookRow("quality", why, "", limit, few)
    labels = labelled.labels if config.problem == "regression" else labelled.labels.astype(np.int64)
    truth = truth_of(config, labels)
    value, error = improvement(metric, truth, labelled.challenger, labelled.champion)
    often = always_valid_z(rows, confidence=gate.confidence, planned_rows=max(policy.minimum_rows, least))
    reach = (z_of(gate.confidence) if days_are_over else often) * error
    here, there = (metric_value(metric, truth, side) for side in (labelled.challenger, labelled.champion))
    smallest = in_its_unit(gate.minimum_effect, metric, truth, labelled.champion)
    worse = value + reach < 0 and value <= -smallest
    side = direction(metric)
    found = Difference(metric, side, there, here, value, value - reach, value + reach, rows)
    shown = figures(here, there)
    return LookRow(
        "quality",
        f"{metric} {shown[0]}; {found.words}",
        shown[1],
        f"not worse beyond chance by {in_words(smallest)}",
        "WORSE" if worse else "OK",
    )


def _not_measured(labelled: PairedAnswers, config: ModelConfig, metric: str, least: int) -> str:
    """Say why the metric is not measured; nothing where it can be."""
    rows, known = len(labelled.labels), find(metric)
    if rows < least:
        return f"not measured: {counted(rows, 'row')} with a label so far, {least:,} are needed"
    if known is not None and known.unit == "cost" and config.performance.cost_column is not None:
        return f"not measured: {metric} reads performance.cost_column, which no answer has"
    if config.problem != "regression":
        _, counts = np.unique(labelled.labels, return_counts=True)
        if len(counts) < 2 or counts.min() < min(config.performance.minimum_per_class, least):
            return f"not measured: too few of one class among {counted(rows, 'label')}"
    return ""


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "-"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{in_words(value)} ms"
