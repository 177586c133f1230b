"""How many correlated rows are worth one independent row, from how much counts vary between stretches of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kedge.arrays import Floats, Ints
from kedge.columns.ages import RowTimes, newest_times
from kedge.columns.casting import Column
from kedge.columns.row_batches import RowBatches, grouped
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.bins import UNSEEN
from kedge.profile.coarse_cells import coarse_starts
from kedge.profile.counting import count_rows
from kedge.profile.packed_profiles import UsedCells
from kedge.statistics.pooling import pools

# Stretches into which a file's rows are cut where they have no times; also what a merge of neighbours must leave half of.
BLOCKS = 128
_BLOCKS_MIN = 60
# Fewer blocks say nothing of a dispersion.
_BLOCKS_NEEDED = 8
# Levels with less of the baseline than this share a pool.
_LEAST_SHARE = 0.01
# Standard errors by which a dispersion or a correlation must exceed that of independent rows before it counts.
_CERTAIN_ERRORS = 2.0
# Blocks of fewer rows than this end before their rows have forgotten each other; what is left is extrapolated ...
_SHORT_ROWS = 32
# ... where blocks are about as long as each other, for hours of the day have a rhythm of their own ...
_EVEN = 0.9
# ... and as far as correlation fades from block to block: beyond that it is no memory but a trend.
_SLOWEST = 0.93
Role = Literal["feature", "prediction"]


def design_effects(baseline: Baseline, blocks: Iterable[Profile], *, trending: bool = False) -> dict[str, float]:
    """Design effect of each column: variance of its counts over what independent rows would have, at least 1.

    Rows that come in bursts, sessions or seasons repeat each other, and a window of them says less than its size
    promises: with an autocorrelation of 0.9 a thousand rows are worth about eighty. Dividing the sizes by the design effect gives the tests
    their promise back (Kish 1965, Survey Sampling, 8.2; Rao and Scott 1981, J. Am. Stat. Assoc. 76, 221). Counts of
    consecutive blocks that vary more than independent rows would are compared with neither side: drift that came and stayed within
    the window counts as dependence too, but is found nevertheless with about sixty blocks.

    Numeric: the dispersion of the rows below each of nine deciles, the largest of them, where their mean is beyond chance.
    Categorical: Pearson's dispersion over blocks and pooled levels, each direction weighted by itself, so that one slow
    direction among many is not averaged away. Neighbouring blocks are merged in pairs while sixty remain, and the largest
    estimate counts, for correlation that outlasts a block hides from it. Where blocks of equal length have fewer than 32 rows, what
    is still hidden is extrapolated from how correlation fades between neighbours, as in an ARMA(1,1) series (Andrews and
    Monahan 1992, Econometrica 60, 953); a single step in the level is taken out first, for that is drift and no memory. So
    little is known of one column then that each has at least the columns' median: they stand in the same rows.

    Parameters
    ----------
    baseline : Baseline
        Its cells and its counts say where the deciles are and which levels are rare.
    blocks : iterable of Profile
        Consecutive stretches, in the order of time: the hours of a window, or `BLOCKS` parts of a file. With fewer than
        eight of them every design effect is 1.
    trending : bool
        Whether the blocks stand in an order that makes columns drift along it, as that of a sorted file: then only
        what neighbouring blocks differ by counts (von Neumann 1941, Ann. Math. Stat. 12, 367).
    """
    found = BlockCounts(baseline)
    for block in blocks:
        found.add(UsedCells.of(block))
    return found.design_effects(trending=trending)


@dataclass(frozen=True, eq=False)
class CellGroups:
    """About ten groups of cells a column: rows per block and group are all that design effects need.

    Attributes
    ----------
    of_positions : ndarray of int, shape (width,)
        Group of each position of a profile's vector; `total` for what belongs to none.
    sizes : mapping of str to int
        Number of each column's groups, which stand together, the columns in their order.
    """

    columns: tuple[Column, ...]
    of_positions: Ints
    sizes: Mapping[str, int]

    @classmethod
    def of(cls, baseline: Baseline) -> CellGroups:
        """Deciles of the baseline's own rows, and its levels with the rare ones pooled."""
        return cls(baseline.columns, *_groups(baseline))

    @cached_property
    def total(self) -> int:
        """Number of all groups."""
        return sum(self.sizes.values())

    def design_effects(
        self, rows: Sequence[int], part: Callable[[slice], NDArray[Any]], *, trending: bool = False
    ) -> dict[str, float]:
        """As the function of this name gives them.

        Parameters
        ----------
        rows : sequence of int
            Of each block, none of them empty, in the order of time.
        part : callable
            Rows of the same blocks in some of the groups, shape (n_blocks, n_groups).
        """
        if len(rows) < _BLOCKS_NEEDED or not self.sizes:
            return dict.fromkeys(self.sizes, 1.0)
        found, start = {}, 0
        for column in self.columns:
            end = start + self.sizes[column.name]
            counts = part(slice(start, end)).astype(np.float64)
            found[column.name] = design_effect(counts, ordered=column.is_number, trending=trending)
            start = end
        return _pooled(found) if _are_short(np.array(rows, np.float64)) else found


