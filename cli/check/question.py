"""What `kedge check` compares: two sides of rows, the policy, and the columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cli.models import read_model
from cli.rows.files import RowFiles, UnreadableFileError, open_rows
from cli.rows.inferred_schema import (
    NO_VALUE,
    InferredSchema,
    dtype_of,
    infer_schema,
    is_single_precision,
    is_void,
    kind_of,
)
from cli.rows.margin import has_margins, with_margin_column
from cli.rows.schema import refuse_another_schema, require_columns, schema_notes
from cli.rows.sources import NO_ROWS
from kedge.columns.casting import Column, margin_columns
from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Prediction, Problem
from kedge.drift.importance import LARGEST_BYTES, parse_importance
from kedge.errors import UnreadableImportanceError

_OR_A_YAML = "or name the columns to watch in a YAML (--config)"
_TO_HAVE_IT_JUDGED = "; to have it judged, name it in a YAML (--config)"
# This many rows show a column's kind; for a column without a value among them more rows are read.
# Of many columns fewer rows, for the values of all of them are held at once.
HEAD_ROWS, HEAD_VALUES = 100_000, 6_000_000


@dataclass(frozen=True)
class CheckOptions:
    """The options of the command, as they were typed."""

    baseline: str
    window: str
    config: Path | None = None
    prediction: str | None = None
    label: str | None = None
    problem: Problem | None = None
    importance: Path | None = None
    header: bool = True
    names: tuple[str, ...] = ()

    @property
    def apart(self) -> tuple[str, ...]:
        """The columns that are not features."""
        return tuple(name for name in (self.prediction, self.label) if name)


@dataclass(frozen=True)
class CheckQuestion:
    """What is compared with what: the files, the policy, and the columns that stand for the model's answer and the truth."""

    baseline: RowFiles
    window: RowFiles
    config: ModelConfig
    columns: tuple[Column, ...]
    label: str | None
    notes: tuple[str, ...]
    importance: Mapping[str, float] = field(default_factory=dict)


def ask(options: CheckOptions, before: RowFiles, now: RowFiles) -> CheckQuestion:
    """Settle what is compared; whatever does not fit is an `UnreadableFileError`."""
    require_columns(options.apart, before)
    # A window whose labels are still out is estimated.
    require_columns([name for name in options.apart if name != options.label], now)
    if options.config is None:
        # Every column is looked at, and most are counted afterwards.
        before = before.kept(_head_rows(before))
    model, schema, answer = _settled(options, before, now)
    columns, void = _columns(options, schema, answer, before, now)
    if answer and all(has_margins(side, model) for side in (before, now)):
        before, now = (with_margin_column(side, model) for side in (before, now))
        columns += margin_columns(model)
    notes = [*_what_is_not_judged(before, now, schema, void), *_schema_notes(options, columns, before, now)]
    if options.config is None and answer and options.label:
        from cli.rows.outcomes import class_notes

        notes += class_notes(model.problem, model.labels.classes, options.label)
    features = [column.name for column in columns if column.role == "feature"]
    importance = read_importance(options.importance, features) if options.importance else {}
    return CheckQuestion(before, now, model, tuple(columns), options.label, tuple(notes), importance)


def _columns(
    options: CheckOptions, schema: InferredSchema, answer: str | None, before: RowFiles, now: RowFiles
) -> tuple[list[Column], list[str]]:
    """The columns to compare, and the names of those that have no value on either side."""
    columns = [Column(f.name, "feature", f.kind, f.declared_dtype) for f in schema.features if f.name != options.label]
    if answer:
        columns.append(_answer_column(before, answer))
    require_columns([column.name for column in columns], before, now)
    _refuse_void_baseline(before, now, schema)
    void = _void_columns([column.name for column in columns], before, now)
    columns = [column for column in columns if column.name not in void]
    if not columns:
        raise UnreadableFileError(path=before.path, reason="no column can be judged: none has a value in any row")
    return _in_common_precision(columns, before, now), void


def _what_is_not_judged(before: RowFiles, now: RowFiles, schema: InferredSchema, void: list[str]) -> list[str]:
    """A note on each column, value and file that is passed over."""
    notes = [
        f"{before.path}: {name} is not judged: {reason}{'' if reason == NO_VALUE else _TO_HAVE_IT_JUDGED}"
        for name, reason in schema.left_out.items()
    ]
    notes += [f"column {name!r} is not judged: it has no value in any row of either side" for name in void]
    notes += [f"{before.path}: {name}: {said} is read as no value" for name, said in schema.placeholders.items()]
    return notes + [sentence for side in (before, now) for sentence in side.unread()]


def _schema_notes(options: CheckOptions, columns: list[Column], before: RowFiles, now: RowFiles) -> list[str]:
    """Where the two sides write their columns differently; without a YAML, a column of another type is refused."""
    compared = [*(column.name for column in columns), *options.apart]
    compared = [name for name in compared if name in now.schema.names]
    if options.config is None:
        # A label has a reader of its own, which knows more ways to write one.
        refuse_another_schema(before, now, [name for name in compared if name != options.label])
    return schema_notes(before, now, compared)


