"""The input of `kedge backtest`: the history, the columns, and the policies to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from cli.backtest.history import History, open_history
from cli.backtest.options import BacktestOptions, grid_of
from cli.backtest.settings import Setting, model_of, named_settings
from cli.refusals import BadInputError
from cli.rows.files import RowFiles, UnreadableFileError
from cli.rows.inferred_schema import InferredSchema, dtype_of, infer_schema, kind_of
from cli.rows.margin import has_margins, with_margin_column
from cli.rows.outcomes import CLASSES_MAX, class_notes, refuse_strange_classes, refuse_strangers, too_many_classes
from cli.rows.schema import require_columns
from kedge.columns.casting import Column, cast_text, margin_columns
from kedge.config.model import ModelConfig
from kedge.config.sections import Problem
from kedge.outcomes.outcomes import infer_classes, infer_problem, read_outcomes

# This many rows before the first window show the columns' kinds.
HEAD_ROWS = 100_000


@dataclass(frozen=True)
class BacktestQuestion:
    """The replay's input: the rows in their windows, the judged columns, and the policies.

    `head` are the first rows before the first window, of the columns that show how right the model was.
    """

    options: BacktestOptions
    history: History
    columns: tuple[Column, ...]
    settings: tuple[Setting, ...]
    notes: tuple[str, ...]
    head: pa.Table

    @property
    def config(self) -> ModelConfig:
        """The first policy's: all settings agree on the model."""
        return self.settings[0].config

    @property
    def prediction(self) -> str | None:
        """The column with the model's answers."""
        return next((column.name for column in self.columns if column.role == "prediction"), None)

    @property
    def outcome_columns(self) -> list[str]:
        """Columns that show how right the model was; none without answers or labels."""
        if self.prediction is None or self.options.label is None:
            return []
        costs = [self.config.performance.cost_column] if self.config.performance.cost_column else []
        extra = [*self.config.prediction.probabilities, *costs]
        return [self.prediction, self.options.label, *(n for n in extra if n in self.history.files.schema.names)]

    @property
    def answer_columns(self) -> list[str]:
        """Columns that an estimate is made from."""
        return [name for name in self.outcome_columns if name != self.options.label]

    @property
    def read_columns(self) -> list[str]:
        """All columns that a window is counted from."""
        sensitive = (name for name in self.config.fairness.columns if name in self.history.files.schema.names)
        return list(dict.fromkeys([*(column.name for column in self.columns), *self.outcome_columns, *sensitive]))


def ask(options: BacktestOptions, files: RowFiles) -> BacktestQuestion:
    """Decide what to replay; if something does not fit, a sentence says so."""
    grid = grid_of(options)
    models = [model_of(path, options) for path in options.configs]
    require_columns(options.apart, files)
    watched_margin = bool(models) and has_margins(files, models[0])
    files = with_margin_column(files, models[0]) if watched_margin else files
    history = open_history(files, options.time, grid)
    head = _head(history)
    schema, answer = (
        _watched(models[0], options, files) if models else (_inferred(head, options, files), options.prediction)
    )
    problem, classes = _problem(models, options, head, answer, files.path)
    settings = named_settings(models, options, schema.features, answer, problem, classes)
    columns = [
        Column(f.name, "feature", f.kind, f.declared_dtype) for f in schema.features if f.name not in options.apart
    ]
    if answer:
        columns.append(_answer_column(head, answer, problem))
    require_columns([column.name for column in columns], files)
    if answer and watched_margin:
        columns += margin_columns(models[0])
    notes = _notes(schema, history, options, answer)
    if options.label and answer and not models:
        notes += class_notes(problem, classes, options.label)
    found = BacktestQuestion(options, history, tuple(columns), settings, tuple(notes), head)
    if options.label and answer:
        _, faults = read_outcomes(head, answer, options.label, found.config)
        refuse_strangers(files.path, found.config, answer, options.label, faults)
    return replace(found, head=head.select(found.outcome_columns))


