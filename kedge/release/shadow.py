"""Whether a shadow may be released: its answers, and once labels are in its quality, against the champion's to the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kedge.arrays import Bools, Floats
from kedge.comparisons import Difference, counted, figures, in_words, percent
from kedge.config.metrics import direction, gate_metrics
from kedge.config.model import ModelConfig
from kedge.intervals import z_of
from kedge.performance.measures import truth_of
from kedge.performance.paired import improvement, in_its_unit, metric_value
from kedge.release.look_table import LookRow
from kedge.release.tried import (
    AGAINST,
    TrialVerdict,
    TriedFleet,
    fleet_rows,
    not_measured,
    row_in_words,
    shift_row,
    still_open,
    wrong_answers_row,
)
from kedge.statistics.confidence_sequence import always_valid_z

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


def judge_shadow(
    answers: PairedAnswers, challenger: TriedFleet, champion: TriedFleet, config: ModelConfig, *, days_are_over: bool
) -> TrialVerdict:
    """Judge one look at a shadow.

    Parameters
    ----------
    answers : PairedAnswers
        A sample of the requests of all days so far.
    days_are_over : bool
        Whether this is the last look, which decides.

    >>> from kedge.config.sections import Endpoint, Feature
    >>> from kedge.release.look_table import FleetCounts
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> scores = np.linspace(0.1, 0.9, 2000)
    >>> same, fleet = PairedAnswers(scores, scores, np.full(2000, np.nan)), TriedFleet(FleetCounts(2000, 0, 0), 12.0)
    >>> judge_shadow(same, fleet, fleet, config, days_are_over=True).verdict
    'PROVED'
    """
    found = tuple(_rows(answers, challenger, champion, config, days_are_over=days_are_over))
    decides = [row for row in found if row.verdict in AGAINST and (days_are_over or _is_at_once(row))]
    if not days_are_over:
        # What is not judged yet has no verdict.
        found = tuple(row if _is_at_once(row) or row.verdict == "OK" else still_open(row) for row in found)
    if decides:
        return TrialVerdict("WITHDRAWN", tuple(row_in_words(row) for row in decides), found)
    compared = (
        f"{counted(len(answers.champion), 'row')} compared, {int(np.isfinite(answers.labels).sum()):,} with a label"
    )
    return TrialVerdict("PROVED" if days_are_over else "GOING_ON", (compared,), found)


def _is_at_once(row: LookRow) -> bool:
    """Whether a row may decide before the days are over; rows and labels come in until then."""
    return row.what in AT_ONCE and row.verdict != "TOO FEW"


def _rows(
    answers: PairedAnswers, challenger: TriedFleet, champion: TriedFleet, config: ModelConfig, *, days_are_over: bool
) -> Iterator[LookRow]:
    policy = config.release.shadowed
    yield from fleet_rows(challenger, champion, config)
    yield wrong_answers_row(answers.challenger, answers.champion)
    both = answers.at(np.isfinite(answers.champion) & np.isfinite(answers.challenger))
    rows = len(both.champion)
    few = rows < policy.minimum_rows
    yield LookRow("rows compared", f"{rows:,}", "", f"at least {policy.minimum_rows:,}", "TOO FEW" if few else "OK")
    if rows:
        yield _agreement(both, config)
        yield shift_row(both.challenger, both.champion, config)
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
    if (why := not_measured([labelled.labels], config, metric, least)) != "":
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
