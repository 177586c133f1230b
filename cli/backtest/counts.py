"""The rows of a history as counts: the frozen baseline, its reference quality, and a window after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cli.backtest.history import HistoryBatch
from cli.backtest.question import BacktestQuestion
from cli.rows.files import UnreadableFileError
from kedge.arrays import Ints
from kedge.backtest.grid import WindowGrid
from kedge.backtest.window import HistoryWindow
from kedge.config.model import ModelConfig
from kedge.errors import EmptySampleError, UncountableColumnError
from kedge.estimation.estimators import CountedAnswers, Estimator, ScoreEstimator, count_answered, fit_estimator
from kedge.estimation.report import WindowEstimates
from kedge.outcomes.binary import BinaryCounts
from kedge.outcomes.counts import OutcomeCounts, count_outcomes
from kedge.outcomes.outcomes import Outcomes, read_outcomes
from kedge.performance.window import LabelledOutcomes
from kedge.profile.baseline import Baseline, Profile
from kedge.profile.blocked_rows import BlockedRows, PlacedRows
from kedge.profile.design_effect import BLOCKS, BlockTable, CellGroups
from kedge.profile.freezing import freeze_baseline_streaming
from kedge.quality.window import QualityEvidence
from kedge.slices.counts import SliceCounter, SliceCounts, row_groups
from kedge.slices.fairness import added_groups, group_counts
from kedge.slices.group_counts import GroupCounts
from kedge.slices.judgement import CountedSlices
from kedge.slices.ruler import SliceRuler, freeze_ruler

# Memory limit of the windows that are open at the same time.
OPEN_BYTES_MAX = 256 * 2**20


@dataclass(frozen=True)
class LookedUpRows:
    """Rows with all that is looked up in them once, whatever windows they belong to."""

    table: pa.Table
    microseconds: Ints
    placed: PlacedRows
    groups: Mapping[str, NDArray[np.int16]]

    def part(self, rows: slice) -> LookedUpRows:
        """Some of the rows."""
        groups = {name: found[rows] for name, found in self.groups.items()}
        table = self.table.slice(rows.start, rows.stop - rows.start)
        return LookedUpRows(table, self.microseconds[rows], self.placed.part(rows), groups)


@dataclass(frozen=True)
class Lookup:
    """What rows are looked up in: the baseline's cells, their groups, and the slices."""

    baseline: Baseline
    groups: CellGroups
    ruler: SliceRuler | None
    times: str

    def __call__(self, batch: HistoryBatch) -> LookedUpRows:
        """Look up a batch's rows."""
        placed = PlacedRows.of(self.baseline, self.groups, batch.table, times=self.times)
        features = self.ruler.groupings[:-1] if self.ruler else ()
        columns = {grouping.column: batch.table.column(grouping.column) for grouping in features}
        groups = row_groups(self.ruler, columns) if self.ruler else {}
        return LookedUpRows(batch.table, batch.microseconds, placed, groups)


