"""The rows of a history as counts: the frozen baseline, its reference quality, and a window after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cli.backtest.history import HistoryStretch
from cli.backtest.question import BacktestQuestion
from cli.rows.files import UnreadableFileError
from kedge.backtest.grid import WindowGrid
from kedge.backtest.window import HistoryWindow
from kedge.errors import EmptySampleError, UncountableColumnError
from kedge.estimation.estimators import Estimator, ScoreEstimator, estimate_answers, fit_estimator
from kedge.estimation.report import WindowEstimates
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import OutcomeCounts, count_outcomes
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.performance.window import LabelledOutcomes
from kedge.profile.baseline import Baseline
from kedge.profile.blocked_rows import BlockedRows
from kedge.profile.design_effect import BLOCKS, CellGroups
from kedge.profile.freezing import freeze_baseline_streaming
from kedge.quality.window import QualityEvidence
from kedge.slices.counts import SliceCounter, SliceCounts
from kedge.slices.fairness import added_groups, group_counts
from kedge.slices.group_counts import GroupCounts
from kedge.slices.judgement import CountedSlices
from kedge.slices.ruler import SliceRuler, freeze_ruler

# Memory limit of the windows that are open at the same time.
OPEN_BYTES_MAX = 256 * 2**20


@dataclass
class Tally:
    """Rows of one window, added stretch by stretch."""

    question: BacktestQuestion
    rows: BlockedRows
    grid: WindowGrid
    outcomes: OutcomeCounts | None = None
    unlabelled: int = 0
    notes: dict[str, None] = field(default_factory=dict)
    estimator: Estimator | None = None
    answers: list[pa.Table] = field(default_factory=list)
    labelled: list[pa.Table] = field(default_factory=list)
    ruler: SliceRuler | None = None
    slices: SliceCounts | None = None
    sensitive: dict[str, GroupCounts] = field(default_factory=dict)

    def add(self, stretch: HistoryStretch) -> None:
        """Count the next rows."""
        blocks = self.grid.blocks(stretch.microseconds, BLOCKS)
        self.rows.add(stretch.table, blocks, times=self.question.options.time)
        if self.question.outcome_columns:
            self._measure(stretch.table)

    def _measure(self, table: pa.Table) -> None:
        names, config = self.question.outcome_columns, self.question.config
        answered, faults = read_outcomes(table, names[0], names[1], config)
        counted = count_outcomes(answered, config)
        self.outcomes = counted if self.outcomes is None else self.outcomes + counted  # type: ignore[operator]
        self.unlabelled += faults.unlabelled
        self.notes |= dict.fromkeys(faults.sentences())
        if self.ruler is not None:
            self._slice(self.ruler, table, answered, faults.kept)
        if self.estimator is not None:
            self.answers.append(table.select(self.question.answer_columns))
            self.labelled.append(self.answers[-1].filter(pa.array(faults.kept)))

    def _slice(self, ruler: SliceRuler, table: pa.Table, answered: Outcomes, kept: NDArray[np.bool_]) -> None:
        names = self.question.outcome_columns
        labelled = table if kept.all() else table.filter(pa.array(kept))
        features = {grouping.column: labelled.column(grouping.column) for grouping in ruler.groupings[:-1]}
        counted = SliceCounter(ruler, features, answered).singles()
        self.slices = counted if self.slices is None else self.slices + counted
        found = group_counts(table, names[0], names[1], self.question.config, ruler.by_column, mark_key=ruler.key())
        self.sensitive = added_groups(self.sensitive, found)

    def estimates(self, code: int) -> WindowEstimates | None:
        """The estimates from the answers alone; None if the baseline gave no estimator."""
        if self.estimator is None:
            return None
        name, config = self.question.outcome_columns[0], self.question.config
        metrics, rows = estimate_answers(self.estimator, self.answers, name, config)
        of_labelled = metrics
        if sum(map(len, self.labelled)) < sum(map(len, self.answers)):
            of_labelled, _ = estimate_answers(self.estimator, self.labelled, name, config)
        return WindowEstimates(self.estimator.method, metrics, rows, *self.grid.bounds(code), of_labelled)

    def window(self, code: int) -> HistoryWindow:
        """The window as it is judged."""
        start, end = self.grid.bounds(code)
        return HistoryWindow(start, end, self.rows.profile, self.evidence(code), self.rows.design_effects())

    def evidence(self, code: int) -> QualityEvidence:
        """What is counted of the answers."""
        counted = None
        if self.outcomes is not None:
            reason = "every labelled row of the history counts as ripe"
            counted = LabelledOutcomes(self.outcomes, self.unlabelled, reason, notes=tuple(self.notes))
        # The reference's own slices are the same for every window: who judges has them.
        slices = CountedSlices(self.slices, None) if self.slices is not None else None
        return QualityEvidence(counted, self.estimates(code), slices, tuple(self.sensitive.values()))


@dataclass(frozen=True)
class Before:
    """The facts from the rows before the first window: the cells, the reference quality, and the estimator."""

    baseline: Baseline
    groups: CellGroups
    reference: OutcomeCounts | None
    estimator: Estimator | None
    ruler: SliceRuler | None
    slices: SliceCounts | None

    @property
    def window_bytes(self) -> int:
        """Memory of an open window's counts."""
        numbers = self.baseline.width + BLOCKS * self.groups.total
        for table in self.slices.tables.values() if self.slices else ():
            numbers += table.counts.size + table.sums.size
        return 8 * numbers


