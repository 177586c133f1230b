"""What `kedge check` is asked: two sides of rows, the policy, and the columns that are compared."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cli.models import read_model
from cli.rows.files import RowFiles, UnreadableFileError, open_rows
from cli.rows.inferred_schema import InferredSchema, dtype_of, infer_schema, kind_of, value_type
from cli.rows.margin import has_margins, with_margin_column
from cli.rows.schema import refuse_another_schema, require_columns, schema_notes
from cli.rows.sources import NO_ROWS
from kedge.columns.casting import Column, cast_text, margin_columns
from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Prediction, Problem
from kedge.drift.importance import LARGEST_BYTES, parse_importance
from kedge.errors import UnreadableImportanceError

# This many rows show a column's kind; for a column without a value among them more rows are read.
HEAD_ROWS = 100_000


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


def ask(asked: CheckOptions, before: RowFiles, now: RowFiles) -> CheckQuestion:
    """Settle what is compared; whatever does not fit is an `UnreadableFileError`."""
    require_columns(asked.apart, before)
    # A window whose labels are still out is estimated.
    require_columns([name for name in asked.apart if name != asked.label], now)
    if asked.config is None:
        # Every column is looked at, and most are counted afterwards.
        before = before.kept(HEAD_ROWS)
    model, schema, answer = _settled(asked, before, now)
    columns = [Column(f.name, "feature", f.kind, f.declared_dtype) for f in schema.features if f.name != asked.label]
    if answer:
        columns.append(_answer_column(before, answer))
    require_columns([column.name for column in columns], before, now)
    if answer and all(has_margins(side, model) for side in (before, now)):
        before, now = (with_margin_column(side, model) for side in (before, now))
        columns += margin_columns(model)
    notes = [
        f"{before.path}: {name} is not judged: {reason}; to have it judged, name it in a YAML (--config)"
        for name, reason in schema.left_out.items()
    ]
    compared = [*(column.name for column in columns), *asked.apart]
    compared = [name for name in compared if name in now.schema.names]
    if asked.config is None:
        # A label has a reader of its own, which knows more ways to write one.
        refuse_another_schema(before, now, [name for name in compared if name != asked.label])
    notes += schema_notes(before, now, compared)
    if asked.config is None and answer and asked.label:
        from cli.rows.outcomes import class_notes

        notes += class_notes(model.problem, model.labels.classes, asked.label)
    features = [column.name for column in columns if column.role == "feature"]
    importance = read_importance(asked.importance, features) if asked.importance else {}
    return CheckQuestion(before, now, model, tuple(columns), asked.label, tuple(notes), importance)


def _settled(asked: CheckOptions, before: RowFiles, now: RowFiles) -> tuple[ModelConfig, InferredSchema, str | None]:
    """The policy, the columns to watch, and the model's answer."""
    if asked.config is not None:
        model = read_model(asked.config)
        both = {*before.schema.names} & {*now.schema.names}
        answer = asked.prediction or (model.prediction.name if model.prediction.name in both else None)
        model = model.model_copy(update={"problem": asked.problem}) if asked.problem else model
        return model, InferredSchema(tuple(f for f in model.features if f.watched), {}), answer
    schema, answer = infer_schema(_head(before), apart={*asked.apart}, declared=before.schema), asked.prediction
    if not schema.features and not answer:
        raise UnreadableFileError(path=before.path, reason="no column can be judged: " + _listed(schema.left_out))
    model = _made_up(before.name, schema, answer)
    if answer and asked.label:
        from cli.rows.outcomes import with_outcome

        model = with_outcome(model, before, now, answer, asked.label, problem=asked.problem)
    elif asked.problem:
        model = model.model_copy(update={"problem": asked.problem})
    return model, schema, answer


def open_sides(asked: CheckOptions) -> tuple[RowFiles, RowFiles]:
    """The files of both sides."""
    return open_rows(asked.baseline), open_rows(asked.window)


def read_importance(path: Path, features: Collection[str]) -> dict[str, float]:
    """How much of the model rests on each feature, from a JSON object of weights by column."""
    try:
        with path.open("rb") as file:
            # A byte more than may be there shows that there is more.
            return parse_importance(file.read(LARGEST_BYTES + 1), features)
    except UnreadableImportanceError as error:
        wanted = 'it must be a JSON object of weights by column: {"age": 0.4, ...}'
        raise UnreadableFileError(path=path, reason=f"{error.reason}; {wanted}") from error


def _head(rows: RowFiles) -> dict[str, Any]:
    """The first values of every column; of one that begins without any, the first that there are."""
    table = rows.head(rows.schema.names, HEAD_ROWS)
    if not table.num_rows:
        raise UnreadableFileError(path=rows.path, reason=NO_ROWS)
    found = dict(zip(table.column_names, table.columns, strict=True))
    void = [name for name, values in found.items() if _is_void(values)] if table.num_rows >= HEAD_ROWS else []
    for batch in rows.batches(void) if void else ():
        for name in [name for name in void if not _is_void(batch.column(name))]:
            found[name] = batch.column(name)
            void.remove(name)
        if not void:
            break
    return found


def _is_void(values: Any) -> bool:
    if values.null_count == len(values):
        return True
    return bool(value_type(values) == pa.string()) and not pc.count(cast_text(pc.unique(values))).as_py()


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
