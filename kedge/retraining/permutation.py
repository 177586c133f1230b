"""The importance of each feature: how much worse the answers become if its values are shuffled.

Permutation importance: Breiman (2001), Random Forests, Machine Learning 45, 5-32, section 10; measured on rows that the
model has not learnt.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kedge.comparisons import counted
from kedge.config.metrics import metrics_of
from kedge.config.model import ModelConfig
from kedge.drift.importance import shares
from kedge.errors import UnreadableImportanceError
from kedge.outcomes.columns import OutcomeColumn, answer_column, label_column
from kedge.own_columns import LABEL, ROW_ID
from kedge.performance.paired import row_losses

# Of fewer rows a ranking is mostly chance.
_ROWS_MIN = 30
# Between a feature's place and the row's own id, which may hold anything.
_MARK = "~"
_SEED = 0


def permuted_rows(holdout: pa.Table, config: ModelConfig) -> pa.Table:
    """Some rows of the holdout once per feature, with that feature's values shuffled among them.

    Parameters
    ----------
    holdout : Table
        With `kedge_row_id` and the features.

    Returns
    -------
    Table
        `kedge_row_id` (`<place of the feature>~<id>`) and the features: `training.permuted_rows` rows per feature; fewer if they
        would be more in total than the holdout has, and none if they would be too few.
    """
    names = config.feature_names
    rows = holdout.select([ROW_ID, *names])
    wanted = min(config.training.permuted_rows, rows.num_rows // len(names))
    if wanted < _ROWS_MIN:
        return rows.slice(0, 0)
    random = np.random.default_rng(_SEED)
    sample = rows.take(pa.array(np.sort(random.choice(rows.num_rows, wanted, replace=False))))
    ids = sample.column(ROW_ID).to_pylist()
    found = []
    for place, name in enumerate(names):
        marked = sample.set_column(0, ROW_ID, pa.array([f"{place}{_MARK}{row_id}" for row_id in ids]))
        shuffled = sample.column(name).take(pa.array(random.permutation(wanted)))
        found.append(marked.set_column(1 + place, name, shuffled))
    return pa.concat_tables(found)


def permutation_importance(
    holdout: pa.Table, permuted: Mapping[str, float | str], config: ModelConfig
) -> dict[str, float]:
    """Share of each feature in the cost of shuffling; empty if shuffling costs nothing.

    The mean loss of the shuffled rows minus that of the same rows unshuffled, by Brier score, share of wrong classes or
    absolute error. A feature has no weight if the answers are no worse without it.

    Parameters
    ----------
    holdout : Table
        With `kedge_row_id`, `label` and the model's answers.
    permuted : mapping of str to float or str
        Answers to `permuted_rows`, by their `kedge_row_id`.

    Raises
    ------
    UnreadableImportanceError
        An answer belongs to a row that was never shuffled.
    """
    row_of = {row_id: row for row, row_id in enumerate(holdout.column(ROW_ID).to_pylist())}
    place_of = {str(place): place for place in range(len(config.feature_names))}
    asked = [(name, *name.split(_MARK, 1)) for name in permuted]
    strangers = sum(len(of) < 2 or of[0] not in place_of or of[1] not in row_of for _, *of in asked)
    if strangers:
        belong = "belongs" if strangers == 1 else "belong"
        raise UnreadableImportanceError(
            reason=f"{counted(strangers, 'answer')} {belong} to no shuffled row of the holdout"
        )
    places = np.array([place_of[place] for _, place, _ in asked], np.int64)
    rows = np.array([row_of[row_id] for *_, row_id in asked], np.int64)
    labels = label_column(holdout.column(LABEL), config.problem, config.labels.classes)
    before = answer_column(holdout.column(config.prediction.name), config.problem, config.labels.classes)
    after = answer_column(pa.array(permuted.values()), config.problem, config.labels.classes)
    known = labels.known[rows] & before.known[rows] & after.known
    cost = _loss(config, labels, rows, after.values) - _loss(config, labels, rows, before.values[rows])
    size = len(place_of)
    total = np.bincount(places[known], cost[known], size)
    mean = total / np.maximum(np.bincount(places[known], minlength=size), 1)
    return shares(dict(zip(config.feature_names, np.maximum(mean, 0.0).tolist(), strict=True)))


def _loss(config: ModelConfig, labels: OutcomeColumn, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
    loss = next(metric.name for metric in metrics_of(config.problem) if metric.ranks_features)
    return row_losses(loss, labels.values[rows], answers)
