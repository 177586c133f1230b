"""The rows of a request, in every layout that SageMaker's containers, MLflow and pandas use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kedge.capture.formats import Payload
from kedge.capture.paths import found_at
from kedge.capture.texts import INPUT
from kedge.config.model import ModelConfig
from kedge.errors import UnreadableRecordError

# What rows stand below: the built-in algorithms, TensorFlow Serving, MLflow, AWS's own templates; and below those one row's values.
WRAPPERS = ("instances", "dataframe_records", "records", "inputs", "data", "features", "values", "ndarray")
# A sparse row of more columns would become far longer than the request was.
_SPARSE_COLUMNS_MAX = 100_000
_WRONG_SHAPE = f"{INPUT} has a list or an object where one value belongs"


def request_rows(payload: Payload, config: ModelConfig) -> list[Any]:
    """The rows of a request, each a list of values in the YAML's order, or a mapping by name.

    Raises
    ------
    UnreadableRecordError
    """
    names, described = config.feature_names, config.endpoint
    if described.features_attribute is not None:
        found = found_at(described.features_attribute, payload, "endpoint.features_attribute", INPUT)
        rows = [row for document in found for row in _rows_of(document, names)]
    elif payload.kind == "CSV":
        rows = payload.documents
    else:
        rows = [row for document in payload.documents for row in _rows_of(document, names)]
    rows = _without_names(rows, names, described.header)
    if described.excluded_places:
        rows = [_without(row, described.excluded_places) if isinstance(row, list) else row for row in rows]
    if len(names) == 1:
        # Values of one feature that stand side by side are a row each.
        rows = [value for row in rows for value in (row if isinstance(row, list) and len(row) > 1 else [row])]
    if not rows:
        raise UnreadableRecordError(reason=f"{INPUT} holds no row{' behind its header' * (payload.kind == 'CSV')}")
    return rows


def any_rows(payload: Payload, features_attribute: str | None = None) -> list[Any]:
    """The rows of a request before any YAML describes them; a header line makes them mappings.

    Parameters
    ----------
    features_attribute : str, optional
        The path to the rows, where Model Monitor was told one.

    >>> any_rows(Payload([["age", "plan"], ["41", "gold"]], "CSV", guessed=False))
    [{'age': '41', 'plan': 'gold'}]
    """
    documents = payload.documents
    if features_attribute is not None and payload.kind != "CSV":
        documents = found_at(features_attribute, payload, "endpoint.features_attribute", INPUT)
    rows = documents if payload.kind == "CSV" else [row for document in documents for row in _rows_of(document, ())]
    if len(rows) > 1 and all(isinstance(row, list) for row in rows):
        first, others = rows[0], rows[1:]
        named = all(isinstance(cell, str) and cell.strip() and not _is_number(cell) for cell in first)
        if named and len({*first}) == len(first) and any(_is_number(cell) for row in others for cell in row):
            return [dict(zip(first, row, strict=False)) for row in others]
    return rows


def looks_like_names(rows: Sequence[Any], config: ModelConfig) -> bool:
    """Whether the first of several rows has a word in each column of numbers, as a header line has.

    It alone does not decide: the answers must also be one fewer than the rows.
    """
    numeric = [place for place, feature in enumerate(config.features) if feature.kind == "numeric"]
    if config.endpoint.header is not None or len(rows) < 2 or not numeric:
        return False
    first = rows[0]
    if not isinstance(first, list) or len(first) != len(config.features):
        return False
    return all(isinstance(first[place], str) and _is_word(first[place]) for place in numeric)


def features_of(row: Any, config: ModelConfig) -> list[str | None]:
    """One row's values in the order of the YAML's features, as text.

    Raises
    ------
    UnreadableRecordError
    """
    if isinstance(row, dict):
        names = config.feature_names
        absent = [name for name in names if name not in row]
        if absent:
            raise UnreadableRecordError(reason=f"no {', '.join(absent)} in the input")
        values = [row[name] for name in names]
    else:
        values = row if isinstance(row, list) else [row]
    if len(values) != (wanted := len(config.features)):
        raise UnreadableRecordError(reason=f"{len(values)} values came in, the YAML names {wanted} features")
    if are_texts(values):
        return values
    return [_value(value, feature.kind) for value, feature in zip(values, config.features, strict=True)]


def are_texts(values: Iterable[Any]) -> bool:
    """Whether all values are texts, and none could be a list or an object that was written as text.

    >>> are_texts(["1.5", "sea"]), are_texts(["1.5", None]), are_texts(["[1]"])
    (True, False, False)
    """
    try:
        joined = "".join(values)
    except TypeError:
        return False
    return "[" not in joined and "{" not in joined


def _rows_of(document: Any, names: Sequence[str]) -> list[Any]:
    """The rows of one JSON document, or of a part of it."""
    if isinstance(document, list):
        if not any(isinstance(item, dict | list) for item in document):
            return [document] if document else []
        return [row for item in document for row in (_rows_of(item, names) if isinstance(item, dict) else [item])]
    if not isinstance(document, dict):
        return [document]
    return next((rows for layout in LAYOUTS if (rows := layout(document, names)) is not None), [document])


def _by_name(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"age": 41, "plan": "gold"}`, or the same as columns: a feature may be called like a wrapper."""
    if not names or not all(map(document.__contains__, names)):
        return None
    if not isinstance(document[names[0]], list | dict):
        return [document]
    columns = _as_columns({name: document[name] for name in names})
    return [document] if columns is None else columns