def _settled(options: CheckOptions, before: RowFiles, now: RowFiles) -> tuple[ModelConfig, InferredSchema, str | None]:
    """The policy, the columns to watch, and the model's answer."""
    if options.config is not None:
        model = read_model(options.config)
        both = {*before.schema.names} & {*now.schema.names}
        answer = options.prediction or (model.prediction.name if model.prediction.name in both else None)
        model = model.model_copy(update={"problem": options.problem}) if options.problem else model
        return model, InferredSchema(tuple(f for f in model.features if f.watched), {}), answer
    declared = None if before.untyped else before.schema
    schema, answer = infer_schema(_head(before), apart={*options.apart}, declared=declared), options.prediction
    if not schema.features and not answer:
        raise UnreadableFileError(path=before.path, reason="no column can be judged: " + _listed(schema.left_out))
    model = _made_up(before.name, schema, answer)
    if answer and options.label:
        from cli.rows.outcomes import with_outcome

        model = with_outcome(model, before, now, answer, options.label, problem=options.problem)
    elif options.problem:
        model = model.model_copy(update={"problem": options.problem})
    return model, schema, answer


def open_sides(options: CheckOptions) -> tuple[RowFiles, RowFiles]:
    """The files of both sides."""
    config = read_model(options.config) if options.config is not None else None
    before, now = (
        open_rows(place, config=config, header=options.header, names=options.names)
        for place in (options.baseline, options.window)
    )
    return before, now


def read_importance(path: Path, features: Collection[str]) -> dict[str, float]:
    """How much of the model rests on each feature, from a JSON object of weights by column."""
    try:
        with path.open("rb") as file:
            # A byte more than may be there shows that there is more.
            return parse_importance(file.read(LARGEST_BYTES + 1), features)
    except UnreadableImportanceError as error:
        wanted = 'it must be a JSON object of weights by column: {"age": 0.4, ...}'
        raise UnreadableFileError(path=path, reason=f"{error.reason}; {wanted}") from error


def _head_rows(rows: RowFiles) -> int:
    """How many rows of every column may be held at once."""
    return min(HEAD_ROWS, HEAD_VALUES // max(len(rows.schema.names), 1))


def _head(rows: RowFiles) -> dict[str, Any]:
    """The first values of every column; of one that begins without any, the first that there are."""
    looked_at = _head_rows(rows)
    found: dict[str, Any] = {}
    for names in rows.groups(rows.schema.names):
        table = rows.head(names, looked_at)
        if not table.num_rows:
            raise UnreadableFileError(path=rows.path, reason=NO_ROWS)
        found |= dict(zip(table.column_names, table.columns, strict=True))
    void = [name for name, values in found.items() if is_void(values)] if table.num_rows >= looked_at else []
    for batch in rows.batches(void) if void else ():
        for name in [name for name in void if not is_void(batch.column(name))]:
            found[name] = batch.column(name)
            void.remove(name)
        if not void:
            break
    return found


def _refuse_void_baseline(before: RowFiles, now: RowFiles, schema: InferredSchema) -> None:
    """A column without a value on both sides is left out; one that only the window has cannot be."""
    void = [name for name, reason in schema.left_out.items() if reason == NO_VALUE and name in now.schema.names]
    if fresh := sorted({*void} - {*_void_columns(void, now)}):
        reason = f"column {', '.join(map(repr, fresh))} has no value in any row; take it out of the file, {_OR_A_YAML}"
        raise UnreadableFileError(path=before.path, reason=reason)


def _void_columns(names: list[str], *sides: RowFiles) -> list[str]:
    """Columns that have no value in any row of any side; of one that has values on one side only something is wrong."""
    for side in sides:
        names = [name for group in side.groups(names) for name in _void_in(side, group)]
    return names


def _void_in(rows: RowFiles, names: list[str]) -> list[str]:
    for batch in rows.batches(names):
        names = [name for name in names if is_void(batch.column(name))]
        if not names:
            break
    return names


def _in_common_precision(columns: list[Column], *sides: RowFiles) -> list[Column]:
    """Each column as float32 if one side has float32: further digits of the other side would look like a difference."""
    single: set[str] = set()
    for side in sides:
        names = [c.name for c in columns if c.kind == "numeric" and c.dtype == "float64" and c.name not in single]
        for group in side.groups(names):
            head = side.head(group, _head_rows(side))
            single |= {name for name in group if is_single_precision(head.column(name))}
    return [replace(column, dtype="float32") if column.name in single else column for column in columns]


def _answer_column(rows: RowFiles, name: str) -> Column:
    values = rows.head([name], HEAD_ROWS).column(name)
    kind = kind_of(values)
    return Column(name, "prediction", kind, dtype_of(values.type) or ("float64" if kind == "numeric" else "string"))


def _made_up(baseline: str, schema: InferredSchema, prediction: str | None) -> ModelConfig:
    """A model for rows without a YAML: the shipped defaults."""
    name = re.sub("[^a-zA-Z0-9]+", "-", baseline.partition(".")[0]).strip("-")[:40].strip("-") or "check"
    free = next(n for n in ("prediction", "answer", "_prediction") if n not in {f.name for f in schema.features})
    # A model needs a feature: where there is only the prediction, one that is not looked at.
    features = schema.features or infer_schema({"none": pa.array(["a"])}, apart=set()).features
    # A person who has the rows may read their values.
    features = tuple(feature.model_copy(update={"sensitive": False}) for feature in features)
    return ModelConfig(
        model=name, endpoint=Endpoint(name=name), features=features, prediction=Prediction(name=prediction or free)
    )


def _listed(left_out: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "it has none"
