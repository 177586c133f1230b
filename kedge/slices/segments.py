"""The worst slices of a window: single features and pairs for which the model answers badly, beyond chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats
from kedge.comparisons import change, in_words
from kedge.config.metrics import direction
from kedge.config.policies import SegmentPolicy
from kedge.intervals import LOSS_LEVEL
from kedge.severity import Severity
from kedge.slices.counts import FRACTION_MAX, SliceCounts, SliceTable, no_slices
from kedge.slices.groupings import coarse_codes
from kedge.slices.quality import SliceQuality, slice_quality, upper_tail, worse_by, worse_z
from kedge.statistics.holm import holm_adjusted

Name = tuple[str, ...]
# Half widths of the shown intervals: 95 %, for each slice by itself.
_Z = 1.959963984540054


@dataclass(frozen=True)
class Segment:
    """A slice whose quality is worse than its own reference, or than that of the window's other rows.

    Attributes
    ----------
    columns : tuple of str
        One feature, or two.
    group : str
        The slice in words, as "market_segment=Groups".
    value, low, high : float
        The metric on the slice, with its 95 % interval.
    effect : float
        How much worse (for an error as a fraction): than the reference if quality was lost against it, else than the rest.
    p_value_adjusted : float
        Corrected for all slices that were looked at, and all pairs that could have been.
    severity : Severity
        CRITICAL: lost against the reference. WARNING: worse than the rest, and no reference shows that it always was.
        OK: it always was.
    reference, rest : float or None
        The metric on the same slice of the reference, and on the window's other rows; None if undefined.
    alert : Severity or None
        How bad the loss is for the alarms, where the YAML lets segments alarm and the loss is certain and large enough.
    """

    columns: Name
    group: str
    rows: int
    rows_fraction: float
    metric: str
    value: float
    low: float
    high: float
    effect: float
    p_value_adjusted: float
    severity: Severity
    reference: float | None = None
    rest: float | None = None
    alert: Severity | None = None

    @property
    def reason(self) -> str:
        """The segment in a sentence."""
        found = f"{self.metric} {in_words(self.value)}"
        if self.reference is not None:
            found = change(self.metric, self.reference, self.value, direction(self.metric))
        beside = "" if self.rest is None else f"; {in_words(self.rest)} on the other rows"
        return (
            f"{found} for {self.group}, {self.rows_fraction:.0%} of rows "
            f"(interval {in_words(self.low)} to {in_words(self.high)}){beside}"
        )

    def to_json(self) -> dict[str, Any]:
        """As the report's "performance" holds it under "segments"; fields that do not apply are absent."""
        found = {**vars(self), "columns": list(self.columns), "severity": self.severity.value, "reason": self.reason}
        found |= {"alert": self.alert.value} if self.alert else {}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class _View:
    """Slices compared with the reference and with the rest, one position each.

    `lost` and `weak` are p-values, `lost_by` and `weak_by` how much worse each is: than in the reference (NaN without one), and
    than the rest.
    """

    groups: tuple[Name, ...]
    here: SliceQuality
    before: SliceQuality
    rest: SliceQuality
    lost: Floats
    weak: Floats
    lost_by: Floats
    weak_by: Floats

    def part(self, groups: slice) -> _View:
        """Some of the slices."""
        here, before, rest = (side.part(groups) for side in (self.here, self.before, self.rest))
        lost, weak, lost_by, weak_by = (a[groups] for a in (self.lost, self.weak, self.lost_by, self.weak_by))
        return _View(self.groups[groups], here, before, rest, lost, weak, lost_by, weak_by)


