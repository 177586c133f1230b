"""The ids that any package of a model has answered, looked up day by day by their hashes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from kedge.arrays import Hashes
from lambdas.adapters.bucket import counted_ids, days


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

    def is_sampled(self, day: date) -> bool:
        """Whether rows of one of those days were left out, because a sample is counted."""
        return any(found.left_out for found in days.origins(self._s3, self._bucket, self._days[day]))

    def of_day(self, day: date, hashes: Hashes) -> Iterator[Hashes]:
        """Those of these hashes, sorted, that are an id's that was answered on one of those days, a part at a time."""
        parts = days.parts_of(self._s3, self._bucket, self._days[day])
        self.opened += len(self._days[day]) + len(parts)
        return counted_ids.met_hashes(self._s3, self._bucket, hashes, parts)