def _split_frame(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"dataframe_split": {"columns": [...], "data": [[...]]}}`, and pandas' own `orient="split"`."""
    frame = document.get("dataframe_split", document)
    if not isinstance(frame, dict):
        return None
    columns, data = frame.get("columns"), frame.get("data")
    if not isinstance(columns, list) or not isinstance(data, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        raise UnreadableRecordError(reason=f"{INPUT} has rows that are not as long as its list of columns")
    return [dict(zip(map(str, columns), row, strict=True)) for row in data]


def _sparse(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"keys": [0, 3], "shape": [5], "values": [1, 2]}`: what is not named is zero."""
    keys, shape, values = (document.get(part) for part in ("keys", "shape", "values"))
    if not (isinstance(keys, list) and isinstance(shape, list) and isinstance(values, list)):
        return None
    try:
        (columns,), places = map(int, shape), [int(key) for key in keys]
        if columns > (len(names) or _SPARSE_COLUMNS_MAX) or any(not 0 <= place < columns for place in places):
            raise ValueError("beyond the row")
        row: list[Any] = ["0"] * columns
        for place, value in zip(places, values, strict=True):
            row[place] = value
    except (ValueError, TypeError) as error:
        raise UnreadableRecordError(reason=f"{INPUT} has keys, shape and values that do not fit each other") from error
    return [row]


def _tensors(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"inputs": [{"name": "age", "data": [41, 22]}]}`: Triton's and KServe's."""
    tensors = document.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        return None
    if not all(isinstance(one, dict) and isinstance(one.get("data"), list) and "name" in one for one in tensors):
        return None
    if len(tensors) == 1 and [tensors[0]["name"]] != [*names]:
        # One tensor of all features, row by row.
        return _rows_of(tensors[0]["data"], names)
    return _as_columns({str(one["name"]): one["data"] for one in tensors})


def _wrapped(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"instances": [...]}` and all that wrap like it, one below the other."""
    for wrapper in WRAPPERS:
        inner = document.get(wrapper)
        if isinstance(inner, list | dict) or (inner is not None and len(document) == 1):
            return _rows_of(inner, names)
    return None


def _columns(document: dict[str, Any], names: Sequence[str]) -> list[Any] | None:
    """`{"age": [41, 22], "plan": ["gold", "basic"]}`, also as pandas writes it: `{"age": {"0": 41, "1": 22}}`."""
    return _as_columns(document)


# Each finds the rows of a document, or leaves it (None) to the next; what none knows is one row.
LAYOUTS: tuple[Callable[[dict[str, Any], Sequence[str]], list[Any] | None], ...] = (
    _by_name, _split_frame, _sparse, _tensors, _wrapped, _columns,
)  # fmt: skip


def _as_columns(columns: dict[str, Any]) -> list[Any] | None:
    """Columns as rows; None where not each value is a list, or a mapping from the same row numbers."""
    values = [*columns.values()]
    if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        values = [[*value.values()] for value in values]
    if not values or not all(isinstance(value, list) for value in values):
        return None
    if len({len(value) for value in values}) > 1:
        raise UnreadableRecordError(reason=f"{INPUT} has columns of different lengths")
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _without_names(rows: list[Any], names: Sequence[str], header: bool | None) -> list[Any]:
    """The rows behind a header line, as mappings where it names every feature."""
    if header is False or not rows or not isinstance(rows[0], list):
        return rows
    first = [cell.strip() if isinstance(cell, str) else cell for cell in rows[0]]
    if all(name in first for name in names):
        return [dict(zip(first, row, strict=False)) if isinstance(row, list) else row for row in rows[1:]]
    return rows[1:] if header else rows


def _without(row: list[Any], places: Sequence[int]) -> list[Any]:
    return [value for place, value in enumerate(row) if place not in places]


def _value(value: Any, kind: str) -> str | None:
    """One value as text; TensorFlow Serving's clients write it as a list of one."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list | dict):
        raise UnreadableRecordError(reason=_WRONG_SHAPE)
    if isinstance(value, str):
        # Of a category such a text may be the level; of all others it is a list that was written as text.
        if kind != "categorical" and value.lstrip().startswith(("[", "{")):
            raise UnreadableRecordError(reason=_WRONG_SHAPE)
        return value
    return None if value is None else json.dumps(value)


def _is_word(cell: str) -> bool:
    return bool(cell.strip()) and not _is_number(cell)


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True