@np.errstate(over="ignore", invalid="ignore")  # errors near the largest float give no result
def worst_segments(window: SliceCounts, reference: SliceCounts | None, policy: SegmentPolicy) -> tuple[Segment, ...]:
    """The slices with lost quality, then those with poor quality; each ranked by rows times its loss beyond the window's own loss.

    Every slice with enough rows is tested twice: is it worse than the same slice of the reference, and worse than the rest of the
    window? One-sided; half of the level goes to single features (Holm 1979, Scand. J. Stat. 6, 65), half to pairs
    (Bonferroni over every group of every pair, also of the pairs that were not opened, so that choosing pairs by their
    columns' results stays valid). So each test keeps the promise of `p_value_min`. An effect below `effect_min` is ignored. A pair is
    reported only if neither of its features alone explains it. The search is that of Chung et al. (2019),
    "Slice Finder", ICDE 1550, on counts in place of rows.

    Parameters
    ----------
    window, reference : SliceCounts
        Cut with the same ruler; the window's pairs are looked up in the reference.
    """
    views = _views(window, reference, policy)
    lost = _adjusted({name: view.lost for name, view in views.items()}, window)
    weak = _adjusted({name: view.weak for name, view in views.items()}, window)
    rows = int(window.total.rows[0])
    found = {}
    for name, view in views.items():
        is_lost = (lost[name] < policy.p_value_min) & (view.lost_by >= policy.effect_min)
        is_weak = (weak[name] < policy.p_value_min) & (view.weak_by >= policy.effect_min)
        for place in np.flatnonzero(is_lost | is_weak).tolist():
            found[name, place] = _segment(
                name, view.part(slice(place, place + 1)), (lost[name][place], weak[name][place]), rows, policy
            )
    told = [segment for key, segment in found.items() if not _is_explained(window, found, key)]
    everywhere = _lost_everywhere(window, reference)
    told.sort(
        key=lambda s: (
            s.alert is None,
            -s.severity.rank,
            -s.rows_fraction * (s.effect - everywhere * (s.severity is Severity.CRITICAL)),
        )
    )
    return tuple(told[: policy.shown])


def can_lose(window: SliceCounts, reference: SliceCounts | None, policy: SegmentPolicy) -> bool:
    """Whether any slice has enough rows on both sides to be compared."""
    return any((view.lost < 1.0).any() for view in _views(window, reference, policy).values())


def promising_pairs(window: SliceCounts, reference: SliceCounts | None, policy: SegmentPolicy) -> tuple[Name, ...]:
    """The pairs worth opening: all pairs of the `pair_columns` features with the worst slices.

    Their number does not grow with the number of features, and `worst_segments` corrects also for the pairs that stay closed.
    """
    best = {
        name[0]: float(min(view.lost.min(initial=1.0), view.weak.min(initial=1.0)))
        for name, view in _views(window, reference, policy).items()
    }
    chosen = sorted(best, key=lambda column: best[column])[: policy.pair_columns]
    return tuple(combinations((g.column for g in window.ruler.groupings if g.column in chosen), 2))


def _lost_everywhere(window: SliceCounts, reference: SliceCounts | None) -> float:
    """The loss of the window as a whole: a slice that lost no more than its share is not worth a look."""
    if reference is None:
        return 0.0
    here, before = (slice_quality(window.ruler.problem, counts.total) for counts in (window, reference))
    lost = float(worse_by(here, before)[0])
    return lost if np.isfinite(lost) else 0.0


@np.errstate(invalid="ignore")  # errors near the largest float add up to infinity: of such a slice nothing is known
def _views(window: SliceCounts, reference: SliceCounts | None, policy: SegmentPolicy) -> dict[Name, _View]:
    """One view a table of features; all are computed side by side."""
    answer, total, problem = window.ruler.groupings[-1].column, window.total, window.ruler.problem
    names = tuple(name for name in window.tables if answer not in name)
    if not names:
        return {}
    table = SliceTable.stacked([window.tables[name] for name in names])
    here, before = slice_quality(problem, table), _quality_before(reference or SliceCounts(window.ruler, {}), names)
    rest = slice_quality(problem, SliceTable(table.names, total.counts - table.counts, total.sums - table.sums))
    large = _is_large(here, policy) & (here.rows <= FRACTION_MAX * total.rows[0])
    p_values = [
        np.where(large & _is_large(other, policy), upper_tail(worse_z(here, other)), 1.0) for other in (before, rest)
    ]
    losses = [worse_by(here, other) for other in (before, rest)]
    found, ends = _View(table.names, here, before, rest, *p_values, *losses), [0]
    ends += np.cumsum([len(window.tables[name].names) for name in names]).tolist()
    return {name: found.part(slice(*bounds)) for name, bounds in zip(names, pairwise(ends), strict=True)}


