"""What is judged of every version that is tried beside the champion for days: its requests, its answers, and what ends it at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kedge.arrays import Floats
from kedge.comparisons import counted, figures, in_words
from kedge.config.metrics import find
from kedge.config.model import ModelConfig
from kedge.release.canary import distance_between
from kedge.release.look_table import FleetCounts, LookRow

TrialState = Literal["GOING_ON", "PROVED", "WITHDRAWN"]
# Verdicts of a row that are against the version.
AGAINST = ("ABOVE", "BELOW", "DIFFERENT", "WORSE", "TOO FEW", "WRONG", "MISMATCH")


@dataclass(frozen=True)
class TriedFleet:
    """One of the two fleets: its requests, and the 90th percentile of its latency on its slowest day; None without requests."""

    counts: FleetCounts
    latency_ms: float | None = None


@dataclass(frozen=True)
class TrialVerdict:
    """GOING_ON until the days are over or errors end them; then PROVED or WITHDRAWN. With reasons, and the table of the look."""

    verdict: TrialState
    reasons: tuple[str, ...]
    table: tuple[LookRow, ...]


def row_in_words(row: LookRow) -> str:
    """A row as the reason of a verdict."""
    against = f" (champion {row.champion})" if row.champion else ""
    return f"{row.what}: {row.canary}{against}; {row.limit}"


def still_open(row: LookRow) -> LookRow:
    """A row that is not judged yet: it has no verdict."""
    return LookRow(row.what, row.canary, row.champion, row.limit, "")


def fleet_rows(challenger: TriedFleet, champion: TriedFleet, config: ModelConfig) -> Iterator[LookRow]:
    """Both fleets' requests, and the challenger's errors and latency by the canary's limits."""
    trial, here, there = config.canary, challenger.counts, champion.counts
    yield LookRow("requests", f"{here.requests:,}", f"{there.requests:,}", "", "")
    for what, failed, failed_there, limit in (
        ("server errors", here.server_errors, there.server_errors, trial.server_error_fraction_max),
        ("client errors", here.client_errors, there.client_errors, trial.client_error_fraction_max),
    ):
        # A few requests say nothing yet, of either fleet.
        known = here.requests >= trial.minimum_requests
        verdict = "ABOVE" if known and failed > limit * here.requests else "OK"
        shares = share_in_words(failed, here.requests), share_in_words(failed_there, there.requests)
        yield LookRow(what, *shares, f"at most {100 * limit:g} %", verdict)
    slow = challenger.latency_ms is not None and challenger.latency_ms > trial.latency_max_ms
    latencies = _milliseconds(challenger.latency_ms), _milliseconds(champion.latency_ms)
    yield LookRow("latency (p90)", *latencies, f"at most {trial.latency_max_ms:g} ms", "ABOVE" if slow else "OK")


def wrong_answers_row(challenger: Floats, champion: Floats) -> LookRow:
    """Answers that are no number and no class; one of the challenger's is enough."""
    wrong, of_champion = (int((~np.isfinite(answers)).sum()) for answers in (challenger, champion))
    return LookRow("answers that are none", f"{wrong:,}", f"{of_champion:,}", "none", "WRONG" if wrong else "OK")


def shift_row(challenger: Floats, champion: Floats, config: ModelConfig) -> LookRow:
    """How the answers differ as a whole: by the canary's limits, for the canary that follows has them."""
    classes, policy = config.problem == "multiclass_classification", config.canary
    distance, p_value = distance_between(challenger, champion, classes=classes)
    differ = p_value < policy.behaviour_p_value_min and distance > policy.behaviour_effect_max
    name = "total variation" if classes else "KS"
    means = ("", "")
    if not classes:
        here, there = figures(float(challenger.mean()), float(champion.mean()))
        means = (f", mean {here}", f"mean {there}")
    said = f"{name} {in_words(distance)} from the champion's{means[0]}"
    limit = f"{name} at most {policy.behaviour_effect_max:g}"
    return LookRow("distribution of answers", said, means[1], limit, "DIFFERENT" if differ else "OK")


def not_measured(sides: Sequence[Floats], config: ModelConfig, metric: str, least: int) -> str:
    """Say why a metric is not measured on the labels of each side; nothing where it can be."""
    known, rows = find(metric), min(map(len, sides))
    if rows < least:
        each = " on one side" if len(sides) > 1 else ""
        return f"not measured: {counted(rows, 'row')} with a label so far{each}, {least:,} are needed"
    if known is not None and known.unit == "cost" and config.performance.cost_column is not None:
        return f"not measured: {metric} reads performance.cost_column, which no answer has"
    if config.problem != "regression":
        for labels in sides:
            _, counts = np.unique(labels, return_counts=True)
            if len(counts) < 2 or counts.min() < min(config.performance.minimum_per_class, least):
                return f"not measured: too few of one class among {counted(len(labels), 'label')}"
    return ""


def share_in_words(part: int, whole: int) -> str:
    """A share in percent, "-" of nothing.

    >>> share_in_words(1, 8), share_in_words(0, 0)
    ('12.5 %', '-')
    """
    return f"{100 * part / whole:.3g} %" if whole else "-"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{in_words(value)} ms"