@dataclass(frozen=True, eq=False)
class BlockTable:
    """Rows of consecutive blocks, none of them empty, by group of cells.

    Attributes
    ----------
    rows : ndarray of int, shape (n_blocks,)
    table : ndarray of int, shape (n_blocks, n_groups)
    """

    rows: Ints
    table: Ints

    def design_effects(self, groups: CellGroups) -> dict[str, float]:
        """As the function of this name gives them."""
        return groups.design_effects(self.rows.tolist(), lambda wanted: self.table[:, wanted])


class BlockCounts:
    """Rows per block and group of cells, from the blocks' profiles one after the other; no block is held."""

    def __init__(self, baseline: Baseline) -> None:
        self._groups = CellGroups.of(baseline)
        self._rows, self._tables = list[int](), list[NDArray[np.uint32]]()

    @classmethod
    def side_by_side(cls, baseline: Baseline, parts: Sequence[BlockCounts]) -> BlockCounts:
        """The blocks of several that have seen different columns of the same rows, by a baseline of all of them in their order."""
        found = cls(baseline)
        found._rows = parts[0]._rows if parts else []
        found._tables = [np.concatenate(tables) for tables in zip(*(part._tables for part in parts), strict=True)]
        return found

    def add(self, block: UsedCells) -> None:
        """Take the next block."""
        if block.rows:
            total = self._groups.total
            groups = self._groups.of_positions[block.cells]
            of_groups = groups < total
            # A block has no four billion rows.
            table = np.bincount(groups[of_groups], block.counts[of_groups], total).astype(np.uint32)
            self._rows.append(block.rows)
            self._tables.append(table)

    def design_effects(self, *, trending: bool = False) -> dict[str, float]:
        """As the function of this name gives them."""
        # Put together a column at a time: the tables of a wide model are much of what a function may hold.
        return self._groups.design_effects(
            self._rows, lambda groups: np.stack([table[groups] for table in self._tables]), trending=trending
        )


def design_effect(counts: Floats, *, ordered: bool, trending: bool = False) -> float:
    """Design effect of one column, at least 1.

    >>> steady, bursts = np.tile([5.0, 5.0], (16, 1)), np.tile([[10.0, 0.0], [0.0, 10.0]], (8, 1))
    >>> design_effect(steady, ordered=False), round(design_effect(bursts, ordered=False), 1)
    (1.0, 10.7)

    Parameters
    ----------
    counts : ndarray of float, shape (n_blocks, n_groups)
        Rows per block and group of cells, the blocks in the order of time.
    ordered : bool
        Whether the groups have an order.
    trending : bool
        See `design_effects`.
    """
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:
        return 1.0
    largest, dispersion = 1.0, _ordered_dispersion if ordered else _unordered_dispersion
    while (effective := _effective_blocks(counts.sum(axis=1))) >= _BLOCKS_NEEDED:
        largest = max(largest, dispersion(counts, effective, trending))
        if effective < 2 * _BLOCKS_MIN:
            break
        counts = np.add.reduceat(counts, np.arange(0, len(counts), 2), axis=0)
    return largest


def combined(*sources: Mapping[str, float] | None) -> dict[str, float]:
    """The largest design effect known of each column.

    >>> combined({"x": 1.5}, None, {"x": 2.0, "y": 1.0})
    {'x': 2.0, 'y': 1.0}
    """
    found: dict[str, float] = {}
    for source in sources:
        for name, effect in (source or {}).items():
            found[name] = max(effect, found.get(name, 1.0))
    return found


