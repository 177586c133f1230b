"""Answers and labels to be joined, and the join that every engine must agree with: plain Python, a row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from kedge.config.model import ModelConfig
from kedge.labels.fold import label_schema
from kedge.labels.join_sql import answers_schema, joined_schema

Labels = Mapping[date, Sequence[Mapping[str, Any]]]


def answered(rows: Iterable[Mapping[str, Any]], config: ModelConfig) -> pa.Table:
    """Rows as a part of the predictions table holds them; what a row does not say is null."""
    return pa.Table.from_pylist(list(rows), answers_schema(config))


def labelled(rows: Iterable[Mapping[str, Any]], config: ModelConfig) -> pa.Table:
    """Labels as a day's object holds them."""
    return pa.Table.from_pylist(list(rows), label_schema(config.labels.fields))


def reference_join(
    parts: Iterable[pa.Table],
    labels: Labels,
    config: ModelConfig,
    columns: Sequence[str],
    start: datetime,
    end: datetime,
) -> pa.Table:
    """Each answer of `[start, end)` with its label; of several the last collected, then the greater source, then the later day."""
    last: dict[str, Mapping[str, Any]] = {}
    for day in sorted(labels):
        for label in labels[day]:
            known = last.get(label["kedge_row_id"])
            if known is None or _place(label) >= _place(known):
                last[label["kedge_row_id"]] = label
    schema = joined_schema(config, columns)
    rows = [row for part in parts for row in part.to_pylist() if start <= row["kedge_time"] < end]
    return pa.Table.from_pylist([row | dict(last.get(row["kedge_row_id"], {})) for row in rows], schema)


def _place(label: Mapping[str, Any]) -> tuple[datetime, str]:
    return label["kedge_collected"], label.get("kedge_source") or ""


def as_set(table: pa.Table) -> list[tuple[Any, ...]]:
    """A table's rows in an order of their own, each as often as it is there."""
    return sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)
