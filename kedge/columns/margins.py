"""How certain an answer of several classes is: the difference of its two largest probabilities, as a column to count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from kedge.columns.casting import Column, cast_numbers
from kedge.config.model import ModelConfig


def with_margins(rows: Any, config: ModelConfig) -> Any:
    """Rows with the model's `margin_column`; unchanged if the model has none.

    The margin of an answer is the probability of its likeliest class minus that of the next one, 0 to 1: Scheffer, Decomain
    and Wrobel (2001), Active hidden Markov models for information extraction, IDA 2001. A row without all its
    probabilities, or with one outside 0 to 1, has none.

    Parameters
    ----------
    rows : Table or RecordBatch
        The columns of `prediction.probabilities`, as text or numbers.
    """
    if config.margin_column is None:
        return rows
    sources = config.prediction.probabilities
    if not set(sources) <= set(rows.schema.names):
        return rows.append_column(config.margin_column, pa.nulls(rows.num_rows, pa.float64()))
    chances = np.column_stack([cast_numbers(rows.column(name), "float64").values for name in sources])
    known = np.asarray(((chances >= 0) & (chances <= 1)).all(axis=1))
    second, first = np.partition(np.where(known[:, None], chances, 0.0), (-2, -1), axis=1)[:, -2:].T
    return rows.append_column(config.margin_column, pa.array(first - second, mask=~known))


def countable(columns: Iterable[Column], rows: Any, config: ModelConfig) -> tuple[Column, ...]:
    """The columns, without a margin that no row has (if probabilities were named but never answered).

    Parameters
    ----------
    rows : Table
        As `with_margins` gives them.
    """
    name = config.margin_column
    void = name is not None and rows.column(name).null_count == rows.num_rows
    return tuple(column for column in columns if not (void and column.name == name))
