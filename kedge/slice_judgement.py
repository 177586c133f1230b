"""Where a window fails: its rows counted by slice and held against the reference, for the report's "performance"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kedge.concept_drift import ConceptDrift, judge_concept
from kedge.model_policies import SegmentPolicy
from kedge.segment import Segment
from kedge.segments import promising_pairs, worst_segments
from kedge.slice_counting import Batches, count_singles, with_pairs
from kedge.slice_ruler import SliceRuler
from kedge.slices import SliceCounts


@dataclass(frozen=True)
class SliceFindings:
    """The worst segments, and whether P(y given x) moved; None where there is no reference to say so."""

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
    found = worst_segments(with_pairs(singles, window, pairs), reference, policy)
    return SliceFindings(found, judge_concept(singles, reference, policy) if reference is not None else None)
