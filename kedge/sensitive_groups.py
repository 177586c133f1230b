"""The groups of a sensitive column, wherever its values come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kedge.group_counts import Decisions, GroupCounts, count_groups
from kedge.groupings import Grouping, freeze_grouping
from kedge.model_policies import FairnessPolicy

# Levels of a text that is no watched feature; what is rarer is pooled.
LEVELS_MAX = 50


def count_sensitive(
    columns: Mapping[str, Any], decisions: Decisions, policy: FairnessPolicy, known: Mapping[str, Grouping]
) -> list[GroupCounts]:
    """Count each sensitive column's groups: the policy's bands, else the monitor's own groups, else its levels.

    Parameters
    ----------
    columns : mapping of str to Array
        Values by column, rows as in `decisions`; columns that are not sensitive are passed over.
    known : mapping of str to Grouping
        Groups of the watched features.

    >>> import numpy as np, pyarrow as pa
    >>> decisions = Decisions(np.array([True, False]), np.array([1, 1]))
    >>> (counted,) = count_sensitive({"age": pa.array([20, 50])}, decisions, FairnessPolicy(columns=("age",), bands={"age": (25.0,)}), {})
    >>> list(counted.groups)
    ['at most 25', 'above 25']
    """
    found = []
    for name in policy.columns:
        if name in columns:
            grouping = _grouping(name, columns[name], policy, known)
            found.append(count_groups(name, grouping.names, grouping.codes(columns[name]), decisions))
    return found


def _grouping(name: str, values: Any, policy: FairnessPolicy, known: Mapping[str, Grouping]) -> Grouping:
    if name in policy.bands:
        return Grouping(name, "numeric", edges=tuple(sorted(policy.bands[name])))
    return known.get(name) or freeze_grouping(name, "categorical", values, levels=LEVELS_MAX)
