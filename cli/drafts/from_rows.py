"""A model's draft from its training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli.drafts.draft import ModelDraft, endpoint_name, model_name
from cli.refusals import BadInputError
from cli.rows.captures import columns_of_rows, is_capture, requested_rows
from cli.rows.files import open_rows
from cli.rows.formats import JSON, schema_of, text_of
from cli.rows.inferred_schema import InferredSchema, infer_schema
from cli.rows.sources import NO_ROWS, RowSource, find_sources
from kedge.columns.casting import cast_text, is_number, plain_array
from kedge.config.sections import Feature, Prediction, Problem

CLASSES_MAX = 20
# The captured requests that are read to learn what their columns are.
ROWS_READ = 100_000
ANSWER = Prediction().name
_INTEGERS_OF_TEXT = r"^[+-]?[0-9]+$"


def draft_from_rows(
    data: Path | str,
    *,
    label: str | None,
    apart: set[str],
    endpoint: str | None,
    name: str | None,
    layout: Mapping[str, Any] = MappingProxyType({}),
) -> ModelDraft:
    """Read the columns' names, kinds and types; identifiers and times are left out, and a note says so."""
    table, declared = _table_of(data, layout)
    schema = _schema(data, table, declared, apart={*apart, *([label] if label else [])})
    notes = [f"{column} is left out: {reason}" for column, reason in schema.left_out.items()]
    notes += [f"{column}: {said} is read as no value" for column, said in schema.placeholders.items()]
    problem, classes = _problem(table.column(label)) if label else ("binary_classification", ("0", "1"))
    if label is None:
        notes.append("no --label was named: if one of these columns is the truth, take it out; the problem is a guess")
    called = name or endpoint or Path(data).resolve().name.partition(".")[0]
    return ModelDraft(
        name=model_name(called),
        endpoint={"name": endpoint_name(endpoint or called)},
        problem=problem,
        classes=classes,
        features=tuple(_typed(feature, table.column(feature.name)) for feature in schema.features),
        notes=tuple(notes),
    )


def _schema(data: Path | str, table: pa.Table, declared: pa.Schema | None, *, apart: set[str]) -> InferredSchema:
    """What the columns are; rows from which no model can be drafted are refused."""
    for column in sorted(apart - {*table.column_names}):
        raise BadInputError(f"{data}: column {column!r} is not there; the columns are: {', '.join(table.column_names)}")
    if not table.num_rows:
        raise BadInputError(f"{data}: {NO_ROWS}")
    schema = infer_schema(dict(zip(table.column_names, table.columns, strict=True)), apart=apart, declared=declared)
    if not schema.features:
        raise BadInputError(
            f"{data}: no column can be a feature: {'; '.join(schema.left_out.values()) or 'none is left'}"
        )
    if ANSWER in {feature.name for feature in schema.features}:
        raise BadInputError(
            f"{data}: column {ANSWER!r} is what Kedge calls the model's answer; --drop it, or rename it"
        )
    return schema


def _table_of(data: Path | str, layout: Mapping[str, Any]) -> tuple[pa.Table, pa.Schema | None]:
    """All rows, and the columns' types where the file has such; of captured records the rows of their requests."""
    sources = find_sources(str(data), JSON)
    if sources and is_capture(schema_of(sources[0]).names):
        return _requested(data, sources), None
    rows = open_rows(data, **layout)
    return rows.read(rows.schema.names), None if rows.untyped else rows.schema


def _requested(data: Path | str, sources: Sequence[RowSource]) -> pa.Table:
    found: list[Any] = []
    for source in sources:
        with text_of(source) as stream:
            found += requested_rows(stream, ROWS_READ - len(found))
    if not found:
        raise BadInputError(f"{data}: this is Data Capture, and no request in it is CSV or JSON")
    try:
        names, columns = columns_of_rows(found)
    except ValueError as error:
        raise BadInputError(f"{data}: this is Data Capture, and of its requests {error}") from error
    return pa.table(columns, names=names or [f"feature_{place}" for place in range(len(columns))])


def _typed(feature: Feature, values: Any) -> Feature:
    """The feature declared as whole numbers if it holds nothing else: missing values make them floats in pandas."""
    array = plain_array(values)
    if feature.kind != "numeric" or feature.dtype is not None:
        return feature
    whole = pa.types.is_integer(array.type)
    if pa.types.is_string(array.type):
        whole = pc.all(pc.match_substring_regex(array, _INTEGERS_OF_TEXT)).as_py() is True and not array.null_count
    return feature.model_copy(update={"dtype": "int64"}) if whole else feature


def _problem(values: Any) -> tuple[Problem, tuple[str, ...]]:
    """What is predicted, and its classes: two values, few, or numbers."""
    words = sorted(word for word in pc.unique(cast_text(plain_array(values))).to_pylist() if word is not None)
    if len(words) < 2:
        raise BadInputError(
            f"the label has {len(words)} different values, so a model cannot learn from it; is it the right column?"
        )
    if len(words) == 2:
        lowered = {word.lower().removesuffix(".0") for word in words}
        return "binary_classification", ("0", "1") if lowered in ({"0", "1"}, {"false", "true"}) else tuple(words)
    if len(words) <= CLASSES_MAX and not pa.types.is_floating(values.type):
        return "multiclass_classification", tuple(words)
    if (
        not is_number(values.type)
        and not pc.all(pc.match_substring_regex(plain_array(values), r"^[-+.0-9eE]*$")).as_py()
    ):
        raise BadInputError(
            f"the label has {len(words)} different texts, more than the {CLASSES_MAX} that classes may have"
        )
    return "regression", ("0", "1")