def block_codes(rows: int, *, first: int = 0, last: int | None = None) -> Ints:
    """Block of each row of a file, or of its rows `[first, last)`: `BLOCKS` consecutive parts of equal size.

    >>> block_codes(256)[[0, 1, 2, 255]].tolist(), block_codes(256, first=254).tolist()
    ([0, 0, 1, 127], [127, 127])
    """
    return np.arange(first, rows if last is None else last, dtype=np.int64) * BLOCKS // max(rows, 1)


def _groups(baseline: Baseline) -> tuple[Ints, dict[str, int]]:
    """Group of each position of a profile's vector, what belongs to none in the last; and the groups of each column."""
    group = np.full(baseline.width, -1, np.int64)
    sizes, start = {}, 0
    for column in baseline.columns:
        counts, first = baseline.column(baseline.profile, column.name), baseline.offsets[column.name]
        cells = len(counts.cells)
        if not counts.with_unseen.sum():
            sizes[column.name] = 0
            continue
        if column.is_number:
            own = np.zeros(cells, np.int64)
            own[coarse_starts(counts.cells)[1:]] = 1
            group[first : first + cells] = start + np.cumsum(own)
        else:
            pool = pools(counts.with_unseen, _LEAST_SHARE)
            group[first : first + cells] = start + pool[:-1]
            group[first + cells + UNSEEN] = start + pool[-1]
        sizes[column.name] = int(group.max()) + 1 - start
        start += sizes[column.name]
    group[group < 0] = start
    return group, sizes


def _pooled(found: Mapping[str, float]) -> dict[str, float]:
    """Each at least their median: of few rows one column's own is uncertain by half, and all of them stand in the same rows."""
    middle = float(np.median([*found.values()]))
    return {name: max(effect, middle) for name, effect in found.items()}


def _are_short(rows: Floats) -> bool:
    """Whether blocks of equal length end before their rows have forgotten each other."""
    return bool(rows.mean() < _SHORT_ROWS and _effective_blocks(rows) >= _EVEN * len(rows))


def _effective_blocks(rows: Floats) -> float:
    return float(rows.sum() ** 2 / (rows**2).sum())


def _ordered_dispersion(counts: Floats, blocks: float, trending: bool) -> float:
    """Largest dispersion of the cumulative counts over the cuts, where their mean is beyond chance; else 1."""
    rows, below = counts.sum(axis=1), np.cumsum(counts, axis=1)[:, :-1]
    share = below.sum(axis=0) / rows.sum()
    residuals = (below - np.outer(rows, share)) / np.sqrt(rows.sum() * share * (1 - share))
    residuals = _between_neighbours(residuals) if trending else residuals
    spread = (residuals**2).sum(axis=0) / (1 - 1 / blocks)
    odds = share / (1 - share)
    # Squared correlation of two cuts' counts: how little nine of them say beyond one.
    alike = float(np.minimum(odds[:, None] / odds, odds / odds[:, None]).mean())
    if float(spread.mean()) - 1 <= _CERTAIN_ERRORS * np.sqrt(2 * alike / blocks):
        return 1.0
    return float(spread.max()) * (1.0 if trending else _hidden(residuals, rows, alike, blocks))


def _unordered_dispersion(counts: Floats, blocks: float, trending: bool) -> float:
    """Pearson's dispersion, its directions weighted by themselves, where their mean is beyond chance; else 1."""
    rows, levels = counts.sum(axis=1), counts.sum(axis=0)
    share, degrees = levels / rows.sum(), counts.shape[1] - 1
    residuals = (counts - np.outer(rows, share)) / np.sqrt(levels)
    residuals = _between_neighbours(residuals) if trending else residuals
    total = float((residuals**2).sum()) / (1 - 1 / blocks)
    if total / degrees - 1 <= _CERTAIN_ERRORS * np.sqrt(2 / (blocks * degrees)):
        return 1.0
    # Traces of the residuals' covariance and of its square, the latter without what few blocks alone bring into it.
    squared = float(((residuals @ residuals.T) ** 2).sum()) / (1 - 1 / blocks) ** 2 - total**2 / blocks
    worst = float(max(squared / total, total / degrees))
    return worst * (1.0 if trending else _hidden(residuals, rows, 1 / degrees, blocks))