def _head(history: History) -> pa.Table:
    """The first rows before the first window."""
    tables, rows = [], 0
    for table in history.before(history.files.schema.names):
        tables.append(table.slice(0, HEAD_ROWS - rows))
        rows += tables[-1].num_rows
        if rows >= HEAD_ROWS:
            break
    return pa.concat_tables([_plain(table) for table in tables], promote_options="permissive")


def _plain(table: pa.Table) -> pa.Table:
    fields = [(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(fields))


def _watched(model: ModelConfig, options: BacktestOptions, files: RowFiles) -> tuple[InferredSchema, str | None]:
    named = model.prediction.name
    answer = options.prediction or (named if named in files.schema.names else None)
    return InferredSchema(tuple(f for f in model.features if f.watched and f.name not in options.apart), {}), answer


def _inferred(head: pa.Table, options: BacktestOptions, files: RowFiles) -> InferredSchema:
    void = [name for name in head.column_names if _is_void(head.column(name))]
    columns = {name: head.column(name) for name in head.column_names if name not in void}
    schema = infer_schema(columns, apart={*options.apart}, declared=files.schema)
    empty = {name: "it has no value in the rows before the first window" for name in void if name not in options.apart}
    left_out = schema.left_out | empty
    if not schema.features and not options.prediction:
        listed = "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "it has no other"
        raise UnreadableFileError(path=files.path, reason=f"no column can be judged: {listed}")
    return InferredSchema(schema.features, left_out)


def _is_void(values: Any) -> bool:
    if values.null_count == len(values):
        return True
    return bool(pa.types.is_string(values.type)) and cast_text(values).null_count == len(values)


def _problem(
    models: Sequence[ModelConfig], options: BacktestOptions, head: pa.Table, answer: str | None, path: str
) -> tuple[Problem, tuple[str, ...]]:
    """What the model predicts and its classes: the YAML says it, else the option and the columns."""
    if models:
        return models[0].problem, models[0].labels.classes
    if answer is None or options.label is None:
        return options.problem or "binary_classification", ("0", "1")
    pair = head.column(answer), head.column(options.label)
    problem = options.problem or infer_problem(*pair)
    if problem == "multiclass_classification":
        refuse_strange_classes(path, head, answer, options.label)
    classes = infer_classes(problem, *pair)
    if classes and len(classes) > CLASSES_MAX:
        most = max((answer, options.label), key=lambda name: len(head.column(name).unique()))
        raise UnreadableFileError(path=path, reason=too_many_classes(most))
    if classes is None or (problem != "regression" and len(classes) < 2):
        raise BadInputError(
            f"it is not clear which value of {options.label!r} is the positive class; name the classes under labels.classes in a YAML "
            "(--config), the positive one last"
        )
    return problem, classes or ("0", "1")


def _answer_column(head: pa.Table, name: str, problem: Problem) -> Column:
    values = head.column(name)
    kind: Any = "categorical" if problem == "multiclass_classification" else kind_of(values)
    return Column(name, "prediction", kind, dtype_of(values.type) or ("float64" if kind == "numeric" else "string"))


def _notes(schema: InferredSchema, history: History, options: BacktestOptions, answer: str | None) -> list[str]:
    notes = [f"{name} is not judged: {reason}" for name, reason in schema.left_out.items()]
    if history.survey.undated:
        notes.append(f"{history.survey.undated} rows have no value in {options.time!r} and are left out")
    rest = history.rest_rows
    if rest:
        end = history.grid.bounds(history.windows)
        notes.append(
            f"{rest} rows from {end[0]:%Y-%m-%d %H:%M} on are not judged: the data ends before their window does, at "
            f"{end[1]:%Y-%m-%d %H:%M}"
        )
    if options.label is None:
        notes.append("no --label: quality is not measured, and every row counts as a row that a retraining could use")
    elif answer is None:
        notes.append("no --prediction: quality is not measured")
    return notes
