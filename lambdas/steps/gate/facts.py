"""What the gate is told of both models beside their answers to the holdout."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.errors import BaselineAbsentError
from kedge.outcomes.columns import answer_column
from kedge.own_columns import ROW_ID, TIME
from kedge.performance.measures import Numbers
from lambdas.adapters.bucket import baselines, days, predictions

# 200 parts show a share of other answers well enough: they are of up to half a million rows.
PARTS_MAX = 200


def importance_before(s3: Any, bucket: str, model: str, version: str | None) -> dict[str, float]:
    """What the champion's features weigh, as its baseline keeps it; empty where it does not."""
    if version is not None:
        with suppress(BaselineAbsentError):
            return dict(baselines.load_baseline(s3, bucket, model, version).importance)
    return {}


def served_answers(
    s3: Any, bucket: str, config: ModelConfig, released: ModelConfig, version: str, truth: pa.Table
) -> Numbers | None:
    """What the endpoint answered to the holdout's rows while this version served; None where it answered none of them.

    The holdout is a part of all that was answered meanwhile: rows are looked for in an even part of it where it has very many
    parts, and no other row is kept.
    """
    first, last = (value.as_py().date() for value in pc.min_max(truth.column(TIME)).values())
    counted = days.counted_days(s3, bucket, config.model, first=first, last=last)
    keys = [key for of_day in counted.values() for key in of_day if key.split("/")[-2] == version]
    parts, name = days.parts_of(s3, bucket, keys), released.prediction.name
    step, wanted = max(1, -(-len(parts) // PARTS_MAX)), truth.column(ROW_ID).combine_chunks()
    found = predictions.load_rows(s3, bucket, parts[::step], [ROW_ID, name], wanted)
    if found is None or not found.num_rows:
        return None
    places = pc.index_in(wanted, value_set=found.column(ROW_ID).combine_chunks())
    answers = answer_column(found.column(name).take(places), config.problem, config.labels.classes)
    return (
        answers.values
        if config.problem == "multiclass_classification"
        else np.where(answers.known, answers.values, np.nan)
    )


def fresher_days(training_end: datetime | None, champions: datetime | None) -> float | None:
    """How much newer the newest training row is than the champion's, where both are known."""
    if training_end is None or champions is None:
        return None
    return (training_end - champions).total_seconds() / 86_400
