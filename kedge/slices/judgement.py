"""Where a window fails: its labelled rows counted by slice, and held against the reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kedge.config.policies import SegmentPolicy
from kedge.severity import Severity, worst
from kedge.slices.concept_drift import ConceptDrift, judge_concept, with_since
from kedge.slices.counts import Batches, SliceCounts, count_singles, with_pairs
from kedge.slices.ruler import SliceRuler
from kedge.slices.segments import Segment, can_lose, promising_pairs, worst_segments

OTHER_ANSWERS = "the answers are classes, but the reference's are probabilities: slices are not compared"


@dataclass(frozen=True, eq=False)
class CountedSlices:
    """A window's labelled rows by slice, beside the reference's.

    Attributes
    ----------
    singles : SliceCounts
        By single columns.
    reference : SliceCounts or None
        Cut with the same ruler, with the pairs of `opened`; None where there are no such rows.
    opened : SliceCounts or None
        The singles once more, with the pairs among which segments are looked for too.
    """

    singles: SliceCounts
    reference: SliceCounts | None
    opened: SliceCounts | None = None


@dataclass(frozen=True)
class SliceFindings:
    """The worst segments, and whether P(y given x) moved; None without a reference.

    Attributes
    ----------
    compared : bool
        Whether a segment had enough rows to be compared with its reference; looked at where segments may alarm.
    """

    segments: tuple[Segment, ...]
    concept_drift: ConceptDrift | None
    compared: bool = False

    @property
    def severity(self) -> Severity:
        """The worst of both; it is told, and no retraining is decided by it."""
        found = [segment.severity for segment in self.segments]
        return worst([*found, *([self.concept_drift.severity] if self.concept_drift else [])])

    @property
    def alert(self) -> Severity:
        """What the segments raise where the YAML lets them alarm."""
        if not self.compared:
            return Severity.INSUFFICIENT_DATA
        return worst([Severity.OK, *(segment.alert for segment in self.segments if segment.alert)])

    def dated(self, before: ConceptDrift | None, *, start: datetime) -> SliceFindings:
        """The findings with since when P(y given x) has moved, by what the window before has told."""
        if self.concept_drift is None:
            return self
        return replace(self, concept_drift=with_since(self.concept_drift, before, start=start))

    def to_json(self) -> dict[str, Any]:
        """As parts of the report's "performance"."""
        found: dict[str, Any] = {"segments": [segment.to_json() for segment in self.segments]}
        return found | ({"concept_drift": self.concept_drift.to_json()} if self.concept_drift else {})


def count_slices(
    window: Batches,
    reference: SliceCounts | None,
    policy: SegmentPolicy,
    *,
    ruler: SliceRuler,
    before: Batches | None = None,
) -> CountedSlices:
    """Count a window's slices, then the pairs of columns that are worth opening.

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
    return CountedSlices(singles, reference, with_pairs(singles, window, pairs))


def judge_slices(slices: CountedSlices, policy: SegmentPolicy) -> SliceFindings:
    """Judge slices that are counted.

    Where the reference has probabilities and the window answers nothing but 0 and 1 there is nothing to compare.
    """
    window, reference = slices.singles, slices.reference
    if reference is not None and _are_classes_now(window, reference):
        return SliceFindings((), ConceptDrift(Severity.INSUFFICIENT_DATA, OTHER_ANSWERS, ()))
    concept = judge_concept(window, reference, policy) if reference is not None else None
    found = worst_segments(slices.opened or window, reference, policy)
    return SliceFindings(found, concept, policy.alert is not None and can_lose(window, reference, policy))


def _are_classes_now(window: SliceCounts, reference: SliceCounts) -> bool:
    """Whether all answers of two classes lie in the outermost cells, while the reference's also lie in others."""
    if window.ruler.problem != "binary_classification":
        return False
    inner = [bool(counts.total.counts[0, 1:-1].any()) for counts in (window, reference)]
    return inner == [False, True] and bool(window.total.rows[0])