@dataclass(frozen=True)
class WindowCounts:
    """A window as it is counted; whoever judges it works out what the counts say."""

    start: datetime
    end: datetime
    profile: Profile
    blocks: BlockTable
    evidence: QualityEvidence
    answers: CountedAnswers | None = None
    labelled: CountedAnswers | None = None

    def worked_out(self, before: Before, config: ModelConfig) -> HistoryWindow:
        """The window as it is judged."""
        evidence = replace(self.evidence, estimates=self._estimates(before.estimator, config.performance.confidence))
        effects = self.blocks.design_effects(before.groups)
        return HistoryWindow(self.start, self.end, self.profile, evidence, effects)

    def _estimates(self, estimator: Estimator | None, confidence: float) -> WindowEstimates | None:
        """The estimates from the answers alone; None if the baseline gave no estimator."""
        if estimator is None or self.answers is None:
            return None
        metrics = self.answers.estimate(estimator, confidence)
        of_labelled = self.labelled.estimate(estimator, confidence) if self.labelled else metrics
        return WindowEstimates(estimator.method, metrics, self.answers.rows, self.start, self.end, of_labelled)


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
    answers: CountedAnswers = field(default_factory=CountedAnswers)
    labelled: CountedAnswers = field(default_factory=CountedAnswers)
    left_out: bool = False
    ruler: SliceRuler | None = None
    slices: SliceCounts | None = None
    sensitive: dict[str, GroupCounts] = field(default_factory=dict)

    def add(self, rows: LookedUpRows) -> None:
        """Count the next rows."""
        self.rows.add(rows.placed, self.grid.blocks(rows.microseconds, BLOCKS))
        if self.question.outcome_columns:
            self._measure(rows)

    def _measure(self, rows: LookedUpRows) -> None:
        table, names, config = rows.table, self.question.outcome_columns, self.question.config
        answered, faults = read_outcomes(table, names[0], names[1], config)
        counted = count_outcomes(answered, config)
        self.outcomes = counted if self.outcomes is None else self.outcomes + counted  # type: ignore[operator]
        self.unlabelled += faults.unlabelled
        self.notes |= dict.fromkeys(faults.sentences())
        if self.ruler is not None:
            self._slice(self.ruler, rows, answered, faults.kept)
        if self.estimator is not None:
            self._answer(self.estimator, table.select(self.question.answer_columns), faults.kept)

    def _slice(self, ruler: SliceRuler, rows: LookedUpRows, answered: Outcomes, kept: NDArray[np.bool_]) -> None:
        names, config = self.question.outcome_columns, self.question.config
        groups = rows.groups if kept.all() else {name: found[kept] for name, found in rows.groups.items()}
        counted = SliceCounter(ruler, groups, answered).singles()
        self.slices = counted if self.slices is None else self.slices + counted
        if config.fairness.columns:
            mark_key = ruler.key()
            found = group_counts(rows.table, names[0], names[1], config, ruler.by_column, mark_key=mark_key)
            self.sensitive = added_groups(self.sensitive, found)

    def _answer(self, estimator: Estimator, table: pa.Table, kept: NDArray[np.bool_]) -> None:
        name, config = self.question.outcome_columns[0], self.question.config
        counted = count_answered(estimator, table, name, config)
        self.answers += counted
        self.labelled += (
            counted if kept.all() else count_answered(estimator, table.filter(pa.array(kept)), name, config)
        )
        self.left_out = self.left_out or not kept.all()

    def window(self, code: int) -> WindowCounts:
        """The window's counts."""
        answers = self.answers if self.estimator else None
        labelled = self.labelled if self.left_out else None
        return WindowCounts(
            *self.grid.bounds(code), self.rows.profile, self.rows.blocks, self._evidence(), answers, labelled
        )

    def _evidence(self) -> QualityEvidence:
        counted = None
        if self.outcomes is not None:
            reason = "every labelled row of the history counts as ripe"
            counted = LabelledOutcomes(self.outcomes, self.unlabelled, reason, notes=tuple(self.notes))
        # The reference's own slices are the same for every window: who judges has them.
        slices = CountedSlices(self.slices, None) if self.slices is not None else None
        return QualityEvidence(counted, slices=slices, sensitive=tuple(self.sensitive.values()))


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
    look_up = Lookup(frozen, groups, ruler, question.options.time)
    for batch in history.baseline_batches(question.read_columns):
        tally.add(look_up(batch))
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


def count_windows(question: BacktestQuestion, before: Before) -> Iterator[tuple[int, WindowCounts]]:
    """Each window that has rows, as soon as the last of them has been read."""
    history, tallies = question.history, dict[int, Tally]()
    room = max(2, OPEN_BYTES_MAX // before.window_bytes)
    look_up = Lookup(before.baseline, before.groups, before.ruler, question.options.time)
    for batch in history.batches(question.read_columns, open_at_once=room):
        rows = look_up(batch)
        for stretch in batch.stretches:
            if stretch.code not in tallies:
                tallies[stretch.code] = Tally(
                    question,
                    BlockedRows(before.baseline, before.groups),
                    history.grid,
                    estimator=before.estimator,
                    ruler=before.ruler,
                )
            tallies[stretch.code].add(rows.part(stretch.rows))
            if stretch.is_last:
                yield stretch.code, tallies.pop(stretch.code).window(stretch.code)


def empty_window(question: BacktestQuestion, before: Before, code: int) -> WindowCounts:
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
