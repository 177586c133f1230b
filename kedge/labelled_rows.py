"""A stretch of a model's answers joined with what is known of their labels so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kedge.labels import LabelHorizon, label_horizon
from kedge.model_config import ModelConfig
from kedge.outcome_columns import label_column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TRUTH = "label"
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class LabelledRows:
    """Answers of one stretch of time with what is known of their labels.

    Attributes
    ----------
    table : Table
        A row for each id: the columns that were asked for, and the label's text under `label`, null where none came.
    ages_days : ndarray of float, shape (n_rows,)
        Days from answer to now.
    classes : ndarray of int, shape (n_rows,)
        Code of the class that came true (of a regression 0), -1 where no label came that can be read.
    delays_days : ndarray of float, shape (n_rows,)
        Days from answer to label; NaN where none has come.
    strange : int
        Labels that are no class, or no number: counted as not come.
    unmatched : int
        Labels of ids that none of the answers has.
    repeated, conflicting : int
        Answers to an id that was answered again later, and those of them that differ from the last, which counts.
    """

    table: pa.Table
    ages_days: Floats
    classes: NDArray[np.int64]
    delays_days: Floats
    strange: int = 0
    unmatched: int = 0
    repeated: int = 0
    conflicting: int = 0

    @property
    def rows(self) -> int:
        """Ids that were answered."""
        return int(self.table.num_rows)

    @property
    def labelled(self) -> Bools:
        """Rows whose label has come."""
        return self.classes >= 0

    def horizon(self, quantile: float) -> LabelHorizon:
        """The horizon that these rows teach."""
        rows = self.labelled
        return label_horizon(self.delays_days[rows], self.ages_days[rows], self.classes[rows], quantile=quantile)

    def ripe(self, horizon_days: float | None) -> Bools:
        """Rows old enough for their label to be believed to be in; none while the horizon is not known."""
        return self.ages_days >= (np.inf if horizon_days is None else horizon_days)

    def sentences(self) -> tuple[str, ...]:
        """What a reader should know of the join.

        >>> LabelledRows(pa.table({}), np.zeros(0), np.zeros(0, np.int64), np.zeros(0), repeated=2, conflicting=1).sentences()
        ('1 answers contradict a later one to the same id: the last one counts',)
        """
        if not self.conflicting:
            return ()
        return (f"{self.conflicting} answers contradict a later one to the same id: the last one counts",)


def join_labels(
    answered: pa.Table,
    row_ids: Sequence[str],
    times: Floats,
    labels: Mapping[str, tuple[str, float]],
    config: ModelConfig,
    *,
    now: float,
) -> LabelledRows:
    """Join answers and labels by row id.

    Parameters
    ----------
    answered : Table
        The model's answers under the prediction's name, and any other columns to carry along.
    row_ids : sequence of str
        Of its rows; of several with one id the latest counts.
    times : ndarray of float, shape (n_rows,)
        When each row was answered, in seconds since the epoch.
    labels : mapping of str to (text, float)
        The last collected label of each id, and when it was collected, in seconds since the epoch.
    now : float
        Seconds since the epoch.

    >>> from kedge.model_config import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> rows = pa.table({"prediction": [0.2, 0.9]})
    >>> joined = join_labels(rows, ["a", "b"], np.zeros(2), {"b": ("1", 86400.0)}, config, now=172800.0)
    >>> joined.classes.tolist(), joined.delays_days.tolist()[1], joined.ages_days.tolist()
    ([-1, 1], 1.0, [2.0, 2.0])
    """
    kept, conflicting = last_answers(row_ids, times, answered.column(config.prediction.name))
    ids = [row_ids[place] for place in kept]
    found = [labels.get(row_id) for row_id in ids]
    texts = pa.array([label[0] if label else None for label in found], pa.string())
    collected = np.array([label[1] if label else np.nan for label in found], dtype=np.float64)
    truth = label_column(texts, config.problem, config.labels.classes)
    codes = np.zeros(len(ids), np.int64) if config.problem == "regression" else truth.values.astype(np.int64)
    return LabelledRows(
        table=answered.take(pa.array(kept)).append_column(TRUTH, texts),
        ages_days=(now - times[kept]) / _DAY_SECONDS,
        classes=np.where(truth.known, codes, -1),
        delays_days=np.where(truth.known, np.maximum(collected - times[kept], 0.0) / _DAY_SECONDS, np.nan),
        strange=int(truth.strange.sum()),
        unmatched=len(labels.keys() - set(ids)),
        repeated=len(row_ids) - len(ids),
        conflicting=conflicting,
    )


def last_answers(row_ids: Sequence[str], times: Floats, answers: Any) -> tuple[NDArray[np.int64], int]:
    """Places of each id's last answer, in their own order, and how many earlier answers differ from it.

    >>> places, conflicting = last_answers(["a", "b", "a"], np.array([0.0, 1.0, 2.0]), pa.array([0.1, 0.5, 0.9]))
    >>> places.tolist(), conflicting
    ([1, 2], 1)
    """
    codes = pc.dictionary_encode(pa.array(row_ids, pa.string())).indices.to_numpy()
    order = np.lexsort((times, codes))
    last = np.append(codes[order][1:] != codes[order][:-1], True)[: len(order)]
    if last.all():
        return np.arange(len(order)), 0
    said = pc.dictionary_encode(answers.combine_chunks() if isinstance(answers, pa.ChunkedArray) else answers)
    spoken = pc.fill_null(said.indices, -1).to_numpy(zero_copy_only=False)[order]
    # Each row's own id has its last answer at the next place that ends a run.
    ends = np.flatnonzero(last)
    of_last = spoken[ends[np.searchsorted(ends, np.arange(len(order)))]]
    return np.sort(order[last]), int((spoken != of_last).sum())
