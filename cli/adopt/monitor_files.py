"""A baseline from Model Monitor's files: which of their columns is which feature, and what they do not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cli.drafts.draft import ModelDraft
from cli.refusals import BadInputError
from kedge.arrays import Floats
from kedge.columns.casting import Kind
from kedge.config.model import ModelConfig
from kedge.config.sections import Endpoint, Feature, Prediction
from kedge.monitor_statistics import (
    ROWS_MAX,
    ColumnStatistics,
    MonitorStatistics,
    read_inferred_types,
    read_statistics,
    rebuilt_rows,
)
from lambdas.adapters.bucket import objects

# A sketch keeps about 5,700 numbers of a column: this is enough for a thousand columns.
BYTES_MAX = 256 * 2**20
_UNNAMED = re.compile(r"_c\d+")
_KINDS: dict[str, Kind] = {"String": "categorical", "Integral": "numeric", "Fractional": "numeric"}


@dataclass(frozen=True)
class MonitorFiles:
    """What statistics.json, and where it is given constraints.json, say."""

    place: str
    statistics: MonitorStatistics
    types: Mapping[str, str]
    limit: float | None = None


@dataclass(frozen=True, eq=False)
class RebuiltRows:
    """Rows that count as the files say, under the features' names, and what was lost on the way."""

    rows: pa.Table
    edges: Mapping[str, Floats]
    notes: tuple[str, ...]


def read_monitor_files(s3: Any, places: Sequence[str]) -> MonitorFiles:
    """Read statistics.json, and constraints.json where it is named too; files or s3:// objects."""
    statistics = read_statistics(_document(s3, places[0]), place=places[0])
    if len(places) == 1:
        return MonitorFiles(places[0], statistics, {})
    types, limit = read_inferred_types(_document(s3, places[1]), place=places[1])
    return MonitorFiles(places[0], statistics, types, limit)


def named_by_statistics(draft: ModelDraft, files: MonitorFiles, *, label: str | None) -> ModelDraft:
    """The draft with the files' names and kinds, in the payload's order."""
    by_place = all(feature.name == f"feature_{place}" for place, feature in enumerate(draft.features))
    columns, notes = _matched(
        files,
        [f.name for f in draft.features],
        by_place=by_place,
        label=label,
        answer=Prediction().name,
        endpoint=Endpoint.model_validate(draft.endpoint),
    )
    features, found = [], list(notes)
    for feature, column in zip(draft.features, columns, strict=True):
        kind = _KINDS.get(files.types.get(column.name, column.inferred_type), feature.kind)
        # A date is text to Model Monitor, and a boolean a number or text.
        kept = feature.kind in ("boolean", "timestamp") or feature.kind == kind
        if not kept:
            found.append(f"{column.name} is {kind} as Model Monitor says; the captured values look {feature.kind}")
        name = feature.name if _UNNAMED.fullmatch(column.name) else column.name
        features.append(Feature(name=name, kind=feature.kind if kept else kind))
    notes_of_draft = [note for note in draft.notes if not (by_place and note.startswith("the payload has no names"))]
    return replace(draft, features=tuple(features), notes=(*notes_of_draft, *found))


def rebuild(config: ModelConfig, files: MonitorFiles, *, label: str | None) -> RebuiltRows:
    """Rows of the model's features, as far as the files say."""
    names = [feature.name for feature in config.features]
    by_place = not set(names) <= set(files.statistics.names)
    columns, notes = _matched(
        files, names, by_place=by_place, label=label, answer=config.prediction.name, endpoint=config.endpoint
    )
    usable = [_usable(feature, column) for feature, column in zip(config.features, columns, strict=True)]
    of_file = MonitorStatistics(
        files.statistics.rows, tuple(replace(c, name=n) for n, c in zip(names, usable, strict=True))
    )
    edges = {column.name: column.edges for column in of_file.columns if column.source == "buckets"}
    return RebuiltRows(rebuilt_rows(of_file), edges, (*notes, *_losses(config, of_file, files)))


