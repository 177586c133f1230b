"""The first rows, read and split as a retraining would do it at a given time, with what is wrong or odd about them in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cli.refusals import BadInputError
from cli.rows.inferred_schema import is_single_precision
from kedge.columns.casting import cast_numbers, cast_text, plain_array
from kedge.comparisons import counted
from kedge.config.model import ModelConfig
from kedge.config.sections import Feature
from kedge.own_columns import LABEL, LABEL_TIME, ROW_ID, TIME
from kedge.retraining.labelled_history import LabelledHistory, RowsOfSchema, labelled_history
from kedge.retraining.population import population_of
from kedge.retraining.selection import selected, with_holdout_that_fits
from kedge.retraining.snapshot import Split, refusal_reasons, split_in_time, without_unscorable
from kedge.retraining.validation import faults_of
from lambdas.adapters.bucket import row_objects
from lambdas.adapters.training.training_data import read_first_rows

# A category with more levels than this is rather a number, a time or an id.
LEVELS_MAX = 1000
_CLASSES_SHOWN = 10


@dataclass(frozen=True)
class RehearsedRows:
    """What a retraining would make of the first rows.

    Attributes
    ----------
    split : Split
        The rows to learn from and to judge on.
    facts : tuple of str
        What was found.
    notes : tuple of str
        What is odd, and does not stop a retraining.
    faults : tuple of str
        Why a retraining would be rejected; empty if it would not.
    """

    split: Split
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


def rehearse_rows(place: str, config: ModelConfig, *, now: datetime) -> RehearsedRows:
    """Read the file as `snapshot_data` reads it, and split it as a retraining that begins at `now` would.

    Raises
    ------
    InitialRowsError
        The file cannot be read as first rows.
    """
    first = _read(place, config)
    history = labelled_history([], first, config, now=now, known_horizon_days=None)
    split = split_in_time(history.rows, holdout_fraction=config.training.holdout_fraction, learnt_until=None)
    population = population_of(split, config)
    split, judged = with_holdout_that_fits(split, config, population)
    split = without_unscorable(split, config)
    bad = faults_of(split, config, unparsable=history.unparsable, labelled_fraction=history.labelled_fraction)
    split, choices = selected(split, config, population, history.older_first_rows)
    faults = (*history.problems, *refusal_reasons(split, config), *bad)
    return RehearsedRows(
        split,
        facts=tuple(_facts(first.rows, history, split)),
        notes=(*_notes(first.rows, config), *choices, *judged),
        faults=(*faults, *history.left_out) if faults else (),
    )


def _facts(rows: pa.Table, history: LabelledHistory, split: Split) -> Iterator[str]:
    yield f"{counted(rows.num_rows, 'row')}{_span(rows)}; {counted(history.rows.num_rows, 'labelled row')} can be used"
    for name, part in (("to learn from", split.training), ("to judge on", split.holdout)):
        if part.num_rows:
            yield f"{name}: {counted(part.num_rows, 'row')}{_span(part)}; {_labels(part)}"


def _span(rows: pa.Table) -> str:
    span = pc.min_max(rows.column(TIME).cast(pa.timestamp("us", "UTC"), safe=False)).as_py()
    return f", {span['min']:%Y-%m-%d %H:%M} to {span['max']:%Y-%m-%d %H:%M}" if span["min"] else ""


def _labels(rows: pa.Table) -> str:
    labels = rows.column(LABEL)
    found = Counter(labels.to_pylist())
    if len(found) > _CLASSES_SHOWN:
        return f"{len(found):,} different labels"
    shares = [f"{label} {count / rows.num_rows:.1%}" for label, count in found.most_common()]
    return f"labels: {', '.join(shares)}"


def _notes(rows: pa.Table, config: ModelConfig) -> Iterator[str]:
    used = {ROW_ID, TIME, LABEL, LABEL_TIME, *config.feature_names}
    if unused := [name for name in rows.column_names if name not in used]:
        yield f"not in the YAML, so not used: {', '.join(unused)}"
    if repeated := rows.num_rows - pc.count_distinct(rows.column(ROW_ID)).as_py():
        yield f"{counted(repeated, 'row')} with an id that an older row has: left out"
    for name in (LABEL, TIME):
        if missing := rows.column(name).null_count:
            yield f"{counted(missing, 'row')} without a {'label' if name == LABEL else 'time'}: left out"
    for feature in config.features:
        if feature.name in rows.column_names:
            yield from (f"{feature.name}: {said}" for said in _oddities(rows.column(feature.name), feature))


def _oddities(values: Any, feature: Feature) -> Iterator[str]:
    if feature.kind != "numeric":
        words = cast_text(plain_array(values))
        levels, missing = len(pc.unique(words.drop_null())), words.null_count
        if levels > LEVELS_MAX:
            yield f"{feature.kind}, and has {levels:,} different values; is it a number, a time or an id?"
    else:
        numbers = cast_numbers(values, feature.declared_dtype)
        missing = int(numbers.missing.sum())
        if broken := int(numbers.unparsable.sum()):
            yield f"{counted(broken, 'value')} of {len(values):,} cannot be read as a number: missing to the model"
        known = numbers.values[np.isfinite(numbers.values)]
        if feature.declared_dtype == "int64" and (fractions := int((known % 1 != 0).sum())):
            yield f"declared int64, with a fraction in {fractions:,} of {len(values):,} rows"
        if is_single_precision(values) and feature.declared_dtype == "float64":
            yield "the file holds float32: declare dtype float32, or captured values and these will differ in the last digits"
        if len(known) and (known == known[0]).all():
            yield "the same number in every row that has one"
    if missing:
        yield f"missing in {missing:,} of {len(values):,} rows ({missing / len(values):.1%})"


def _read(place: str, config: ModelConfig) -> RowsOfSchema:
    if place.startswith("s3://"):
        # Here, because a file on this machine needs no botocore.
        from lambdas.adapters import clients

        bucket, _, key = place.removeprefix("s3://").partition("/")
        with row_objects.open_object(clients.s3(), bucket, key) as opened:
            return read_first_rows(opened, config, place=place)
    path = Path(place)
    if path.is_dir():
        raise BadInputError(
            f"{place} is a folder; first rows are one Parquet file, which becomes initial/MODEL/training.parquet"
        )
    with path.open("rb") as opened:
        return read_first_rows(opened, config, place=place)