# The reference of a whole history is measured once.
@lru_cache(maxsize=1)
def _quality_before(reference: SliceCounts, names: tuple[Name, ...]) -> SliceQuality:
    """Quality in the reference; a table that it lacks has no rows."""
    tables = [reference.tables.get(name) or no_slices(reference.ruler, name) for name in names]
    return slice_quality(reference.ruler.problem, SliceTable.stacked(tables))


def _is_large(quality: SliceQuality, policy: SegmentPolicy) -> NDArray[np.bool_]:
    return (quality.rows >= policy.minimum_rows) & (quality.smaller_class >= policy.minimum_per_class)


def _adjusted(p_values: Mapping[Name, Floats], window: SliceCounts) -> dict[Name, Floats]:
    singles = [name for name in p_values if len(name) == 1]
    share = 2.0 if len(singles) < len(p_values) else 1.0
    asked = np.concatenate([p_values[name] for name in singles]) if singles else np.empty(0)
    judged = asked < 1.0
    asked[judged] = np.minimum(holm_adjusted(asked[judged]) * share, 1.0)
    ends = np.cumsum([len(p_values[name]) for name in singles])[:-1]
    adjusted: dict[Name, Floats] = dict(zip(singles, np.split(asked, ends), strict=True)) if singles else {}
    possible = _possible_pairs(window) if share > 1 else 0
    pairs: dict[Name, Floats] = {
        name: np.minimum(p_values[name] * share * possible, 1.0) for name in p_values if len(name) == 2
    }
    return {**adjusted, **pairs}


def _possible_pairs(window: SliceCounts) -> int:
    sizes = [len(coarse_codes(grouping)[1]) for grouping in window.ruler.groupings[:-1]]
    return sum(a * b for a, b in combinations(sizes, 2))


def _segment(name: Name, view: _View, p_values: tuple[float, float], rows: int, policy: SegmentPolicy) -> Segment:
    """The segment of a view of one slice."""
    here, lost_by = view.here, float(view.lost_by[0])
    lost = p_values[0] < policy.p_value_min and lost_by >= policy.effect_min
    asked = view.lost[0] < 1.0
    # An alarm needs the certainty that a metric of all rows needs, and a loss that is worth a message.
    alarms = policy.alert and p_values[0] < LOSS_LEVEL and lost_by >= max(policy.alert_effect_min, policy.effect_min)
    low, high = here.interval(_Z)
    return Segment(
        columns=name,
        group=" & ".join(f"{c}={g}" for c, g in zip(name, view.groups[0], strict=True)),
        rows=int(here.rows[0]),
        rows_fraction=float(here.rows[0]) / rows,
        metric=here.metric,
        value=float(here.values[0]),
        low=float(low[0]),
        high=float(high[0]),
        effect=lost_by if lost else float(view.weak_by[0]),
        p_value_adjusted=float(p_values[0] if lost else p_values[1]),
        severity=Severity.CRITICAL if lost else Severity.OK if asked else Severity.WARNING,
        reference=_finite(view.before.values[0]),
        rest=_finite(view.rest.values[0]),
        alert=Severity(policy.alert) if policy.alert and alarms else None,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _is_explained(window: SliceCounts, found: Mapping[tuple[Name, int], Segment], key: tuple[Name, int]) -> bool:
    """Whether one feature alone, within one of the pair's two groups, is nearly as bad as the pair."""
    name, place = key
    if len(name) == 1:
        return False
    coarse = [coarse_codes(window.ruler.by_column[column]) for column in name]
    members = divmod(place, len(coarse[1][1]))
    for column, (codes, _), member in zip(name, coarse, members, strict=True):
        for group in np.flatnonzero(codes == member):
            single = found.get(((column,), int(group)))
            if single and single.severity >= found[key].severity and single.effect >= 0.8 * found[key].effect:
                return True
    return False
