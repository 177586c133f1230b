"""Two sides of rows compared: which columns, under which policy, and the report that `kedge check` shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cli.inferred_schema import InferredSchema, dtype_of, infer_schema, kind_of
from cli.labelled_files import judge_files
from cli.row_files import RowFiles, UnreadableFileError, open_rows
from kedge.columns import Column, cast_numbers
from kedge.drift import judge_drift
from kedge.errors import ColumnAbsentError, EmptySampleError
from kedge.model_config import Endpoint, ModelConfig, Prediction, parse_model_config
from kedge.profile import Baseline, Profile, count_rows, freeze_baseline

# So many edges that the KS statistic is exact for up to half as many different values.
MAXIMUM_EDGES = 400_000
_NO_TIME = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Question:
    """What is compared with what: the files, the policy, and the columns that stand for the model's answer and the truth."""

    baseline: RowFiles
    window: RowFiles
    config: ModelConfig
    columns: tuple[Column, ...]
    label: str | None
    notes: tuple[str, ...]


def ask(baseline: Path, window: Path, config: Path | None, prediction: str | None, label: str | None) -> Question:
    """Open both sides and settle what is compared; whatever does not fit is an `UnreadableFileError`."""
    before, now = open_rows(baseline), open_rows(window)
    for name in (prediction, label):
        if name is not None:
            _require(name, before, now)
    if config is not None:
        model = parse_model_config(config.read_text(encoding="utf-8"), source=str(config))
        asked = prediction or (
            model.prediction.name if {model.prediction.name} <= {*before.schema.names} & {*now.schema.names} else None
        )
        schema = InferredSchema(tuple(f for f in model.features if f.watched), {})
    else:
        rows = before.read(before.schema.names)
        schema = infer_schema(rows, apart={name for name in (prediction, label) if name})
        asked = prediction
        if not schema.features and not asked:
            raise UnreadableFileError(path=baseline, reason="no column can be judged: " + _listed(schema.left_out))
        model = _made_up(baseline, schema, asked)
    columns = [Column(f.name, "feature", f.kind, f.declared_dtype) for f in schema.features if f.name != label]
    if asked:
        answers = before.read([asked]).column(asked)
        kind = kind_of(answers)
        dtype = dtype_of(answers.type) or ("float64" if kind == "numeric" else "string")
        columns.append(Column(asked, "prediction", kind, dtype))
    for column in columns:
        _require(column.name, before, now)
    extra = sorted({*now.schema.names} - {*before.schema.names})
    notes = [f"{name} is not judged: {reason}" for name, reason in schema.left_out.items()]
    notes += [f"{window} has columns that the baseline lacks: {', '.join(extra)}"] if extra else []
    return Question(before, now, model, tuple(columns), label, tuple(notes))


def judge(question: Question) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The report with its histograms, and notes on what was not judged."""
    names = [column.name for column in question.columns]
    rows = question.baseline.read(names)
    if not rows.num_rows:
        raise UnreadableFileError(path=question.baseline.path, reason="it has no rows")
    name = question.baseline.path.name
    try:
        frozen = freeze_baseline(question.config.model, name, question.columns, rows, rows, maximum_edges=MAXIMUM_EDGES)
    except EmptySampleError as error:
        void = [c.name for c in question.columns if c.kind == "numeric" and _has_no_number(rows.column(c.name))]
        reason = (
            f"column {', '.join(map(repr, void))} holds no number in any row; take it out of the file, or name the "
            "columns to watch in a YAML (--config)"
        )
        raise UnreadableFileError(path=question.baseline.path, reason=reason) from error
    window = _counted(frozen, question.window, names)
    report = judge_drift(frozen, window, question.config, start=_NO_TIME, end=_NO_TIME)
    performance, note = judge_files(
        question.baseline, question.window, question.config, question.columns, question.label
    )
    document = report.to_page() | ({"performance": performance} if performance else {})
    # Two files have no times and no manifests.
    document["window"] = {"rows": report.rows}
    del document["manifests_digest"]
    return document, (*question.notes, *([note] if note else []))


def _has_no_number(values: Any) -> bool:
    return not np.isfinite(cast_numbers(values, "float64").values).any()


def _counted(frozen: Baseline, window: RowFiles, names: list[str]) -> Profile:
    profile = frozen.empty()
    for batch in window.batches(names):
        profile = profile + count_rows(frozen, pa.Table.from_batches([batch]))
    if not profile.rows:
        raise UnreadableFileError(path=window.path, reason="it has no rows")
    return profile


def _made_up(baseline: Path, schema: InferredSchema, prediction: str | None) -> ModelConfig:
    """A model for rows without a YAML: the shipped defaults."""
    name = re.sub("[^a-zA-Z0-9]+", "-", baseline.name.partition(".")[0]).strip("-")[:40].strip("-") or "check"
    free = next(n for n in ("prediction", "answer", "_prediction") if n not in {f.name for f in schema.features})
    # A model needs a feature: where there is only the prediction, one that is not looked at.
    features = schema.features or infer_schema(pa.table({"none": ["a"]}), apart=set()).features
    return ModelConfig(
        model=name, endpoint=Endpoint(name=name), features=features, prediction=Prediction(name=prediction or free)
    )


def _require(name: str, *sides: RowFiles) -> None:
    for side in sides:
        if name not in side.schema.names:
            absent = ColumnAbsentError(column=name, found=side.schema.names)
            raise UnreadableFileError(path=side.path, reason=str(absent)) from absent


def _listed(left_out: dict[str, str]) -> str:
    return "; ".join(f"{name} is {reason}" for name, reason in left_out.items()) or "it has none"
