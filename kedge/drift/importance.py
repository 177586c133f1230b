"""How much each column matters to the model, so that reports begin with columns that drift and matter."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping

from kedge.columns.casting import Column
from kedge.errors import UnreadableImportanceError

# A page of weights; a larger file is something else.
LARGEST_BYTES = 1 << 20
# Weights are added up: the largest floats would overflow.
_LARGEST = 1e300


def parse_importance(content: bytes, columns: Collection[str]) -> dict[str, float]:
    """Read a JSON object of weights by column, as shares that add up to 1.

    Any measure of the training job (gain, permutation, mean absolute Shapley values) will do: only the ratios count. Names
    that are not columns of the model are left out, because training may make columns of its own. Raises
    `UnreadableImportanceError`.

    Parameters
    ----------
    content : bytes
        For example `{"lead_time": 3, "adr": 1}`; weights are finite and not negative.
    columns : collection of str
        The model's features.

    >>> parse_importance(b'{"lead_time": 3, "adr": 1, "made_up": 9}', ["lead_time", "adr", "meal"])
    {'lead_time': 0.75, 'adr': 0.25}
    """
    if len(content) > LARGEST_BYTES:
        raise UnreadableImportanceError(reason=f"it has more than {LARGEST_BYTES:,} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableImportanceError(reason="it is not JSON") from error
    if not isinstance(document, dict):
        raise UnreadableImportanceError(reason="it is not a JSON object of weights by column")
    weights = {name: weight for name, weight in document.items() if name in columns}
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= _LARGEST:
            raise UnreadableImportanceError(reason=f"the weight of {name!r} is not a finite number of at least 0")
    found = shares(weights)
    if not found:
        raise UnreadableImportanceError(reason="it gives none of the model's features a weight")
    return found


def shares(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as parts of their sum; empty if all are zero.

    >>> shares({"lead_time": 3.0, "adr": 1.0}), shares({"adr": 0.0})
    ({'lead_time': 0.75, 'adr': 0.25}, {})
    """
    total = math.fsum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total else {}


def importance_of(column: Column, importance: Mapping[str, float]) -> float | None:
    """A column's share in the model; None if no weights are known, and for the prediction.

    >>> importance_of(Column("meal", "feature", "categorical", "string"), {"adr": 1.0})
    0.0
    """
    return importance.get(column.name, 0.0) if importance and column.role == "feature" else None
