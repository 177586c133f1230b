"""Answers beside the labels of their ids, joined in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kedge.id_places import last_answers, places_of
from kedge.label_fold import in_schema, label_schema
from kedge.own_columns import COLLECTED, LABEL, ROW_ID, SOURCE


def join_labels(answered: pa.Table, labels: Iterable[pa.Table], fields: Sequence[str]) -> pa.Table:
    """Put beside each answer the label of its id, as both engines return it: a row for each answer, ids that repeat included.

    Parameters
    ----------
    answered : Table
        `kedge_row_id`, `kedge_time` and any other columns.
    labels : iterable of Table
        Days of labels in their order, each id once in a day; of an id's labels in several days the last collected counts, of
        several collected at once that of the later day.
    fields : sequence of str
        The extra fields of the label records.

    Returns
    -------
    Table
        The answers, then `label`, `kedge_collected` and `kedge_field_<name>` for each extra field; null where no label came.

    >>> at = pa.array([0], pa.timestamp("us", "UTC"))
    >>> day = pa.table({"kedge_row_id": ["b"], "label": ["1"], "kedge_collected": at, "kedge_source": ["k"]})
    >>> join_labels(pa.table({"kedge_row_id": ["a", "b"], "kedge_time": [0, 0]}), [day], []).column("label").to_pylist()
    [None, '1']
    """
    schema = pa.schema([field for field in label_schema(fields) if field.name != SOURCE])
    known = pa.concat_tables([schema.empty_table(), *(in_schema(day, schema) for day in labels)]).combine_chunks()
    last, _ = last_answers(known.column(ROW_ID), seconds_of(known.column(COLLECTED)), known.column(LABEL))
    known = known if len(last) == known.num_rows else known.take(pa.array(last))
    places = places_of(answered.column(ROW_ID), known.column(ROW_ID))
    found = known.drop_columns([ROW_ID]).take(pa.array(places, mask=places < 0))
    return pa.table([*answered.columns, *found.columns], schema=pa.schema([*answered.schema, *found.schema]))


def seconds_of(times: Any) -> NDArray[np.float64]:
    """Seconds since the epoch of a column of timestamps; NaN where there is none."""
    micros = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).cast(pa.float64(), safe=False)
    return np.asarray(micros.to_numpy()) / 1e6