def count_baseline(question: BacktestQuestion) -> Before:
    """Freeze the rows before the first window, and count how right the model was on them."""
    history = question.history
    frozen = _frozen(question)
    oldest = history.survey.oldest
    ruler = _slice_ruler(question, frozen)
    groups = CellGroups.of(frozen)
    tally = Tally(question, BlockedRows(frozen, groups), WindowGrid(oldest, history.grid.start - oldest), ruler=ruler)
    for stretch in history.baseline_stretches(question.read_columns):
        tally.add(stretch)
    baseline = replace(frozen, design_effects=tally.rows.design_effects())
    return Before(baseline, groups, tally.outcomes, _estimator(question, tally.outcomes), ruler, tally.slices)


def _slice_ruler(question: BacktestQuestion, frozen: Baseline) -> SliceRuler | None:
    """How labelled rows are grouped; None without labels."""
    if not question.outcome_columns:
        return None
    config = question.config
    ruler = freeze_ruler(frozen, config.problem, classes=config.classes, columns=config.segments.columns)
    return ruler.shown_as(config.hidden)


def _estimator(question: BacktestQuestion, reference: OutcomeCounts | None) -> Estimator | None:
    """The estimator comes from counts for two classes, from the first rows for other problems."""
    threshold = question.config.prediction.threshold
    if reference is None or isinstance(reference, BinaryCounts):
        return None if reference is None else ScoreEstimator.of(reference, threshold)
    names = question.outcome_columns
    return fit_estimator(read_outcomes(question.head, names[0], names[1], question.config)[0], threshold=threshold)


def count_windows(question: BacktestQuestion, before: Before) -> Iterator[tuple[int, HistoryWindow]]:
    """Each window that has rows, as soon as the last of them has been read."""
    history, tallies = question.history, dict[int, Tally]()
    room = max(2, OPEN_BYTES_MAX // before.window_bytes)
    for stretch in history.stretches(question.read_columns, open_at_once=room):
        if stretch.code not in tallies:
            tallies[stretch.code] = Tally(
                question,
                BlockedRows(before.baseline, before.groups),
                history.grid,
                estimator=before.estimator,
                ruler=before.ruler,
            )
        tally = tallies[stretch.code]
        tally.add(stretch)
        if stretch.is_last:
            yield stretch.code, tallies.pop(stretch.code).window(stretch.code)


def empty_window(question: BacktestQuestion, before: Before, code: int) -> HistoryWindow:
    """A window without rows."""
    return Tally(question, BlockedRows(before.baseline, before.groups), question.history.grid).window(code)


def _frozen(question: BacktestQuestion) -> Baseline:
    history, names = question.history, [column.name for column in question.columns]
    name, time = f"rows before {question.options.baseline_until}", question.options.time
    try:
        return freeze_baseline_streaming(
            question.config.model, name, question.columns, lambda: history.before(names), times=time
        )
    except (EmptySampleError, UncountableColumnError) as error:
        reason = f"{error}; name the columns to watch in a YAML (--config)"
        raise UnreadableFileError(path=history.files.path, reason=reason) from error
