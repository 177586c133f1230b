"""The files that a training job gets: rows to learn from, and rows that say how well it learns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kedge.config.model import ModelConfig
from kedge.own_columns import ROW_ID, TIME
from kedge.retraining.rows import algorithm_csv, column_description, training_csv


def learning_files(training: pa.Table, config: ModelConfig) -> dict[str, tuple[Iterable[bytes], pa.Table | None]]:
    """What the channels `train` and `validation` hold, by channel and name, a stretch at a time; with the rows where a file has any.

    A script reads `train.csv` with a header and `columns.json`. SageMaker's own algorithm reads every file of a channel as rows.

    Parameters
    ----------
    training : Table
        All training rows, as `typed_rows` made them.
    """
    learnt, kept = apart(training, config)
    by_algorithm = config.training.algorithm is not None
    content = (algorithm_csv(rows, config) if by_algorithm else training_csv(rows) for rows in (learnt, kept))
    files: dict[str, tuple[Iterable[bytes], pa.Table | None]] = {"train/train.csv": (next(content), learnt)}
    if not by_algorithm:
        files["train/columns.json"] = ([json.dumps(column_description(config)).encode()], None)
    if config.training.validation_fraction:
        files["validation/validation.csv"] = (next(content), kept)
    return files


def apart(training: pa.Table, config: ModelConfig) -> tuple[pa.Table, pa.Table]:
    """The rows to learn from, and `training.validation_fraction` of them kept apart, each in their order.

    The newest are the last ones in time. Random ones are chosen by the hash of their ids, so the same row is on the same side in
    each retraining.

    >>> from kedge.config.reading import parse_model_config
    >>> yaml = "{model: m, endpoint: {name: e}, features: [{name: x, kind: numeric}], training: {validation_fraction: 0.25}}"
    >>> rows = pa.table({"kedge_row_id": ["a", "b", "c", "d"], "kedge_time": [3, 9, 1, 2]})
    >>> [part.column("kedge_row_id").to_pylist() for part in apart(rows, parse_model_config(yaml, source="m.yaml"))]
    [['a', 'c', 'd'], ['b']]
    """
    fraction, number = config.training.validation_fraction, training.num_rows
    if not fraction:
        return training, training.slice(0, 0)
    if config.training.validation_rows == "random":
        is_kept = np.array([_place(identity) < fraction for identity in training.column(ROW_ID).to_pylist()], bool)
    else:
        is_kept = np.zeros(number, bool)
        is_kept[pc.sort_indices(training.column(TIME)).to_numpy()[number - round(number * fraction) :]] = True
    return training.filter(pa.array(~is_kept)), training.filter(pa.array(is_kept))


def _place(identity: str) -> float:
    # Not the hash by which rows are selected: of a class that was thinned by it only rows with small ones are left, and all of them would
    # be kept apart.
    return int.from_bytes(hashlib.sha256(f"validation {identity}".encode()).digest()[:8], "big") / 2**64
