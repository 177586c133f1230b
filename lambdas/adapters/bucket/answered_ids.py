"""The ids that any package of a model has answered, read day by day as they are needed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from kedge.own_columns import ROW_ID
from lambdas.adapters.bucket import days, predictions


class AnsweredIds:
    """Days that have been counted, listed once as far back as anybody asks; `opened` counts the objects that were read."""

    def __init__(self, s3: Any, bucket: str, model: str) -> None:
        self._s3, self._bucket, self._model, self.opened = s3, bucket, model, 0
        self._since, self._days = date.max, dict[date, list[str]]()

    def days_since(self, first: date) -> list[date]:
        """Days from `first` on, on which anything was answered."""
        if first < self._since:
            self._since = first
            self._days = days.counted_days(self._s3, self._bucket, self._model, first=first)
        return [day for day in self._days if day >= first]

    def of_day(self, day: date) -> Any:
        """The ids that were answered on one of those days."""
        parts = days.parts_of(self._s3, self._bucket, self._days[day])
        self.opened += len(self._days[day]) + len(parts)
        table = predictions.load_parts(self._s3, self._bucket, parts, [ROW_ID])
        return table.column(ROW_ID) if table is not None else pa.array([], pa.string())
