"""Every check of the gate: adding one is its file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kedge.gate.business import business_rows
from kedge.gate.challenger import (
    absolute_limits,
    answers_are_possible,
    better,
    calibration,
    enough_rows,
    no_slice_worse,
)
from kedge.gate.groups import fairness_rows
from kedge.gate.holdout import GateReport, GateRow, Holdout
from kedge.gate.own_rows import artefact_size, explainability, rule_row, serving_skew, training_drift

Check = Callable[[Holdout], Sequence[GateRow]]

# Whether the holdout can be judged at all.
FIRST: tuple[Callable[[Holdout], GateRow], ...] = (enough_rows, answers_are_possible)
# Only of a holdout that passes the first ones.
COMPARISONS: tuple[Check, ...] = (better, absolute_limits, no_slice_worse, calibration)
# Of any holdout.
FIGURES: tuple[Check, ...] = (fairness_rows, business_rows)
# Of what is known beside the holdout.
BESIDE: tuple[Check, ...] = (training_drift, explainability, artefact_size, serving_skew)


# A model's own rule: it is given the rows so far, and answers with one of its own.
Rule = Callable[[Sequence[GateRow]], Mapping[str, Any]]


def judge_challenger(holdout: Holdout, rule: Rule | None = None) -> GateReport:
    """Judge a challenger on the holdout that both models scored: it passes unless a row of a check refuses."""
    rows = [check(holdout) for check in FIRST]
    sound = all(row.verdict == "PASS" for row in rows)
    for check in (*(COMPARISONS if sound else ()), *FIGURES, *BESIDE):
        rows.extend(check(holdout))
    # Where the YAML names a rule, nothing passes without its word.
    if (name := holdout.config.gate.rule_function) is not None:
        rows.append(rule_row(name, rule(tuple(rows)) if rule is not None else None))
    return GateReport(tuple(rows))
