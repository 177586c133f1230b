"""What Athena is asked of a window, one question after the other, and all that its answers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa

from kedge.comparisons import counted as number_of
from kedge.estimation.estimators import Estimator
from kedge.labels.facts import LabelFacts
from kedge.labels.horizon import LabelHorizon, believed_horizon
from kedge.own_columns import VARIANT
from kedge.performance.window import LabelledOutcomes
from kedge.quality.window import QualityEvidence
from kedge.slices.counts import SliceCounts
from kedge.slices.judgement import CountedSlices
from kedge.slices.segments import promising_pairs
from kedge.window_sql.counts import CountsSql
from kedge.window_sql.evidence import CountedWindow
from kedge.window_sql.facts import FactsSql, JoinedFacts, read_facts
from kedge.window_sql.groups import GroupsSql, with_mark
from kedge.window_sql.joined import JoinedRows, RowSql
from kedge.window_sql.parts import Counted


@dataclass(frozen=True)
class GatheredWindow:
    """All that is known of a window's answers and labels, before it is judged.

    Attributes
    ----------
    evidence : QualityEvidence
    labels : LabelFacts
    horizon : LabelHorizon
        Believed for this window.
    learnt : LabelHorizon
        From its own rows.
    new_labelled_rows : int
        Ripe labelled rows that the champion cannot have learnt from.
    """

    evidence: QualityEvidence
    labels: LabelFacts
    horizon: LabelHorizon
    learnt: LabelHorizon
    new_labelled_rows: int


@dataclass(frozen=True)
class WindowPlan:
    """The questions about one window's joined rows.

    Attributes
    ----------
    rows : JoinedRows
    start, end : datetime
        Of the window; the rows may reach further back.
    estimator : Estimator or None
        The champion's.
    slices : SliceCounts or None
        The champion's holdout by slice, its groups named as the YAML allows.
    mark_key : str
        By it hidden levels are named alike in every window.
    classes : tuple of str
        The YAML's present classes.
    remembered_days : float or None
        The label horizon that was learnt earlier.
    learnt_until : datetime or None
        The end of what the champion has learnt from.
    """

    rows: JoinedRows
    start: datetime
    end: datetime
    estimator: Estimator | None = None
    slices: SliceCounts | None = None
    mark_key: str = ""
    classes: tuple[str, ...] = ()
    remembered_days: float | None = None
    learnt_until: datetime | None = None

    @property
    def questions(self) -> tuple[Callable[[Counted], list[str]], ...]:
        """SELECTs, each list by what the ones before have counted: which rows are ripe, their counts, pairs worth opening."""
        return (lambda _: self._facts_sql.parts(), self._ask_counts, self._ask_pairs)

    def levels(self, counted: Counted) -> pa.Table:
        """The table of levels that the later questions look codes up in, by what the first one has counted."""
        return self._groups(self._facts(counted)).level_rows()

    def gathered(self, counted: Counted, *, unmatched: int, notes: tuple[str, ...]) -> GatheredWindow | None:
        """All that was counted; None where nothing was answered.

        Parameters
        ----------
        unmatched : int
            Labels collected lately whose id no answered row has.
        notes : tuple of str
            What else a reader should know of the labels.
        """
        facts = self._facts(counted)
        if not facts.labels.rows:
            return None
        labels = replace(facts.labels, faults=replace(facts.labels.faults, unmatched=unmatched))
        learnt, horizon = self._learnt(facts), self._horizon(facts)
        window = CountedWindow(counted, self._counts(facts))
        oldest = self.rows.now - timedelta(days=facts.oldest_days)
        groups, reason = self._groups(facts), horizon.reason
        outcomes, faults, young = window.outcomes()
        told = (*faults.sentences(quoted=False), *labels.faults.sentences(), *notes, *self._left_out())
        evidence = QualityEvidence(
            LabelledOutcomes(outcomes, faults.unlabelled, reason, young, told),
            window.estimates(start=oldest, end=self.end),
            self._slices(groups, counted),
            groups.read_people(counted),
            window.figures,
            {name: self._variant(window, place, reason) for place, name in enumerate(self._variants)},
        )
        ripe = window.new_labelled_rows if horizon.days is not None else 0
        return GatheredWindow(evidence, labels, horizon, learnt, ripe)

    def _ask_counts(self, counted: Counted) -> list[str]:
        facts = self._facts(counted)
        return [*self._counts(facts).parts(), *self._groups(facts).parts()]

    def _ask_pairs(self, counted: Counted) -> list[str]:
        groups = self._groups(self._facts(counted))
        singles = groups.read_singles(counted)
        return groups.pairs(self._pairs(singles)) if singles is not None else []

    @property
    def _facts_sql(self) -> FactsSql:
        levels = tuple(name for name in self._by_level if self.rows.value(name) and not self._is_time(name))
        return FactsSql(RowSql(self.rows, self.start), self.classes, levels)

    @property
    def _by_level(self) -> list[str]:
        """Sensitive columns whose groups are their own levels."""
        policy, known = self.rows.config.fairness, self.slices.ruler.by_column if self.slices else {}
        return [name for name in policy.columns if name not in known and name not in policy.bands]

    def _is_time(self, name: str) -> bool:
        found = self.rows.value(name)
        return found is not None and pa.types.is_timestamp(found[1])

    def _facts(self, counted: Counted) -> JoinedFacts:
        return read_facts(counted, self._facts_sql)

    def _learnt(self, facts: JoinedFacts) -> LabelHorizon:
        policy = self.rows.config.labels
        return facts.horizon(policy.horizon_quantile, policy.classes)

    def _horizon(self, facts: JoinedFacts) -> LabelHorizon:
        configured = self.rows.config.labels.label_horizon_days
        return believed_horizon(self._learnt(facts), configured=configured, remembered=self.remembered_days)

    def _row_sql(self, facts: JoinedFacts) -> RowSql:
        days = self._horizon(facts).days
        ripe_until = None if days is None else self.rows.now - timedelta(days=days)
        return RowSql(self.rows, self.start, ripe_until, facts.as_classes)

    def _counts(self, facts: JoinedFacts) -> CountsSql:
        return CountsSql(self._row_sql(facts), facts, self.estimator, self.learnt_until)

    def _groups(self, facts: JoinedFacts) -> GroupsSql:
        ruler = self.slices.ruler if self.slices is not None else None
        return GroupsSql(self._row_sql(facts), ruler, with_mark(facts.levels, self.mark_key))

    def _pairs(self, singles: SliceCounts) -> tuple[tuple[str, ...], ...]:
        return promising_pairs(singles, self.slices, self.rows.config.segments)

    def _slices(self, groups: GroupsSql, counted: Counted) -> CountedSlices | None:
        singles = groups.read_singles(counted)
        if singles is None:
            return None
        return CountedSlices(singles, self.slices, groups.read_pairs(counted, singles, self._pairs(singles)))

    @property
    def _variants(self) -> tuple[str, ...]:
        return self.rows.config.endpoint.variants if VARIANT in self.rows.columns else ()

    def _variant(self, window: CountedWindow, place: int, reason: str) -> LabelledOutcomes:
        outcomes, faults, young = window.outcomes(place)
        return LabelledOutcomes(outcomes, faults.unlabelled, reason, young, faults.sentences(quoted=False))

    def _left_out(self) -> tuple[str, ...]:
        """Custom attributes, which Athena has no table of, and sensitive times, because it reads them by the millisecond."""
        config = self.rows.config
        asked = (*config.fairness.columns, *config.business_columns, config.performance.cost_column or "")
        named = [name for name in dict.fromkeys(asked) if name in config.endpoint.custom_attributes]
        lacking = [name for name in named if self.rows.value(name) is None]
        lacking += [name for name in self._by_level if self._is_time(name)]
        if not lacking:
            return ()
        columns = f"{number_of(len(lacking), 'column')} not looked at"
        return (f"{columns}, because the window is counted by Athena: {', '.join(lacking)}",)
