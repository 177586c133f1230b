"""A stretch of a model's answers joined with their labels so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.arrays import Bools, Floats
from kedge.config.model import ModelConfig
from kedge.labels.facts import LabelFacts, LabelFaults
from kedge.labels.horizon import LabelHorizon, TimeCounts, label_horizon, whole_minutes
from kedge.labels.join import last_answers, seconds_of
from kedge.outcomes.columns import label_column
from kedge.own_columns import COLLECTED, FIELD, LABEL, ROW_ID, TIME

TRUTH = LABEL
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class LabelledRows:
    """Answers of one stretch of time with their labels so far.

    Attributes
    ----------
    table : Table
        A row for each id: `kedge_row_id`, the requested columns, the label's text under `label` (null without one), and the extra fields
        of its record under their own names.
    ages_days : ndarray of float, shape (n_rows,)
        Days from answer to now.
    classes : ndarray of int, shape (n_rows,)
        Code of the class that came true (0 for a regression), -1 without a readable label.
    delays_days : ndarray of float, shape (n_rows,)
        Days from answer to label; NaN without a label.
    """

    table: pa.Table
    ages_days: Floats
    classes: NDArray[np.int64]
    delays_days: Floats
    faults: LabelFaults = field(default_factory=LabelFaults)

    @property
    def rows(self) -> int:
        """Ids that were answered."""
        return int(self.table.num_rows)

    @property
    def labelled(self) -> Bools:
        """Rows with a label."""
        return self.classes >= 0

    def horizon(self, quantile: float, names: Sequence[str] = ()) -> LabelHorizon:
        """The horizon learnt from these rows."""
        rows = self.labelled
        delays, ages = whole_minutes(self.delays_days[rows]), whole_minutes(self.ages_days[rows])
        return label_horizon(delays, ages, self.classes[rows], quantile=quantile, names=names)

    def ripe(self, horizon_days: float | None) -> Bools:
        """Rows old enough for their label to be in; none while the horizon is not known."""
        return self.ages_days >= (np.inf if horizon_days is None else horizon_days)

    def facts(self) -> LabelFacts:
        """What is known of the labels as a whole."""
        rows = self.labelled
        delays = self.delays_days[rows]
        return LabelFacts(
            rows=self.rows,
            delays=TimeCounts.of(whole_minutes(delays)),
            newest_days=float((self.ages_days[rows] - delays).min()) if len(delays) else None,
            faults=self.faults,
        )


def labelled_rows(
    joined: pa.Table, config: ModelConfig, *, now: float, unmatched: int, classes: tuple[str, ...] = ()
) -> LabelledRows:
    """Read answers that were joined with their labels: the last answer to each id, and the labels collected before now.

    Parameters
    ----------
    joined : Table
        As `join_labels` returns it, with the answers under the prediction's name.
    now : float
        Seconds since the epoch.
    unmatched : int
        Labels whose row the fold did not find.
    classes : tuple of str
        The YAML's present classes, if the package was released with other classes.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> at = pa.array([0, 0, 86_400], pa.timestamp("s", "UTC"))
    >>> joined = pa.table({"kedge_row_id": ["a", "b", "a"], "kedge_time": at, "prediction": [0.2, 0.9, 0.4],
    ...                    "label": ["1", None, "1"], "kedge_collected": pa.array([172_800, None, 172_800], pa.timestamp("s", "UTC"))})
    >>> rows = labelled_rows(joined, config, now=259_200.0, unmatched=0)
    >>> rows.classes.tolist(), rows.delays_days.tolist()[1], rows.ages_days.tolist(), rows.faults.conflicting
    ([-1, 1], 1.0, [3.0, 2.0], 1)
    """
    times = seconds_of(joined.column(TIME))
    kept, conflicting = last_answers(joined.column(ROW_ID), times, joined.column(config.prediction.name))
    repeated = joined.num_rows - len(kept)
    if repeated:
        joined, times = joined.take(pa.array(kept)), times[kept]
    joined = known_by(joined, now)
    truth = label_column(joined.column(LABEL), config.problem, config.labels.classes)
    newer = (
        truth.strange & label_column(joined.column(LABEL), config.problem, classes).known
        if classes
        else truth.strange & False
    )
    codes = np.zeros(len(times), np.int64) if config.problem == "regression" else truth.values.astype(np.int64)
    delays = np.maximum(seconds_of(joined.column(COLLECTED)) - times, 0.0) / _DAY_SECONDS
    return LabelledRows(
        table=with_fields(joined.drop_columns([TIME, COLLECTED]), config),
        ages_days=(now - times) / _DAY_SECONDS,
        classes=np.where(truth.known, codes, -1),
        delays_days=np.where(truth.known, delays, np.nan),
        faults=LabelFaults(
            strange=int((truth.strange & ~newer).sum()),
            newer=int(newer.sum()),
            unmatched=unmatched,
            repeated=repeated,
            conflicting=conflicting,
        ),
    )


def known_by(joined: pa.Table, now: float) -> pa.Table:
    """The joined rows without the labels that were not collected before now: a run for an earlier time must not see later labels."""
    later = seconds_of(joined.column(COLLECTED)) >= now
    if not later.any():
        return joined
    early = pa.array(~later)
    for name in (LABEL, COLLECTED, *(each for each in joined.column_names if each.startswith(FIELD))):
        place = joined.schema.get_field_index(name)
        column = pc.if_else(early, joined.column(place), pa.scalar(None, joined.schema.field(place).type))
        joined = joined.set_column(place, name, column)
    return joined


def with_fields(joined: pa.Table, config: ModelConfig) -> pa.Table:
    """The extra fields of the label records under their own names, without those that the requests have too."""
    taken = {*joined.column_names, *config.endpoint.custom_attributes}
    for name in config.labels.fields:
        column, place = joined.column(FIELD + name), joined.schema.get_field_index(FIELD + name)
        joined = joined.remove_column(place)
        if name in config.context and name in joined.column_names:
            # A label record may tell of the context what the request did not.
            told = joined.schema.get_field_index(name)
            both = pc.coalesce(joined.column(told), column.cast(pa.string()))
            joined = joined.set_column(told, name, both)
        joined = joined if name in taken else joined.append_column(name, column)
    return joined
