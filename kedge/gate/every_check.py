"""Every check of the gate: adding one is its file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedge.gate.business import business_rows
from kedge.gate.challenger import answers_are_possible, better, enough_rows, no_slice_worse
from kedge.gate.groups import fairness_rows
from kedge.gate.holdout import GateReport, GateRow, Holdout

Check = Callable[[Holdout], Sequence[GateRow]]

# Whether the holdout can be judged at all.
FIRST: tuple[Callable[[Holdout], GateRow], ...] = (enough_rows, answers_are_possible)
# Only of a holdout that passes the first ones.
COMPARISONS: tuple[Check, ...] = (better, no_slice_worse)
# Of any holdout.
FIGURES: tuple[Check, ...] = (fairness_rows, business_rows)


def judge_challenger(holdout: Holdout) -> GateReport:
    """Judge a challenger on the holdout that both models scored: it passes when every row of every check does."""
    rows = [check(holdout) for check in FIRST]
    sound = all(row.verdict == "PASS" for row in rows)
    for check in (*(COMPARISONS if sound else ()), *FIGURES):
        rows.extend(check(holdout))
    return GateReport(tuple(rows))
