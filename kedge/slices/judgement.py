"""Where a window fails, and for whom: its labelled rows by slice, compared with the reference, for the report's "performance"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from kedge.config.model import ModelConfig
from kedge.config.policies import SegmentPolicy
from kedge.outcomes.outcomes import read_outcomes
from kedge.severity import Severity, worst
from kedge.slices.concept_drift import ConceptDrift, judge_concept, with_since
from kedge.slices.counts import Batches, SliceCounts, count_singles, with_pairs
from kedge.slices.fairness import ColumnFairness, WindowRows, fairness_of
from kedge.slices.ruler import SliceRuler
from kedge.slices.segments import Segment, promising_pairs, worst_segments

OTHER_ANSWERS = "the answers are classes, but the reference's are probabilities: slices are not compared"


@dataclass(frozen=True)
class SliceFindings:
    """The worst segments, and whether P(y given x) moved; None without a reference."""

    segments: tuple[Segment, ...]
    concept_drift: ConceptDrift | None

    def to_json(self) -> dict[str, Any]:
        """As parts of the report's "performance"."""
        found: dict[str, Any] = {"segments": [segment.to_json() for segment in self.segments]}
        return found | ({"concept_drift": self.concept_drift.to_json()} if self.concept_drift else {})


def judge_slices(
    window: Batches,
    reference: SliceCounts | None,
    policy: SegmentPolicy,
    *,
    ruler: SliceRuler,
    before: Batches | None = None,
) -> SliceFindings:
    """Count a window's slices and judge them.

    Parameters
    ----------
    window : callable
        Gives the window's labelled rows in batches, and once more the columns of the pairs worth opening.
    reference : SliceCounts or None
        As `count_reference` or, with `before`, as `count_singles` returns it.
    before : callable, optional
        The reference's rows, for pairs that `reference` does not hold yet.
    """
    singles = count_singles(ruler, window)
    pairs = promising_pairs(singles, reference, policy)
    if reference is not None and before is not None:
        reference = with_pairs(reference, before, pairs)
    return judge_counts(singles, reference, policy, with_pairs=with_pairs(singles, window, pairs))


def judge_counts(
    window: SliceCounts, reference: SliceCounts | None, policy: SegmentPolicy, *, with_pairs: SliceCounts | None = None
) -> SliceFindings:
    """Judge slices that are counted.

    If the reference has probabilities and the window answers only 0 and 1, there is nothing to compare.

    Parameters
    ----------
    with_pairs : SliceCounts, optional
        The window's counts with the pairs in which segments are searched too.
    """
    if reference is not None and _are_classes_now(window, reference):
        return SliceFindings((), ConceptDrift(Severity.INSUFFICIENT_DATA, OTHER_ANSWERS, ()))
    concept = judge_concept(window, reference, policy) if reference is not None else None
    return SliceFindings(worst_segments(with_pairs or window, reference, policy), concept)


def _are_classes_now(window: SliceCounts, reference: SliceCounts) -> bool:
    """Whether all answers of two classes lie in the outermost cells, while the reference's also lie in others."""
    if window.ruler.problem != "binary_classification":
        return False
    inner = [bool(counts.total.counts[0, 1:-1].any()) for counts in (window, reference)]
    return inner == [False, True] and bool(window.total.rows[0])


def window_slices(
    rows: WindowRows,
    reference: SliceCounts | None,
    config: ModelConfig,
    *,
    start: datetime,
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The parts "segments", "concept_drift" and "fairness"; a part that cannot be judged is absent.

    Parameters
    ----------
    reference : SliceCounts or None
        The champion's holdout; without it nothing shows how the slices were before.
    start : datetime
        Start of the window, to date what moved.
    previous : mapping or None
        The "performance" of the window before.
    """
    found: dict[str, Any] = {}
    if reference is not None:
        reference = reference.shown_as(config.features)
        table = rows.table.filter(pa.array(rows.ripe))
        outcomes, faults = read_outcomes(table, rows.prediction, rows.label, config)
        kept = table.filter(pa.array(faults.kept))
        slices = judge_slices(
            lambda names: [({name: kept.column(name) for name in names}, outcomes)],
            reference,
            config.segments,
            ruler=reference.ruler,
        )
        if slices.concept_drift is not None:
            dated = with_since(slices.concept_drift, (previous or {}).get("concept_drift"), start=start)
            slices = replace(slices, concept_drift=dated)
        found = slices.to_json()
    fairness = fairness_of(rows, config, reference.ruler.by_column if reference else {})
    return found | (fairness_json(fairness) if fairness else {})


def fairness_json(columns: Sequence[ColumnFairness]) -> dict[str, Any]:
    """The part "fairness": the worst verdict, and each column's."""
    severity = worst(column.severity for column in columns)
    return {"fairness": {"severity": severity.value, "columns": [column.to_json() for column in columns]}}
