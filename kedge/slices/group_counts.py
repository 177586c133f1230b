"""Rows of each group of people by decision and outcome: fairness is measured from these counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.arrays import Bools, Ints
from kedge.config.model import ModelConfig
from kedge.config.policies import FairnessPolicy
from kedge.outcomes.columns import OutcomeColumn, answer_column, label_column
from kedge.slices.groupings import Grouping, freeze_grouping

# The known truth: the unfavourable class, the favourable one, or nothing yet.
UNFAVOURABLE, FAVOURABLE, UNKNOWN = range(3)
# At most this many levels of a text that is not a watched feature; rarer ones are pooled.
LEVELS_MAX = 50


@dataclass(frozen=True)
class Decisions:
    """The decision for each row, and what came true.

    Attributes
    ----------
    selected : ndarray of bool, shape (n_rows,)
        Whether the answer is the favourable one.
    truth : ndarray of int, shape (n_rows,)
        `UNFAVOURABLE`, `FAVOURABLE` or `UNKNOWN`.
    """

    selected: Bools
    truth: Ints


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Rows per group of one column, shape (2 decisions, 3 truths) each; they add even if the two sides know different groups."""

    column: str
    groups: Mapping[str, Ints]

    def __add__(self, other: GroupCounts) -> GroupCounts:
        names = dict.fromkeys((*self.groups, *other.groups))
        none = np.zeros((2, 3), np.int64)
        return GroupCounts(
            self.column, {name: self.groups.get(name, none) + other.groups.get(name, none) for name in names}
        )


def read_decisions(table: pa.Table, prediction: str, label: str, config: ModelConfig) -> tuple[Decisions, Bools]:
    """Read answers and labels as decisions for or against, and say which rows were answered.

    Favourable is the class that `fairness.favourable` names, else the last one; for a regression, reaching
    `fairness.threshold`. An answer counts as soon as it is given, a label as soon as it has come.

    >>> from kedge.config.model import Endpoint, Feature
    >>> config = ModelConfig(model="m", endpoint=Endpoint(name="m"), features=(Feature(name="x", kind="numeric"),))
    >>> rows = pa.table({"score": [0.9, 0.2, None], "label": [1, None, 1]})
    >>> decided, answered = read_decisions(rows, "score", "label", config)
    >>> decided.selected.tolist(), decided.truth.tolist(), answered.tolist()
    ([True, False], [1, 2], [True, True, False])
    """
    answer = answer_column(table.column(prediction), config.problem, config.classes)
    truth = label_column(table.column(label), config.problem, config.classes)
    selected, favourable = (_favours(side, config, given) for side, given in ((answer, True), (truth, False)))
    known = np.where(truth.known, favourable.astype(np.int64), UNKNOWN)
    return Decisions(selected[answer.known], known[answer.known]), answer.known


def count_groups(column: str, names: Sequence[str], codes: Ints, decisions: Decisions) -> GroupCounts:
    """Count one column's groups.

    Parameters
    ----------
    names : sequence of str
        Each group's name, by code.
    codes : ndarray of int, shape (n_rows,)

    >>> counted = count_groups("sex", ["f", "m"], np.array([0, 1, 1]), Decisions(np.array([True, True, False]), np.array([1, 0, 2])))
    >>> counted.groups["m"].tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    places = codes.astype(np.int64) * 6 + decisions.selected * 3 + decisions.truth
    counts = np.bincount(places, minlength=len(names) * 6).reshape(len(names), 2, 3).astype(np.int64)
    return GroupCounts(column, {name: counts[i] for i, name in enumerate(names) if counts[i].any()})


def favourable_class(config: ModelConfig) -> int:
    """Code of the class that people want."""
    return config.labels.classes.index(config.fairness.favourable or config.labels.classes[-1])


def _favours(column: OutcomeColumn, config: ModelConfig, answered: bool) -> Bools:
    policy = config.fairness
    if config.problem == "regression":
        return np.asarray(column.values >= (policy.threshold or 0.0))
    favourable = favourable_class(config)
    codes = column.values
    if answered and config.problem == "binary_classification":
        codes = (column.values >= config.prediction.threshold).astype(np.int64)
    return np.asarray(codes == favourable)


def count_sensitive(
    columns: Mapping[str, Any],
    decisions: Decisions,
    config: ModelConfig,
    known: Mapping[str, Grouping],
    *,
    mark_key: str = "",
) -> list[GroupCounts]:
    """Count each sensitive column's groups: the policy's bands, else the monitor's own groups, else its levels.

    Parameters
    ----------
    columns : mapping of str to Array
        Values by column, rows as in `decisions`; columns that are not sensitive are ignored.
    known : mapping of str to Grouping
        Groups of the watched features. All are named as the YAML allows (`ModelConfig.hidden`).
    mark_key : str
        By it the hidden levels of other columns are named.

    >>> import numpy as np, pyarrow as pa
    >>> from kedge.config.reading import parse_model_config
    >>> text = "{model: m, endpoint: {name: e}, features: [{name: age, kind: numeric}], fairness: {columns: [age], bands: {age: [25]}}}"
    >>> decisions = Decisions(np.array([True, False]), np.array([1, 1]))
    >>> (counted,) = count_sensitive({"age": pa.array([20, 50])}, decisions, parse_model_config(text, source="m.yaml"), {})
    >>> list(counted.groups)
    ['at most 25', 'above 25']
    """
    found = []
    for name in config.fairness.columns:
        if name in columns:
            grouping = _grouping(name, columns[name], config.fairness, known, mark_key).shown_as(config.hidden)
            found.append(count_groups(name, grouping.names, grouping.codes(columns[name]), decisions))
    return found


def _grouping(name: str, values: Any, policy: FairnessPolicy, known: Mapping[str, Grouping], mark_key: str) -> Grouping:
    if name in policy.bands:
        return Grouping(name, "numeric", edges=tuple(sorted(policy.bands[name])))
    if name in known:
        return known[name]
    return replace(freeze_grouping(name, "categorical", values, levels=LEVELS_MAX), mark_key=mark_key)