def _losses(config: ModelConfig, found: MonitorStatistics, files: MonitorFiles) -> list[str]:
    notes = [
        "Model Monitor's statistics hold each column for itself: how columns go together, in which order rows came and how strongly "
        "they depend on each other is not known"
    ]
    if found.rows > ROWS_MAX:
        notes.append(f"the {found.rows:,} rows of the file count as {ROWS_MAX:,}, in proportion")
    of = {s: [c for c in found.columns if c.source == s] for s in ("sketch", "buckets", "values", "nothing")}
    sampled = [c.name for c in of["sketch"] if len(c.values) < c.present]
    if sampled:
        notes.append(
            f"only a sample of the values is in the sketch of {_listed(sampled)}: ranks are about 0.1 % uncertain"
        )
    if of["buckets"]:
        notes.append(
            f"{_listed([c.name for c in of['buckets']])}: the file has no usable sketch, only buckets of equal width; drift within a "
            "bucket is not seen"
        )
    for column in of["values"]:
        if column.unnamed:
            notes.append(f"{column.name}: the values of {column.unnamed:,} rows are not named in the file; they are taken to be those "
                         "that are")  # fmt: skip
    kinds = {feature.name: feature.kind for feature in config.features}
    for column in of["nothing"]:
        why = (
            "a timestamp's age needs the time of its row"
            if kinds[column.name] == "timestamp"
            else "the file has no distribution of it"
        )
        notes.append(f"{column.name} is not watched: {why}")
    if files.limit is not None:
        notes.append(
            f"the constraints' comparison_threshold of {files.limit:g}, completeness and domains are not taken: Kedge judges each "
            "column against the baseline itself (drift.* in the YAML)"
        )
    return notes


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _usable(feature: Feature, column: ColumnStatistics) -> ColumnStatistics:
    """The column as this kind of feature is counted; nothing of it where its values do not say that."""
    if feature.kind == "timestamp" or (feature.kind != "numeric" and column.source == "buckets"):
        return replace(column, source="nothing")
    if feature.kind == "categorical" and column.source == "sketch":
        # A code is 3 in a request, and 3.0 in a sketch.
        words = [str(int(v)) if float(v).is_integer() else str(v) for v in column.values]
        return replace(column, source="values", values=words)
    if feature.kind == "numeric" and column.source == "values" and not _are_numbers(column.values):
        return replace(column, source="nothing")
    return column


def _are_numbers(values: Sequence[str]) -> bool:
    try:
        np.array(values, np.float64)
    except ValueError:
        return False
    return True


def _matched(
    files: MonitorFiles, names: Sequence[str], *, by_place: bool, label: str | None, answer: str, endpoint: Endpoint
) -> tuple[list[ColumnStatistics], list[str]]:
    """The files' column for each feature: by name, or where the payload has no names by place."""
    columns = {column.name: column for column in files.statistics.columns}
    if label is not None and label not in columns:
        raise BadInputError(f"{files.place} has no column {label}; the columns are: {', '.join(columns)}")
    if not by_place:
        absent = [name for name in names if name not in columns]
        if absent:
            raise BadInputError(f"{files.place} has no column {_listed(absent)}; the columns are: {', '.join(columns)}")
        return [columns[name] for name in names], []
    excluded = [part.strip() for part in str(endpoint.exclude_features_attribute or "").split(",")]
    left = [column for name, column in columns.items() if name not in (label, answer, *excluded)]
    # What Model Monitor was told to leave out stands in its baseline.
    wanted = len(names) + len(endpoint.excluded_places)
    notes = ["the payload has no names: Model Monitor's columns are taken in their order"]
    if len(left) == wanted + 1 and label is None:
        first, *left = left
        notes.append(
            f"{first.name}, the first column, is taken as the truth: Model Monitor compares it with the answers; name another with "
            "--label"
        )
    if len(left) == wanted:
        left = [column for place, column in enumerate(left) if place not in endpoint.excluded_places]
    if len(left) != len(names):
        raise BadInputError(
            f"a request has {len(names)} values, and {files.place} has {len(left)} columns that can be features "
            f"({_listed([column.name for column in left], 20)}); name the truth with --label"
        )
    return left, notes


def _document(s3: Any, place: str) -> Any:
    content = _content(s3, place)
    if len(content) > BYTES_MAX:
        raise BadInputError(f"{place} has more than the {BYTES_MAX // 2**20} MiB that are read")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{place}: it is not JSON: {error}") from error


def _content(s3: Any, place: str) -> bytes:
    if not place.startswith("s3://"):
        with Path(place).open("rb") as file:
            return file.read(BYTES_MAX + 1)
    bucket, _, key = place.removeprefix("s3://").partition("/")
    content = objects.read_range(s3, bucket, key, 0, BYTES_MAX + 1) if key else b""
    if not content:
        raise BadInputError(f"{place}: there is no such object; name the file itself, s3://bucket/.../statistics.json")
    return content