def _between_neighbours(residuals: Floats) -> Floats:
    """Differences of neighbours, scaled so that their squares add up to as much as those of residuals without a trend."""
    return np.asarray(np.diff(residuals, axis=0) * np.sqrt(len(residuals) / (2 * (len(residuals) - 1))))


def _hidden(residuals: Floats, rows: Floats, alike: float, blocks: float) -> float:
    """Factor by which short blocks hide correlation that outlasts them: 1 + 2 r1 / (1 - r2 / r1), at least 1."""
    if not _are_short(rows):
        return 1.0
    level = _without_step(residuals)
    lags = [float((level[lag:] * level[:-lag]).sum() / (level**2).sum()) for lag in (1, 2)]
    near = _CERTAIN_ERRORS * np.sqrt(alike / blocks)
    if lags[0] <= near:
        return 1.0
    # Two means were removed from the series, and each removal lowers its correlations (Kendall 1954, Biometrika 41, 403).
    first, second = (lag + 2 * (1 + 3 * lag) / len(rows) for lag in lags)
    fading = max(second / first, first) if lags[1] > near else first
    return float(1 + 2 * first / (1 - min(fading, _SLOWEST)))


def _without_step(residuals: Floats) -> Floats:
    """The series less the level before and after its largest step."""
    ends = np.arange(1, len(residuals))
    between = (np.cumsum(residuals, axis=0)[:-1] ** 2).sum(axis=1) / (ends * (len(residuals) - ends))
    after = int(np.argmax(between)) + 1
    parts = residuals[:after], residuals[after:]
    return np.concatenate([part - part.mean(axis=0) for part in parts])


def with_design_effects(
    baseline: Baseline, features: RowBatches, answers: RowBatches, *, times: RowTimes = None
) -> Baseline:
    """The baseline with the design effect of each column, from consecutive stretches of its rows.

    Training data span the seasons that a window will stand in: columns that come and go with them are worth fewer rows, and so
    a window must differ by more than the baseline's own stretches do. Rows in no order say nothing, and cost nothing.

    Parameters
    ----------
    features, answers : RowBatches
        The rows that the baseline was frozen from, in the order of time.
    times : str, mapping or None
        As they were counted with.
    """
    found: dict[str, float] = {}
    sides: tuple[tuple[Role, RowBatches], ...] = (("feature", features), ("prediction", answers))
    for role, rows in sides:
        columns = tuple(column for column in baseline.columns if column.role == role)
        parts = [_counted(_of_columns(baseline, group), rows, times) for group in grouped(columns)]
        found |= BlockCounts.side_by_side(_of_columns(baseline, columns), parts).design_effects()
    return replace(baseline, design_effects=found)


def _counted(ruler: Baseline, rows: RowBatches, times: RowTimes) -> BlockCounts:
    names, found = [column.name for column in ruler.columns], BlockCounts(ruler)
    known = newest_times(ruler.columns, rows.read(names)) if times is None else times
    aged = any(column.kind == "timestamp" for column in ruler.columns)
    for block in _blocks(
        ruler, rows.read([*names, times] if aged and isinstance(times, str) else names), rows.rows, known
    ):
        found.add(UsedCells.of(block))
    return found


def _blocks(ruler: Baseline, batches: Iterable[Any], rows: int, times: RowTimes) -> Iterator[Profile]:
    """Each block's profile once it is whole: those of a batch side by side would take more memory than its rows."""
    seen, open_code, block = 0, 0, ruler.empty()
    for batch in batches:
        codes = block_codes(rows, first=seen, last=seen + batch.num_rows)
        cuts = sorted({0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), batch.num_rows})
        for start, end in pairwise(cuts):
            if codes[start] != open_code:
                yield block
                open_code, block = codes[start], ruler.empty()
            block += count_rows(ruler, batch.slice(start, end - start), times=times)
        seen += batch.num_rows
    yield block


def _of_columns(baseline: Baseline, columns: Sequence[Column]) -> Baseline:
    """The ruler of some of the columns."""
    starts = [baseline.offsets[column.name] for column in columns]
    ends = [start + baseline.bins[column.name].width for start, column in zip(starts, columns, strict=True)]
    parts = [baseline.profile.counts[start:end] for start, end in zip(starts, ends, strict=True)]
    counts = np.concatenate([np.empty(0, np.int64), *parts])
    return replace(baseline, columns=tuple(columns), profile=Profile(baseline.baseline, baseline.profile.rows, counts))
